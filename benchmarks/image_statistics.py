"""What statistics of pictures cost: python -m benchmarks image_statistics --small|--full."""

from __future__ import annotations

import io
import random
import statistics
import time
import timeit
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from PIL import Image

from benchmarks.harness.declare import Benchmark, Row
from benchmarks.near_duplicates import background, with_shapes
from imagelake.bronze.probe.image_statistics import image_statistics

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
    return statistics.median(timeit.repeat(work, timer=time.process_time, number=number, repeat=ROUNDS)) / number * 1000


def measure_all(_: Path, kinds: tuple[tuple[str, str, tuple[int, int], str], ...]) -> Iterator[Row]:
    """Each kind of picture."""
    for name, form, size, mode in kinds:
        data = encoded(form, size, mode)
        image = decoded(data)
        whole = milliseconds(partial(decoded, data))
        own = milliseconds(partial(image_statistics, image, 1))
        yield Row(name, own / whole, "less", {"decode ms": f"{whole:.2f}", "statistics ms": f"{own:.2f}"})


BENCHMARK = Benchmark(
    name="image_statistics",
    measures="CPU of the statistics of a picture, made from a seed.",
    baseline="the full decode that the probe does anyhow.",
    runs="Medians of five rounds.",
    small=partial(measure_all, kinds=KINDS[:6]),
    full=partial(measure_all, kinds=KINDS),
)
