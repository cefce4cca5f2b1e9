"""What bytes are: media type by magic numbers, and for images size, mode, orientation, frames and readability."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

if TYPE_CHECKING:
    from imagelake.settings import IngestSettings

HEAD = 4096
"""Bytes of a file that its media type is told from."""

# Named, so that the decoders are loaded once before a process is forked and not in every one of them.
DECODERS = (
    BmpImagePlugin, GifImagePlugin, JpegImagePlugin, MpoImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin,
)  # fmt: skip

_FORMATS = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/gif": "GIF",
    "image/bmp": "BMP",
    "image/tiff": "TIFF",
    "image/webp": "WEBP",
}
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BMP_HEADER_SIZES = (12, 16, 40, 52, 56, 64, 108, 124)
_NOT_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_JSON_START = re.compile(r'\{\s*["}]|\[\s*[\[\]{"\d-]')
_ORIENTATION = 0x0112
_PIXEL_COUNT = re.compile(r"\d{4,}")


@dataclass(frozen=True)
class ProbeLimits:
    """What one file may take: decode it whole or only its header, pixels, frames, seconds, megabytes of memory."""

    decode: bool = True
    max_pixels: int = 178_956_970
    max_frames: int = 10_000
    seconds: float = 10.0
    memory_mb: int = 1024

    @classmethod
    def of(cls, settings: IngestSettings) -> ProbeLimits:
        """The limits in the settings."""
        return cls(
            settings.decode,
            settings.max_pixels,
            settings.max_frames,
            settings.probe_seconds,
            settings.probe_memory_mb,
        )


class ImageFacts(NamedTuple):
    """Raw width and height in pixels, Pillow mode, EXIF orientation 1 to 8, frames; and the rule that is broken."""

    width: int | None = None
    height: int | None = None
    mode: str | None = None
    orientation: int | None = None
    frames: int | None = None
    problem_rule: str | None = None
    problem: str | None = None


def media_type(head: bytes) -> str:
    """The media type of bytes that begin like this; application/octet-stream when they say nothing."""
    return _image_type(head) or _other_type(head)


def is_image(kind: str) -> bool:
    """True for the media types that are decoded."""
    return kind in _FORMATS


def inspect_image(data: bytes, kind: str, limits: ProbeLimits) -> ImageFacts:
    """The facts of an image of that media type; wants `prepare_decoders` first.

    Never raises for bad bytes, but decoders may crash or hang on them: run it in a process of its own.
    """
    found = ImageFacts()
    try:
        with Image.open(io.BytesIO(data), formats=(_FORMATS[kind],)) as image:
            found = _header(image, data)
            problem = _frame_problem(image, found, limits)
            if problem is not None:
                return _with_problem(found, *problem)
            if limits.decode:
                image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        return _with_problem(found, "image.too_large", _too_many_pixels(error, limits))
    except MemoryError:
        message = f"decoding needs more than {limits.memory_mb} MB (ingest.probe_memory_mb)"
        return _with_problem(found, "image.too_large", message)
    except UnidentifiedImageError:
        return _with_problem(found, "image.unreadable", f"begins like {kind} but is none")
    except Exception as error:  # noqa: BLE001  decoders raise anything on hostile bytes, and each is the file's fault
        return _with_problem(found, "image.unreadable", f"{type(error).__name__}: {str(error)[:300]}")
    return found


def prepare_decoders(limits: ProbeLimits) -> None:
    """Set Pillow's own limits in this process: pixels, and no tolerance for truncated files."""
    Image.MAX_IMAGE_PIXELS = limits.max_pixels
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", Image.DecompressionBombWarning)


def _with_problem(found: ImageFacts, rule: str, problem: str) -> ImageFacts:
    return found._replace(problem_rule=rule, problem=problem)


def _header(image: Any, data: bytes) -> ImageFacts:
    width, height = image.size
    if image.format == "TIFF":
        # Pillow swaps the size of a rotated TIFF when it opens it
        width, height = image.tag_v2[TiffImagePlugin.IMAGEWIDTH], image.tag_v2[TiffImagePlugin.IMAGELENGTH]
    return ImageFacts(width, height, image.mode, _orientation(image, data), getattr(image, "n_frames", 1))


def _frame_problem(image: Any, found: ImageFacts, limits: ProbeLimits) -> tuple[str, str] | None:
    frames = found.frames or 1
    if frames > limits.max_frames:
        return "image.too_many_frames", f"{frames} frames; at most {limits.max_frames} (ingest.max_frames)"
    if frames > 1 and image.format != "MPO":
        return "image.multi_frame", f"{frames} frames; an image has one"
    return None


def _orientation(image: Any, data: bytes) -> int:
    """The EXIF orientation as the file has it: absent, damaged and undefined values are 1."""
    try:
        if image.format == "TIFF":
            value = image.tag_v2.get(_ORIENTATION)
        else:
            block = _png_exif(data) if image.format == "PNG" else image.info.get("exif")
            if not block:
                return 1
            exif = Image.Exif()
            exif.load(block)
            value = exif.get(_ORIENTATION)
    except Exception:  # noqa: BLE001  a damaged EXIF block is no reason to refuse an image
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _png_exif(data: bytes) -> bytes | None:
    """The eXIf chunk, which may stand after the pixels (PNG 3rd edition, 11.3.4.6)."""
    return next(
        (data[at + 8 : at + 8 + size] for at, size in _png_chunks(data) if data[at + 4 : at + 8] == b"eXIf"), None
    )


def _png_chunks(data: bytes) -> Iterator[tuple[int, int]]:
    at = 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        yield at, size
        at += 12 + size


def _too_many_pixels(error: Exception, limits: ProbeLimits) -> str:
    count = _PIXEL_COUNT.search(str(error))
    said = f"{count.group()} pixels" if count else "too many pixels"
    return f"{said}; at most {limits.max_pixels} (ingest.max_pixels)"


def _image_type(head: bytes) -> str | None:
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "image/gif"
    if head.startswith(_TIFF_MAGIC):
        return "image/tiff"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    # two letters alone would make images of texts that begin with BM
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "image/bmp"
    return None


def _other_type(head: bytes) -> str:
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "application/zip"
    try:
        text = head.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        if len(head) < HEAD or error.start < len(head) - 3:
            return "application/octet-stream"
        text = head[: error.start].decode("utf-8", "ignore")  # the head ends within a character
    if _NOT_TEXT.search(text):
        return "application/octet-stream"
    start = text.lstrip()
    if start.startswith("<"):
        return "application/xml"
    return "application/json" if _JSON_START.match(start) else "text/plain"
