"""What an image is: size, mode, orientation, frames and readability, by the decoder of its media type."""

from __future__ import annotations

import io
import re
import struct
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
    features,
)

from imagelake.bronze.probe.image_statistics import ImageStatistics, image_statistics
from imagelake.core import heif

if TYPE_CHECKING:
    from imagelake.config.settings import IngestSettings

# Named, so that the decoders are loaded once before a process is forked and not in every one of them.
DECODERS = (
    AvifImagePlugin, BmpImagePlugin, GifImagePlugin, Jpeg2KImagePlugin, JpegImagePlugin, MpoImagePlugin, PngImagePlugin,
    PpmImagePlugin, TiffImagePlugin, WebPImagePlugin,
)  # fmt: skip

_FORMATS = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/gif": "GIF",
    "image/bmp": "BMP",
    "image/tiff": "TIFF",
    "image/webp": "WEBP",
    "image/avif": "AVIF",
    "image/heic": "HEIF",
    "image/heif": "HEIF",
    "image/jp2": "JPEG2000",
    "image/jpx": "JPEG2000",
    "image/j2c": "JPEG2000",
    "image/x-portable-bitmap": "PPM",
    "image/x-portable-graymap": "PPM",
    "image/x-portable-pixmap": "PPM",
}
_CHECKS: Mapping[str, Callable[[], bool | None]] = {
    "AVIF": partial(features.check, "avif"),
    "HEIF": heif.register,
    "JPEG2000": partial(features.check, "jpg_2000"),
}
"""What of an installation says whether it can decode a format; it can decode all others."""

READABLE = frozenset(kind for kind, form in _FORMATS.items() if form not in _CHECKS or _CHECKS[form]())
"""The media types that this installation decodes."""

_NO_MEMORY = ("Out of memory", "Memory allocation error")
"""What libavif and libheif say instead of raising MemoryError."""

_ORIENTATION = 0x0112
_PIXEL_COUNT = re.compile(r"\d{4,}")
_PIXEL_INFORMATION = re.compile(rb"pixi.{4}([\x01-\x04])(.{4})", re.S)
_BOXES = 1 << 16
"""Bytes at the beginning of an AVIF or HEIC file that its boxes of properties lie in."""

_CODESTREAM = re.compile(rb"\xff\x4f\xff\x51.{4}(.{32})(..)", re.S)


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


class ImageProperties(NamedTuple):
    """What an image is and looks like; and the rule that is broken.

    Raw width and height in pixels, Pillow mode, EXIF orientation 1 to 8, frames, bits a sample as the file has them,
    and the fields of ImageStatistics, null unless the image was decoded.
    """

    width: int | None = None
    height: int | None = None
    mode: str | None = None
    orientation: int | None = None
    frames: int | None = None
    bit_depth: int | None = None
    phash: str | None = None
    brightness_p5: float | None = None
    brightness_p99: float | None = None
    contrast: float | None = None
    entropy: float | None = None
    sharpness: float | None = None
    problem_rule: str | None = None
    problem: str | None = None


def is_image(kind: str) -> bool:
    """True for the media types that are decoded."""
    return kind in READABLE


def inspect_image(data: bytes, kind: str, limits: ProbeLimits) -> ImageProperties:
    """The facts of an image of that media type; wants `prepare_decoders` first.

    Never raises for bad bytes, but decoders may crash or hang on them: run it in a process of its own.
    """
    properties = ImageProperties()
    try:
        with Image.open(io.BytesIO(data), formats=(_FORMATS[kind],)) as image:
            properties = _header(image, data)
            problem = _frame_problem(image, properties, limits) or _room_problem(image, data, limits)
            if problem is not None:
                return _with_problem(properties, *problem)
            if limits.decode:
                properties = properties._replace(**_decode(image, data, properties.orientation or 1)._asdict())
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        return _with_problem(properties, "image.too_large", _too_many_pixels(error, limits))
    except MemoryError:
        return _with_problem(properties, "image.too_large", _too_much_memory(limits))
    except UnidentifiedImageError:
        return _with_problem(properties, "image.unreadable", f"begins like {kind} but is none")
    except Exception as error:  # noqa: BLE001  decoders raise anything on hostile bytes, and each is the file's fault
        if any(words in str(error) for words in _NO_MEMORY):
            return _with_problem(properties, "image.too_large", _too_much_memory(limits))
        return _with_problem(properties, "image.unreadable", f"{type(error).__name__}: {str(error)[:300]}")
    return properties


def prepare_decoders(limits: ProbeLimits) -> None:
    """Set Pillow's own limits in this process: pixels, and no tolerance for truncated files."""
    Image.MAX_IMAGE_PIXELS = limits.max_pixels
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # a task has one core, and stacks count as memory
    heif.use_one_thread()
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", Image.DecompressionBombWarning)


def _with_problem(properties: ImageProperties, rule: str, problem: str) -> ImageProperties:
    return properties._replace(problem_rule=rule, problem=problem)


def _header(image: Any, data: bytes) -> ImageProperties:
    width, height = image.size
    if image.format == "TIFF":
        # Pillow swaps the size of a rotated TIFF when it opens it
        width, height = image.tag_v2[TiffImagePlugin.IMAGEWIDTH], image.tag_v2[TiffImagePlugin.IMAGELENGTH]
    frames = getattr(image, "n_frames", 1)
    return ImageProperties(width, height, image.mode, _orientation(image, data), frames, _bit_depth(image, data))


def _bit_depth(image: Any, data: bytes) -> int | None:
    """Bits a sample as the file has them, which Pillow may have made 8 of; null where the file does not say."""
    if image.format == "PNG":
        return data[24] if data[12:16] == b"IHDR" else None
    if image.format == "TIFF":
        return max(
            (n for n in image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,)) if isinstance(n, int)), default=None
        )
    if image.format == "PPM" and image.mode != "1":
        arguments = image.tile[0][3]
        return int(arguments[1]).bit_length() if isinstance(arguments, tuple) else 8 * _sample_bytes(arguments)
    if image.format == "JPEG2000":
        stream = _CODESTREAM.search(data)
        return (data[stream.end()] & 0x7F) + 1 if stream is not None and stream.end() < len(data) else None
    if image.format in ("AVIF", "HEIF"):
        pixels = _PIXEL_INFORMATION.search(data, 0, _BOXES)
        return max(pixels[2][: pixels[1][0]]) if pixels is not None else None
    return int(getattr(image, "bits", 1 if image.mode == "1" else 8))


def _frame_problem(image: Any, properties: ImageProperties, limits: ProbeLimits) -> tuple[str, str] | None:
    frames = properties.frames or 1
    if frames > limits.max_frames:
        return "image.too_many_frames", f"{frames} frames; at most {limits.max_frames} (ingest.max_frames)"
    if frames > 1 and image.format != "MPO":
        return "image.multi_frame", f"{frames} frames; an image has one"
    return None


def _decode(image: Any, data: bytes, orientation: int) -> ImageStatistics:
    """Decode the pixels and measure them; of a PNM file with an odd largest value they are only counted.

    Any bytes are pixels there, and Pillow takes half a minute for twelve million of 12 bits.
    """
    codec, _, offset, arguments = image.tile[0] if image.format == "PPM" else ("", None, 0, None)
    if codec not in ("raw", "ppm"):
        image.load()
        return image_statistics(image, orientation)
    width, height = image.size
    bits = 1 if image.mode == "1" else 8 * len(image.getbands()) * _sample_bytes(arguments)
    size = (width * bits + 7) // 8 * height
    if len(data) - offset < size:
        raise OSError(f"holds {len(data) - offset} of {size} bytes of pixels")
    return image_statistics(image, orientation) if codec == "raw" else ImageStatistics()


def _sample_bytes(arguments: Any) -> int:
    """Bytes of a sample, by what Pillow's decoders of PNM are told: a raw mode, or one and the largest value."""
    return 2 if arguments == "I;16B" or (isinstance(arguments, tuple) and arguments[1] > 255) else 1


def _room_problem(image: Any, data: bytes, limits: ProbeLimits) -> tuple[str, str] | None:
    """Whether decoding needs too much memory, of formats whose decoders would then call the file broken."""
    if not limits.decode or image.format not in ("AVIF", "HEIF", "JPEG2000"):
        return None
    pixels: int = image.width * image.height
    size = pixels * {"L": 1, "I;16": 2}.get(image.mode, 4)
    if image.format == "JPEG2000":
        size += 5 * _tile_samples(data)  # four bytes while it is decoded, and one to hand it over
    else:
        size += pixels * (len(image.getbands()) + 1)  # the frame as bytes, and the brightness it is made from
    return ("image.too_large", _too_much_memory(limits)) if size > limits.memory_mb << 20 else None


def _tile_samples(data: bytes) -> int:
    """Samples of a whole tile of a JPEG 2000; 0 when it has no header."""
    stream = _CODESTREAM.search(data)
    if stream is None:
        return 0
    right, bottom, left, top, width, height, _, _ = struct.unpack(">8I", stream[1])
    pixels: int = min(width, max(right - left, 0)) * min(height, max(bottom - top, 0))
    return pixels * int.from_bytes(stream[2], "big")


def _too_much_memory(limits: ProbeLimits) -> str:
    return f"decoding needs more than {limits.memory_mb} MB (ingest.probe_memory_mb)"


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
