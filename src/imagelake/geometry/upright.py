"""EXIF orientation (EXIF 2.3, tag 0x0112): how raw pixels are turned to be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """The picture as it is shown, from its raw pixels; itself for orientation 1."""
    from PIL import Image  # the command line starts without it

    methods = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    method = methods.get(orientation)
    return image if method is None else image.transpose(method)
