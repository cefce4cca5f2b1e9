"""What bytes are: their media type, by magic numbers and never by a name."""

from __future__ import annotations

import re
from functools import partial
from typing import Literal, NamedTuple

from imagelake.core.heif import heif_type

HEAD = 4096
"""Bytes of a file that its media type is told from."""

CAMERA_RAW = "image/x-camera-raw"

_CLASSIC_TIFF = (b"II*\0", b"MM\0*")
_TIFF_MAGIC = (*_CLASSIC_TIFF, b"II+\0", b"MM\0+")
_BMP_HEADER_SIZES = (12, 16, 40, 52, 56, 64, 108, 124)
_JP2_MAGIC, _CODESTREAM_MAGIC = b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"
_MAGIC = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (_CODESTREAM_MAGIC, "image/j2c"),
    (b"8BPS\0", "image/vnd.adobe.photoshop"),
    (b"v/1\x01", "image/x-exr"),
    (b"#?RADIANCE\n", "image/vnd.radiance"),
    (b"#?RGBE\n", "image/vnd.radiance"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    (b"FUJIFILMCCD-RAW", CAMERA_RAW),
    (b"IIRO", CAMERA_RAW),
    (b"IIU\0", CAMERA_RAW),
)
_NOT_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_JSON_START = re.compile(r'\{\s*["}]|\[\s*[\[\]{"\d-]')
# possessive throughout: a hostile file must not make the search begin anew at each of its comments
_SVG_START = re.compile(
    r"(?>\s|<\?[^>]*+>|<!--.*?-->|<!DOCTYPE\s[^>\[]*+(?:\[[^\]]*+\])?+[^>]*+>)*+<(?:svg:)?svg[\s>]", re.S
)

_GAP = rb"\s(?:\s|#[^\r\n]*[\r\n])*"
_NUMBER = rb"0*([1-9]\d{0,9})"
_PNM = re.compile(
    rb"P(?:([14])" + _GAP + _NUMBER + _GAP + _NUMBER + rb"(\s)|"
    rb"([2356])" + _GAP + _NUMBER + _GAP + _NUMBER + _GAP + rb"(\d{1,10})(\s))"
)
_PNM_COMMENT = re.compile(rb"#[^\r\n]*")
_PNM_TYPES = {
    b"1": "image/x-portable-bitmap",
    b"4": "image/x-portable-bitmap",
    b"2": "image/x-portable-graymap",
    b"5": "image/x-portable-graymap",
    b"3": "image/x-portable-pixmap",
    b"6": "image/x-portable-pixmap",
}

_SUBFILE_TYPE, _SUB_IFDS, _DNG_VERSION, _SHORT = 254, 330, 50706, 3


def media_type(head: bytes) -> str:
    """The media type of bytes that begin like this (HEAD of them); application/octet-stream when they say nothing."""
    return _image_type(head) or _other_type(head)


def is_camera_raw(data: bytes) -> bool:
    """Whether a TIFF file is a camera's raw file: DNG, CR2, NEF, ARW. What readers of TIFF find in it is a preview.

    Its first directory says so, which may lie behind the HEAD: then only the whole file tells.
    """
    if data[:4] == b"II*\0" and data[8:10] == b"CR":
        return True
    tags = _first_directory(data)
    return _DNG_VERSION in tags or (_SUB_IFDS in tags and bool(tags.get(_SUBFILE_TYPE, 0) & 1))


def _first_directory(data: bytes) -> dict[int, int]:
    """The tags of a TIFF file's first directory, each with its value field as one number; none of a BigTIFF."""
    if data[:4] not in _CLASSIC_TIFF:
        return {}
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    number = partial(_number, data, order)
    start = number(4, 4)
    entries = range(start + 2, min(start + 2 + 12 * number(start, 2), len(data) - 11), 12)
    return {number(at, 2): number(at + 8, 2 if number(at + 2, 2) == _SHORT else 4) for at in entries}


def _number(data: bytes, order: Literal["little", "big"], at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], order)


def _image_type(head: bytes) -> str | None:
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head.startswith(_TIFF_MAGIC):
        return CAMERA_RAW if is_camera_raw(head) else "image/tiff"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    # two letters alone would make images of texts that begin with BM
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "image/bmp"
    if head.startswith(_JP2_MAGIC):
        return "image/jpx" if head[20:24] == b"jpx " else "image/jp2"
    if head[4:12] == b"ftypcrx ":
        return CAMERA_RAW
    if head[128:132] == b"DICM":
        return "application/dicom"
    return heif_type(head) or _pnm_type(head)


class _PnmHeader(NamedTuple):
    """The header of a PNM file: digit of its kind, pixels, largest value, the white space and the bytes behind it."""

    kind: bytes
    width: int
    height: int
    largest: int
    end: bytes
    rest: bytes

    @property
    def raster_bytes(self) -> int:
        """Bytes of the pixels, of the kinds that are not written as text."""
        if self.kind == b"4":
            return (self.width + 7) // 8 * self.height
        return self.width * self.height * (3 if self.kind == b"6" else 1) * (2 if self.largest > 255 else 1)


def _pnm_header(head: bytes) -> _PnmHeader | None:
    match = _PNM.match(head)
    if match is None:
        return None
    bits, *bit_size, bit_end, kind, width, height, largest, end = match.groups()
    if bits is not None:
        return _PnmHeader(bits, int(bit_size[0]), int(bit_size[1]), 1, bit_end, head[match.end() :])
    return _PnmHeader(kind, int(width), int(height), int(largest), end, head[match.end() :])


def _pnm_type(head: bytes) -> str | None:
    """The kind of PNM file; None for a text that only begins like one: `P5 is what we call this road`.

    Pixels written as text are numbers and nothing else. Where the bytes of other pixels read as text, their number
    must be right, or, where the head does not show it, the line must end where programs end it.
    """
    header = _pnm_header(head)
    if header is None:
        return None
    kind = _PNM_TYPES[header.kind]
    if header.kind in b"123":
        allowed = b"01 \t\n\v\f\r" if header.kind == b"1" else b"0123456789 \t\n\v\f\r"
        numbers = _PNM_COMMENT.sub(b"", header.rest)
        return kind if numbers.strip() and not numbers.translate(None, allowed) else None
    if _text(header.rest, len(head) < HEAD) is None:
        return kind
    if header.end != b"\n":
        return None
    size = header.raster_bytes
    if len(head) >= HEAD:
        return kind if size >= len(header.rest) else None
    return kind if len(header.rest[size:].strip()) == 0 and len(header.rest) >= size else None


def _other_type(head: bytes) -> str:
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "application/zip"
    text = _text(head.removeprefix(b"\xef\xbb\xbf"), len(head) < HEAD)
    if text is None:
        return "application/octet-stream"
    start = text.lstrip()
    if start.startswith("<"):
        return "image/svg+xml" if _SVG_START.match(start) else "application/xml"
    return "application/json" if _JSON_START.match(start) else "text/plain"


def _text(data: bytes, is_whole: bool) -> str | None:
    """The bytes as text, None when they are none; the end of what is not the whole may lie within a character."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        if is_whole or error.start < len(data) - 3:
            return None
        text = data[: error.start].decode("utf-8", "ignore")
    return None if _NOT_TEXT.search(text) else text
