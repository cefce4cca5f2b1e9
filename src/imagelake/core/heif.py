"""HEIC and HEIF, which Pillow reads with the extra `imagelake[heic]` only; and what kind of HEIF file bytes are."""

from __future__ import annotations

from functools import cache

INSTALL = "pip install 'imagelake[heic]'"

_HEIC_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"))
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_HEIF_BRANDS = frozenset((b"mif1", b"mif2", b"mif3", b"msf1", b"miaf"))
_MOST_BRANDS = 64


@cache
def register() -> bool:
    """Teach Pillow to open HEIF files; False without the extra."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener(thumbnails=False)
    return True


def use_one_thread() -> None:
    """Decode HEIF with one thread in this process: a task has one core, and stacks count as memory."""
    if register():
        import pillow_heif

        pillow_heif.options.DECODE_THREADS = 1


def heif_type(head: bytes) -> str | None:
    """image/heic, image/avif or image/heif by the brands of an ISO media file; None when it is no image of them.

    The main brand decides; `mif1` and its like only say that the coding is named among the compatible ones.
    """
    if head[4:8] != b"ftyp":
        return None
    size = min(int.from_bytes(head[:4], "big"), 16 + 4 * _MOST_BRANDS, len(head))
    main = head[8:12]
    brands = {head[at : at + 4] for at in range(16, size - 3, 4)}
    for named in ({main}, brands if main in _HEIF_BRANDS else set()):
        if named & _AVIF_BRANDS:
            return "image/avif"
        if named & _HEIC_BRANDS:
            return "image/heic"
    return "image/heif" if main in _HEIF_BRANDS else None
