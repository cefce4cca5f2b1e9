"""Pictures of coloured shapes on textured grounds. One number, one picture: the same bytes with the same Pillow."""

from __future__ import annotations

import io
import math
import random
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFilter

WIDTH, HEIGHT = 320, 240
CLASSES = ("circle", "square", "triangle")

_FINE = 3
"""Shapes are drawn this many times larger and scaled down, so that their edges are smooth."""
_GROUNDS = (
    ((236, 229, 214), (190, 178, 152)),
    ((206, 221, 224), (128, 158, 170)),
    ((222, 229, 208), (140, 163, 122)),
    ((231, 216, 224), (168, 134, 153)),
    ((74, 82, 104), (38, 42, 60)),
    ((92, 78, 70), (48, 40, 37)),
)
_PAINTS = (
    (214, 69, 65),
    (38, 132, 203),
    (241, 169, 40),
    (46, 160, 103),
    (131, 84, 178),
    (240, 240, 235),
    (233, 119, 58),
)
_JPEG_QUALITY = 88

Point = tuple[float, float]


@dataclass(frozen=True)
class Shape:
    """A shape: its class, centre and radius in pixels, turn in radians, colour."""

    name: str
    x: float
    y: float
    radius: float
    turn: float
    colour: tuple[int, int, int]

    @property
    def outline(self) -> tuple[Point, ...]:
        """Its corners in pixels; for a circle 48 points of its edge."""
        corners = {"circle": 48, "square": 4, "triangle": 3}[self.name]
        steps = (self.turn + 2 * math.pi * i / corners for i in range(corners))
        return tuple(
            (round(self.x + self.radius * math.cos(a), 2), round(self.y + self.radius * math.sin(a), 2)) for a in steps
        )

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x, y, w, h around it, in pixels."""
        xs, ys = zip(*self.outline, strict=True)
        return (min(xs), min(ys), round(max(xs) - min(xs), 2), round(max(ys) - min(ys), 2))


@dataclass(frozen=True)
class Picture:
    """A picture's number, the shapes on it, and its JPEG bytes."""

    number: int
    shapes: tuple[Shape, ...]
    jpeg: bytes

    @property
    def name(self) -> str:
        """Its file name."""
        return f"{self.number:04d}.jpg"


def draw(number: int) -> Picture:
    """The picture of that number."""
    rng = random.Random(f"imagelake shapes {number}")  # noqa: S311  a picture is no secret
    shapes = _scatter(rng)
    image = _ground(rng)
    for shape in shapes:
        _paint(image, shape)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=_JPEG_QUALITY)
    return Picture(number, shapes, out.getvalue())


def _scatter(rng: random.Random) -> tuple[Shape, ...]:
    """One to five shapes that do not touch."""
    count = rng.randint(1, 5)
    shapes: list[Shape] = []
    for _ in range(60):
        radius = rng.randint(16, 44)
        x, y = rng.randint(radius + 3, WIDTH - radius - 3), rng.randint(radius + 3, HEIGHT - radius - 3)
        if all(math.hypot(x - s.x, y - s.y) > radius + s.radius + 6 for s in shapes):
            shapes.append(Shape(rng.choice(CLASSES), x, y, radius, rng.uniform(0, 2 * math.pi), rng.choice(_PAINTS)))
        if len(shapes) == count:
            break
    return tuple(shapes)


def _ground(rng: random.Random) -> Image.Image:
    """A soft gradient, a pattern, and a grain."""
    light, dark = rng.choice(_GROUNDS)
    slope = Image.linear_gradient("L").rotate(rng.choice((0, 90, 180, 270))).resize((WIDTH, HEIGHT))
    ground = Image.composite(Image.new("RGB", slope.size, light), Image.new("RGB", slope.size, dark), slope)
    pattern = rng.choice((_stripes, _dots, _checks))(rng)
    ground.paste(Image.new("RGB", slope.size, light), mask=pattern.point(lambda v: v // 6))
    grain = Image.frombytes("L", (WIDTH, HEIGHT), rng.randbytes(WIDTH * HEIGHT)).filter(ImageFilter.GaussianBlur(0.8))
    return Image.blend(ground, grain.convert("RGB"), 0.08)


def _stripes(rng: random.Random) -> Image.Image:
    mask, pen = _mask()
    step, lean = rng.randint(14, 30), rng.randint(-80, 80)
    for x in range(-100, WIDTH + 100, step):
        pen.line((x * _FINE, 0, (x + lean) * _FINE, HEIGHT * _FINE), fill=255, width=step * _FINE // 3)
    return _shrunk(mask)


def _dots(rng: random.Random) -> Image.Image:
    mask, pen = _mask()
    step = rng.randint(16, 28)
    size = step * _FINE // 4
    for row, y in enumerate(range(0, HEIGHT + step, step)):
        for x in range((row % 2) * step // 2, WIDTH + step, step):
            pen.ellipse((x * _FINE - size, y * _FINE - size, x * _FINE + size, y * _FINE + size), fill=255)
    return _shrunk(mask)


def _checks(rng: random.Random) -> Image.Image:
    mask, pen = _mask()
    step = rng.randint(18, 36)
    for row, y in enumerate(range(0, HEIGHT, step)):
        for x in range((row % 2) * step, WIDTH, 2 * step):
            pen.rectangle((x * _FINE, y * _FINE, (x + step) * _FINE - 1, (y + step) * _FINE - 1), fill=255)
    return _shrunk(mask)


def _paint(image: Image.Image, shape: Shape) -> None:
    """The shape with a soft shadow and a lighter rim."""
    image.paste((20, 20, 25), mask=_area(shape, 4).filter(ImageFilter.GaussianBlur(4)).point(lambda v: v * 2 // 5))
    rim = tuple(c + (255 - c) // 2 for c in shape.colour)
    image.paste(rim, mask=_area(shape, 0))
    inner = Shape(shape.name, shape.x, shape.y, shape.radius - 3, shape.turn, shape.colour)
    image.paste(shape.colour, mask=_area(inner, 0))


def _area(shape: Shape, shift: int) -> Image.Image:
    mask, pen = _mask()
    pen.polygon([((x + shift) * _FINE, (y + shift) * _FINE) for x, y in shape.outline], fill=255)
    return _shrunk(mask)


def _mask() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    mask = Image.new("L", (WIDTH * _FINE, HEIGHT * _FINE))
    return mask, ImageDraw.Draw(mask)


def _shrunk(mask: Image.Image) -> Image.Image:
    return mask.reduce(_FINE)
