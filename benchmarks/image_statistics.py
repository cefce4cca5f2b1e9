"""What statistics of pictures cost: python benchmarks/image_statistics.py

For each kind of picture, made from a seed: milliseconds of CPU of `image_statistics`, and their share of the baseline,
the full decode that the probe does anyhow. Best of five rounds of each.
"""

from __future__ import annotations

import io
import random
import sys
import time
import timeit
from collections.abc import Callable
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from benchmarks.near_duplicates import background, with_shapes  # noqa: E402

from imagelake.bronze.image_statistics import image_statistics  # noqa: E402

ROUNDS, SECONDS = 5, 0.3
KINDS = (
    ("JPEG 640 x 480", "JPEG", (640, 480), "RGB"),
    ("JPEG 640 x 480 grey", "JPEG", (640, 480), "L"),
    ("PNG 640 x 480", "PNG", (640, 480), "RGB"),
    ("PNG 640 x 480 palette", "PNG", (640, 480), "P"),
    ("PNG 640 x 480, 16 bits", "PNG", (640, 480), "I;16"),
    ("JPEG 160 x 120", "JPEG", (160, 120), "RGB"),
    ("JPEG 1920 x 1080", "JPEG", (1920, 1080), "RGB"),
    ("JPEG 4000 x 3000", "JPEG", (4000, 3000), "RGB"),
)


def encoded(form: str, size: tuple[int, int], mode: str) -> bytes:
    """A picture with fine noise, as a file."""
    rng = random.Random(1)
    picture = with_shapes(background(rng), rng).resize(size)
    noise = Image.frombytes("L", (400, 300), rng.randbytes(400 * 300)).resize(size).convert("RGB")
    picture = Image.blend(picture, noise, 0.1)
    if mode == "I;16":
        grey = picture.convert("L").tobytes()
        picture = Image.frombytes("I;16", size, bytes(byte for level in grey for byte in (level, level)))
    out = io.BytesIO()
    (picture if picture.mode == mode else picture.convert(mode)).save(out, form, quality=90)
    return out.getvalue()


def decoded(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def milliseconds(work: Callable[[], object]) -> float:
    once = timeit.timeit(work, timer=time.process_time, number=3) / 3
    number = max(1, round(SECONDS / ROUNDS / once))
    return min(timeit.repeat(work, timer=time.process_time, number=number, repeat=ROUNDS)) / number * 1000


def main() -> None:
    print("| picture | decode ms | statistics ms | statistics / decode |\n|---|---|---|---|")
    for name, form, size, mode in KINDS:
        data = encoded(form, size, mode)
        image = decoded(data)
        whole = milliseconds(lambda data=data: decoded(data))
        own = milliseconds(lambda image=image: image_statistics(image, 1))
        print(f"| {name} | {whole:.2f} | {own:.2f} | {own / whole:.2f} |", flush=True)


if __name__ == "__main__":
    main()
