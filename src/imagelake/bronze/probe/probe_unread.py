"""Pictures of kinds that are not read: what they are called, and what to do about them."""

from __future__ import annotations

from dataclasses import dataclass

from imagelake.bronze.probe.media_kinds import CAMERA_RAW, is_camera_raw
from imagelake.bronze.probe.probe_image import is_image
from imagelake.core import heif

UNSUPPORTED = "image.unsupported_format"

READ = "JPEG, PNG, GIF, BMP, TIFF, WebP, AVIF, JPEG 2000 and PNM"
"""The kinds that are read, in words."""


@dataclass(frozen=True)
class _Kind:
    """A kind of picture: its name in a sentence, and what makes an image of it."""

    name: str
    advice: str = "convert it to PNG or JPEG"


_RAW = _Kind("a camera's raw file", "develop it to JPEG or TIFF")
_MEASURED = "convert it to PNG or TIFF"

_BY_TYPE = {
    "image/heic": _Kind("HEIC", f"convert it to JPEG, or {heif.INSTALL}"),
    "image/heif": _Kind("HEIF", f"convert it to JPEG, or {heif.INSTALL}"),
    "image/avif": _Kind("AVIF, and this Pillow was built without it", "install Pillow's own wheel, or convert it"),
    **dict.fromkeys(
        ("image/jp2", "image/jpx", "image/j2c"),
        _Kind("JPEG 2000, and this Pillow was built without it", "install Pillow's own wheel, or convert it"),
    ),
    CAMERA_RAW: _RAW,
    "image/jxl": _Kind("JPEG XL"),
    "image/vnd.adobe.photoshop": _Kind("a Photoshop document"),
    "image/svg+xml": _Kind("SVG, a drawing without pixels", "render it to PNG"),
    "image/x-exr": _Kind("OpenEXR", _MEASURED),
    "image/vnd.radiance": _Kind("Radiance HDR", _MEASURED),
    "application/dicom": _Kind("DICOM", _MEASURED),
}
"""Kinds that bytes tell, by media type."""

_UNKNOWN = "application/octet-stream"
_BY_SUFFIX = {
    **dict.fromkeys(
        (
            ".3fr", ".arw", ".cr2", ".cr3", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mrw", ".nef", ".nrw", ".orf",
            ".pef", ".raf", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
        ),
        _RAW,
    ),
    ".dcm": _BY_TYPE["application/dicom"],
    ".ico": _Kind("an icon of several sizes"),
    ".jxl": _BY_TYPE["image/jxl"],
    ".pam": _Kind("PAM"),
    ".pfm": _Kind("PFM, a map of floating point numbers", _MEASURED),
    ".tga": _Kind("Targa"),
}  # fmt: skip
"""Kinds without bytes of their own, by suffix: told where the bytes are of no other kind."""


def unread_problem(path: str, kind: str, data: bytes | None) -> str | None:
    """What a picture is that nobody reads here, and what to do; None of any other file.

    kind: its media type. data: all its bytes where they are at hand: a raw file may begin like any TIFF.
    """
    name = path.rpartition("/")[2]
    dot = name.rfind(".")
    suffix = name[dot:].lower() if dot > 0 else ""
    named = _BY_SUFFIX.get(suffix)
    if kind == "image/tiff":
        is_raw = named is _RAW or (data is not None and is_camera_raw(data))
        unread = _RAW if is_raw else None
    elif kind == _UNKNOWN:
        unread = named
    else:
        unread = None if is_image(kind) else _BY_TYPE.get(kind)
    return f"{name} is {unread.name}, which is not read; {unread.advice}" if unread is not None else None
