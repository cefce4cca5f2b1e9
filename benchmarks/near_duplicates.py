"""Near-duplicates, how well and how fast: python -m benchmarks near_duplicates --small|--full.

Quality: pictures made from a seed (gradients, shapes, textures, noise), or those of zips in `real/` of --folder, each
changed in known ways, and hard negatives: other shapes on the same background. Of each change and each distance:

    recall      share of changed pictures within that distance of their original
    precision   share of true pairs among all pairs within it of originals, changed pictures and negatives
    (baseline)  recall of a difference hash (8 x 8, horizontal neighbours of a 9 x 8 copy)

Speed: groups of N hashes, a tenth of them near others, in a process of its own: CPU seconds, memory,
and the ratio of seconds to the baseline: all pairs with numpy, on a sample and scaled up by the square. Then of N
hashes that are all alike, as of frames of one camera.
"""

from __future__ import annotations

import io
import random
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from benchmarks.harness.declare import Benchmark, Row
from imagelake.bronze.probe.image_statistics import image_statistics

ROOT = Path(__file__).parents[1]

RUNS = 3
"""Of groups of hashes, which take up to minutes."""

SIZE = (480, 360)
DISTANCES = (2, 4, 6, 8, 10, 12)
DEFAULT = 6
Change = Callable[[Image.Image, random.Random], Image.Image]


def background(rng: random.Random) -> Image.Image:
    """A gradient of colours with a texture and some noise."""
    cells = rng.choice((2, 3, 4, 6))
    colours = Image.frombytes("RGB", (cells, cells), rng.randbytes(cells * cells * 3))
    grain = rng.choice((12, 40, 120))
    texture = Image.frombytes("L", (grain, grain), rng.randbytes(grain * grain)).resize(SIZE, Image.Resampling.BICUBIC)
    return Image.blend(colours.resize(SIZE, Image.Resampling.BICUBIC), texture.convert("RGB"), rng.uniform(0.05, 0.35))


def with_shapes(image: Image.Image, rng: random.Random) -> Image.Image:
    """The background with things on it, slightly out of focus, and sensor noise."""
    picture = image.copy()
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.randint(2, 9)):
        x, y = rng.randrange(SIZE[0]), rng.randrange(SIZE[1])
        w, h = rng.randrange(20, SIZE[0] // 2), rng.randrange(20, SIZE[1] // 2)
        colour = (rng.randrange(256), rng.randrange(256), rng.randrange(256))
        rng.choice((draw.ellipse, draw.rectangle))((x - w // 2, y - h // 2, x + w // 2, y + h // 2), fill=colour)
    picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.5)))
    noise = Image.frombytes("L", (120, 90), rng.randbytes(120 * 90)).resize(SIZE).convert("RGB")
    return Image.blend(picture, noise, 0.04)


def encoded(image: Image.Image, _: random.Random, *, form: str, quality: int = 0) -> Image.Image:
    out = io.BytesIO()
    image.save(out, form, **({"quality": quality} if quality else {}))
    return Image.open(out)


def cropped(image: Image.Image, rng: random.Random, *, share: float) -> Image.Image:
    """Without that share of each side, taken off anywhere."""
    width, height = (round(side * (1 - share)) for side in image.size)
    x, y = rng.randint(0, image.width - width), rng.randint(0, image.height - height)
    return image.crop((x, y, x + width, y + height))


def scaled(image: Image.Image, _: random.Random, *, factor: float) -> Image.Image:
    return image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.BICUBIC)


def brightened(image: Image.Image, _: random.Random, *, factor: float) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(factor)


CHANGES: dict[str, Change] = {
    "PNG": partial(encoded, form="PNG"),
    "WebP, quality 80": partial(encoded, form="WEBP", quality=80),
    **{f"JPEG, quality {q}": partial(encoded, form="JPEG", quality=q) for q in (90, 70, 50, 30)},
    **{f"scaled by {factor:g}": partial(scaled, factor=factor) for factor in (2, 0.5, 0.25)},
    **{f"brightness times {factor:g}": partial(brightened, factor=factor) for factor in (0.5, 0.7, 1.3, 1.6)},
    "grey": lambda image, _: image.convert("L"),
    **{f"cropped by {share:.0%}": partial(cropped, share=share) for share in (0.05, 0.1, 0.2)},
    "mirrored": lambda image, _: ImageOps.mirror(image),
}


def phash(image: Image.Image) -> int:
    text = image_statistics(image, 1).phash
    assert text is not None
    return int(text, 16)


def dhash(image: Image.Image) -> int:
    pixels = np.asarray(image.convert("L").resize((9, 8), Image.Resampling.HAMMING), dtype=int)
    return int("".join("01"[bit] for bit in (pixels[:, 1:] > pixels[:, :-1]).flatten().astype(int)), 2)


def generated(count: int) -> Iterator[tuple[Image.Image, list[Image.Image]]]:
    """Originals, each with two negatives on the same background."""
    for seed in range(count):
        rng = random.Random(seed)
        ground = background(rng)
        original, *others = (with_shapes(ground, rng) for _ in range(3))
        yield original, others


def real(zips: Sequence[Path], count: int) -> Iterator[tuple[Image.Image, list[Image.Image]]]:
    """Pictures of zips in equal steps; each other picture is a negative."""
    for path in zips:
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if n.lower().endswith((".jpg", ".png")) and "__MACOSX" not in n]
            for name in names[:: max(1, len(names) * len(zips) // count)]:
                with archive.open(name) as file:
                    image = Image.open(file).convert("RGB")
                image.thumbnail((640, 640))
                yield image, []


def quality(pictures: Iterator[tuple[Image.Image, list[Image.Image]]]) -> Iterator[Row]:
    """Recall and precision of each change; the ratio is recall at the default distance."""
    originals, negatives = [], []
    changed: dict[str, list[tuple[int, int]]] = {name: [] for name in CHANGES}
    for number, (image, others) in enumerate(pictures):
        originals.append((phash(image), dhash(image)))
        negatives += [(phash(other), dhash(other)) for other in others]
        for name, change in CHANGES.items():
            made = change(image, random.Random(number))
            changed[name].append((phash(made), dhash(made)))
    first, others_ = columns(originals), columns(negatives) if negatives else np.zeros((2, 0), np.uint64)
    for name, pairs in changed.items():
        recall, cells = judged(first, columns(pairs), others_)
        yield Row(f"recall, {name}", recall, "more", headed(cells))
    pairs_apart, cells = false_pairs(first, others_)
    yield Row("share of false pairs within 6 bits", pairs_apart, "less", headed(cells))


def headed(cells: Sequence[str]) -> dict[str, str]:
    """Cells by distance."""
    return {f"{distance} bits": cell for distance, cell in zip(DISTANCES, cells, strict=True)}


def columns(pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    return np.array(pairs, np.uint64).T


def judged(originals: np.ndarray, changed: np.ndarray, negatives: np.ndarray) -> tuple[float, list[str]]:
    """Recall at the default distance; for each distance recall / precision (recall of the baseline)."""
    true = np.bitwise_count(originals ^ changed)
    everything = np.concatenate([originals[0], changed[0], negatives[0]])
    between = pairwise(everything)
    cells = []
    for distance in DISTANCES:
        within = int((true[0] <= distance).sum())
        pairs = int(between[: distance + 1].sum())
        precision = f"{within / pairs:.3f}" if pairs else "-"
        recall, baseline = ((row <= distance).mean() for row in true)
        cells.append(f"{recall:.2f} / {precision} ({baseline:.2f})")
    return float((true[0] <= DEFAULT).mean()), cells


def false_pairs(originals: np.ndarray, negatives: np.ndarray) -> tuple[float, list[str]]:
    """Share of all pairs within the default distance; for each distance their number (that of the baseline)."""
    counts, baseline = (pairwise(hashes) for hashes in np.concatenate([originals, negatives], axis=1))
    cells = [f"{int(counts[: d + 1].sum())} ({int(baseline[: d + 1].sum())})" for d in DISTANCES]
    return float(counts[: DEFAULT + 1].sum() / counts.sum()), cells


def pairwise(hashes: np.ndarray) -> np.ndarray:
    """How many pairs are that many bits apart, by distance: all pairs."""
    counts = np.zeros(65, np.int64)
    for place in range(len(hashes) - 1):
        counts += np.bincount(np.bitwise_count(hashes[place + 1 :] ^ hashes[place]), minlength=65)
    return counts


MEASURED = """
import sys, time
import numpy as np, pyarrow as pa
sys.path.insert(0, sys.argv[1])
from benchmarks.near_duplicates import hash_table
from imagelake.quality.near_duplicates import near_duplicates
table = hash_table(sys.argv[2], int(sys.argv[3]))
def peak():
    return int([line for line in open("/proc/self/status") if line.startswith("VmHWM")][0].split()[1]) / 1024
before, started = peak(), time.process_time()
groups = near_duplicates(table, int(sys.argv[4])).groups
print(time.process_time() - started, peak() - before, len(groups))
"""


def hash_table(kind: str, count: int) -> pa.Table:
    """Hashes of `count` images: `mixed`, of which a tenth is 1 to 6 bits from others, or `alike`, 3 bits from one."""
    rng = np.random.default_rng(count)
    hashes = rng.integers(0, 2**64, count, dtype=np.uint64)
    near = count // 10
    if kind == "mixed":
        hashes[:near] = hashes[near : 2 * near] ^ flips(rng, near, 6)
    else:
        hashes = hashes[0] ^ flips(rng, count, 3)
    names = [f"{number:07d}" for number in range(count)]
    texts = [f"{value:016x}" for value in hashes.tolist()]
    full = {"contrast": pa.array(np.full(count, 0.2)), "entropy": pa.array(np.full(count, 7.0))}
    return pa.table({"image_key": names, "content_hash": names, "phash": texts, **full})


def flips(rng: np.random.Generator, count: int, most: int) -> np.ndarray:
    """`count` masks of one to `most` bits."""
    masks = np.zeros(count, np.uint64)
    bits = rng.integers(1, most + 1, count)
    for number in range(most):
        bit = np.uint64(1) << rng.integers(0, 64, count, dtype=np.uint64)
        masks |= np.where(number < bits, bit, np.uint64(0))
    return masks


def speed(counts: Sequence[int], distances: Sequence[int]) -> Iterator[Row]:
    """Seconds and memory."""
    sample = np.random.default_rng(1).integers(0, 2**64, 20_000, dtype=np.uint64)
    started = time.process_time()
    pairwise(sample)
    square = (time.process_time() - started) / len(sample) ** 2
    for kind in ("mixed", "alike"):
        for count in counts:
            for distance in distances:
                line = [sys.executable, "-c", MEASURED, str(ROOT), kind, str(count), str(distance)]
                outputs = [subprocess.run(line, check=True, capture_output=True, text=True).stdout for _ in range(RUNS)]
                seconds, memory, grouped = np.median([[float(n) for n in out.split()] for out in outputs], axis=0)
                figures = {"CPU s": f"{seconds:.1f}", "MB": f"{memory:.0f}", "images in groups": f"{grouped:,.0f}"}
                name = f"speed, {count:,} hashes, {kind}, {distance} bits"
                yield Row(name, square * count**2 / seconds, "more", figures)


def measure_all(folder: Path, pictures: int, counts: Sequence[int], distances: Sequence[int]) -> Iterator[Row]:
    """Quality on so many originals, then speed."""
    zips = sorted((folder / "real").glob("*.zip"))
    yield from quality(real(zips, pictures) if zips else generated(pictures))
    yield from speed(counts, distances)


BENCHMARK = Benchmark(
    name="near_duplicates",
    measures="Recall within 6 bits (a cell: recall / precision (recall of a difference hash)), and CPU of grouping.",
    baseline="of recall, all changed pictures; of speed (baseline / ours), all pairs with numpy, on a sample.",
    runs=f"Quality is exact; speed is the median of {RUNS}: the largest take minutes.",
    small=partial(measure_all, pictures=60, counts=(50_000,), distances=(6,)),
    full=partial(measure_all, pictures=1000, counts=(100_000, 1_000_000), distances=(4, 6, 8)),
)
