"""Writes docs/shapes.png: pictures of the demo with their labels. After `make demo`: python docs/picture.py"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

import imagelake

HERE = Path(__file__).parent
COLUMNS, ROWS = 4, 2
WIDTH, HEIGHT, GAP = 240, 180, 6
COLOURS = ("#e6194b", "#0057e7", "#008744")


def some(samples: imagelake.Samples) -> list[imagelake.Sample]:
    """As many as the page has cells, from all over the version."""
    cells = COLUMNS * ROWS
    return list(samples.read([len(samples) * cell // cells for cell in range(min(cells, len(samples)))]))


def sheet(samples: Sequence[imagelake.Sample]) -> Image.Image:
    """The samples side by side, each with its boxes, outlines and classes."""
    size = (COLUMNS * (WIDTH + GAP) + GAP, ROWS * (HEIGHT + GAP) + GAP)
    page = Image.new("RGB", size, "white")
    for number, sample in enumerate(samples):
        row, column = divmod(number, COLUMNS)
        page.paste(drawn(sample), (GAP + column * (WIDTH + GAP), GAP + row * (HEIGHT + GAP)))
    return page


def drawn(sample: imagelake.Sample) -> Image.Image:
    """The image at the size of a cell, with its annotations and its key."""
    image = sample.image().convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    across, down = WIDTH / sample.width, HEIGHT / sample.height
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(12)
    for annotation in sample.annotations:
        colour = COLOURS[(annotation.class_index or 0) % len(COLOURS)]
        for polygon in annotation.polygons or ():
            points = [(x * across, y * down) for x, y in zip(polygon[::2], polygon[1::2], strict=True)]
            pen.line([*points, points[0]], fill=colour, width=2)
        if annotation.bbox is not None:
            x, y, w, h = annotation.bbox
            left, top, right, bottom = x * across, y * down, (x + w) * across, (y + h) * down
            if annotation.kind == "box":
                pen.rectangle((left, top, right, bottom), outline=colour, width=2)
            label(pen, (left, max(top - 14, 0)), annotation.category or "", colour, font)
    label(pen, (0, HEIGHT - 14), f"{sample.key}  {sample.split}", "#333333", font)
    return image


def label(
    pen: ImageDraw.ImageDraw, corner: tuple[float, float], text: str, colour: str, font: ImageFont.ImageFont
) -> None:
    """White text on a ground of a colour."""
    left, top, right, bottom = pen.textbbox(corner, text, font=font)
    pen.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill=colour)
    pen.text(corner, text, fill="white", font=font)


def save(page: Image.Image, path: Path) -> None:
    """As a PNG of few colours, which keeps it small."""
    page.quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    lake = imagelake.open(sys.argv[1] if len(sys.argv) > 1 else "lake")
    save(sheet(some(lake.load("shapes@v2"))), HERE / "shapes.png")
