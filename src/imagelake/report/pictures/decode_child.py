"""The process that makes thumbnails: `python -m imagelake.report.pictures.decode_child`, one picture after the other.

A picture is hostile until proven otherwise: decoders run here, with limited memory, and may die without harm. Each
request on stdin is a length and JSON {length, media_type, orientation, side}, then the picture's bytes; each answer on
stdout a length and JSON {length, width, height, problem}, then a JPEG's bytes.
"""

from __future__ import annotations

import io
import json
import struct
import sys
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from imagelake.core import heif
from imagelake.geometry.orientation import Orientation

if TYPE_CHECKING:
    from PIL import Image

LENGTH = struct.Struct("<I")
MEMORY_MB = 1024
"""What decoding may take beyond the process itself, as when an upload is taken in."""

MOST_PIXELS = 178_956_970
_QUALITY = 78
_DEEP = frozenset(("I;16", "I;16L", "I;16B", "I;16N", "I", "F"))
_ALPHA = frozenset(("RGBA", "LA", "PA", "La", "RGBa"))
_PAPER = (255, 255, 255)


def pack(header: dict[str, Any], data: bytes) -> bytes:
    """A message: its header, which names the number of bytes that follow, and those bytes."""
    text = json.dumps(header | {"length": len(data)}).encode("ascii")
    return LENGTH.pack(len(text)) + text + data


def main() -> None:
    """Answer requests until stdin ends."""
    _prepare()
    _limit_memory()
    pipe_in, pipe_out = sys.stdin.buffer, sys.stdout.buffer
    while header := _header(pipe_in):
        data = pipe_in.read(header["length"])
        pipe_out.write(_answer(header, data))
        pipe_out.flush()


def _header(pipe: BinaryIO) -> dict[str, Any]:
    size = pipe.read(LENGTH.size)
    if len(size) < LENGTH.size:
        return {}
    return dict(json.loads(pipe.read(LENGTH.unpack(size)[0])))


def _answer(header: dict[str, Any], data: bytes) -> bytes:
    try:
        jpeg, (width, height) = thumbnail(data, header["orientation"], header["side"])
    except MemoryError:
        return pack({"problem": f"needs more than {MEMORY_MB} MB to decode"}, b"")
    except Exception as error:  # noqa: BLE001  decoders raise anything on hostile bytes, and each is the picture's fault
        return pack({"problem": f"{type(error).__name__}: {str(error)[:200]}"}, b"")
    return pack({"width": width, "height": height}, jpeg)


def thumbnail(data: bytes, orientation: int, side: int) -> tuple[bytes, tuple[int, int]]:
    """A JPEG of at most `side` pixels, upright, and the size of the whole picture as it is shown.

    Orientation 0 takes the one that the file names.
    """
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        exif_orientation = Orientation(orientation or _named_orientation(image), *image.size)
        turned_already = image.format == "TIFF"  # Pillow turns TIFFs by itself while loading
        size = image.size if turned_already else exif_orientation.size
        image.draft("RGB", (side, side))
        small = _plain(image)
        small.thumbnail((side, side))
        upright = small if turned_already else exif_orientation.image(small)
    out = io.BytesIO()
    upright.save(out, "JPEG", quality=_QUALITY, optimize=True)
    return out.getvalue(), size


def _named_orientation(image: Image.Image) -> int:
    value = image.getexif().get(0x0112)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _plain(image: Image.Image) -> Image.Image:
    """The picture as RGB: deep pixels scaled to what is there, transparent ones on white paper."""
    from PIL import Image

    if image.mode in _DEEP:
        deep = image.convert("F")
        low, high = cast("tuple[float, float]", deep.getextrema())
        scale = 255 / (high - low) if high > low else 0.0
        return deep.point(lambda v: v * scale - low * scale).convert("L").convert("RGB")
    if image.mode in _ALPHA or "transparency" in image.info:
        seen = image.convert("RGBA")
        paper = Image.new("RGB", seen.size, _PAPER)
        paper.paste(seen, mask=seen.getchannel("A"))
        return paper
    return image.convert("RGB")


def _prepare() -> None:
    """Load the decoders, and set Pillow's own limits."""
    import warnings

    from PIL import Image, ImageFile

    Image.init()
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    heif.use_one_thread()
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", Image.DecompressionBombWarning)


def _limit_memory() -> None:
    if sys.platform != "linux":
        return
    import mmap
    import resource
    from pathlib import Path

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * mmap.PAGESIZE + (MEMORY_MB << 20)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    main()
