"""What the probe measures of a picture: known pictures have known statistics, odd ones none, and never a problem."""

from __future__ import annotations

import io
import math
import random
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from pictures import LIMITS, encoded, one, probed
from PIL import Image, ImageFilter, ImageOps

from imagelake.bronze.probe.image_statistics import image_statistics, perceptual_hash
from imagelake.bronze.probe.probe_files import ProbeLimits
from imagelake.tables.bronze import STATISTICS

MEASURED = tuple(column.name for column in STATISTICS if column.name != "bit_depth")


def photo(size: tuple[int, int] = (640, 480), seed: int = 1) -> Image.Image:
    """Soft blobs and fine texture, of which no two turns look alike."""
    rng = random.Random(seed)
    blobs = Image.frombytes("RGB", (9, 7), rng.randbytes(9 * 7 * 3)).resize(size, Image.Resampling.BICUBIC)
    grain = Image.frombytes("L", (160, 120), rng.randbytes(160 * 120)).resize(size, Image.Resampling.BICUBIC)
    return Image.blend(blobs, grain.convert("RGB"), 0.3)


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def bits_between(one_hash: str, other: str) -> int:
    return (int(one_hash, 16) ^ int(other, 16)).bit_count()


def dct_hash(pixels: bytes) -> str:
    """The definition, written out."""
    values = [
        sum(
            pixels[32 * y + x] * math.cos(math.pi * v * (2 * y + 1) / 64) * math.cos(math.pi * u * (2 * x + 1) / 64)
            for y in range(32)
            for x in range(32)
        )
        for v in range(8)
        for u in range(8)
    ]
    middle = median(values)
    return f"{sum((value > middle) << (63 - place) for place, value in enumerate(values)):016x}"


@pytest.mark.parametrize("seed", range(5))
def test_the_hash_is_that_of_the_definition(seed: int) -> None:
    pixels = photo(seed=seed).convert("L").resize((32, 32)).tobytes()
    assert perceptual_hash(pixels) == dct_hash(pixels)


def test_known_pictures_have_known_statistics(tmp_path: Path) -> None:
    halves = Image.new("L", (64, 64), 0)
    halves.paste(255, (32, 0, 64, 64))
    facts = probed(
        tmp_path,
        {"flat.png": saved(Image.new("RGB", (900, 700), (51, 51, 51)), "PNG"), "halves.png": saved(halves, "PNG")},
    )
    flat, half = facts["flat.png"], facts["halves.png"]
    assert [flat[name] for name in MEASURED] == ["8000000000000000", 0.2, 0.2, 0.0, 0.0, 0.0]
    assert [half[name] for name in MEASURED[1:5]] == [0.0, 1.0, 0.5, 1.0]
    assert half["sharpness"] > 20


@pytest.mark.parametrize("turn", range(2, 9))
@pytest.mark.parametrize("size", [(640, 480), (641, 479), (1501, 700), (50, 30)])
def test_a_turned_picture_has_the_hash_of_the_upright_one(turn: int, size: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    turned = Image.open(io.BytesIO(saved(photo(size), "PNG", exif=exif)))
    upright = ImageOps.exif_transpose(turned)
    of_turned, of_upright = image_statistics(turned, turn), image_statistics(upright, 1)
    assert bits_between(str(of_turned.phash), str(of_upright.phash)) <= 2
    assert bits_between(str(of_turned.phash), str(image_statistics(turned, 1).phash)) > 15


def test_a_picture_saved_again_keeps_its_hash(tmp_path: Path) -> None:
    image = photo()
    copies = {
        "a.png": saved(image, "PNG"),
        "b.jpg": saved(image, "JPEG", quality=50),
        "c.webp": saved(image, "WEBP", quality=80),
        "d.jpg": saved(image.resize((320, 240)), "JPEG"),
    }
    hashes = [row["phash"] for row in probed(tmp_path, copies).values()]
    assert max(bits_between(first, second) for first in hashes for second in hashes) <= 4
    other = image_statistics(photo(seed=2), 1).phash
    assert bits_between(hashes[0], str(other)) > 15


def test_sharpness_falls_with_blur() -> None:
    blurred = [photo().filter(ImageFilter.GaussianBlur(radius)) for radius in (0, 8, 16, 32)]
    values = [image_statistics(image, 1).sharpness or 0.0 for image in blurred]
    assert values == sorted(values, reverse=True)
    assert values[-1] < values[0] / 3


@pytest.mark.parametrize("side", [1, 2, 3, 5, 319, 321, 1000])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I;16", "I;16B"])
def test_every_mode_with_a_brightness_has_statistics(mode: str, side: int) -> None:
    for size in ((side, 1), (1, side), (side, side)):
        found = image_statistics(Image.new(mode, size), 6)
        assert (found.contrast, found.entropy) == (0.0, 0.0)
    assert (found.sharpness is None) == (side < 3)


@pytest.mark.parametrize("mode", ["I", "F", "LAB"])
def test_modes_without_a_brightness_have_none(mode: str) -> None:
    assert set(image_statistics(Image.new(mode, (40, 30)), 1)) == {None}


def test_16_bits_are_looked_at_by_their_high_byte(tmp_path: Path) -> None:
    grey = photo().convert("L")
    deep = Image.frombytes("I;16", grey.size, bytes(b for level in grey.tobytes() for b in (0, level)))
    row = one(tmp_path, "a.png", saved(deep, "PNG"))
    shallow = image_statistics(grey, 1)
    assert (row["problem_rule"], row["bit_depth"], row["mode"]) == (None, 16, "I;16")
    assert bits_between(row["phash"], str(shallow.phash)) <= 2
    assert row["brightness_p99"] == pytest.approx(shallow.brightness_p99, abs=0.02)


def test_the_bit_depth_is_that_of_the_file(tmp_path: Path) -> None:
    files = {
        "a.png": (encoded("PNG", mode="1"), 1),
        "b.png": (encoded("PNG", mode="P", bits=2), 2),
        "c.png": (encoded("PNG"), 8),
        "d.png": (encoded("PNG", mode="I;16"), 16),
        "e.tif": (encoded("TIFF", mode="1"), 1),
        "f.tif": (encoded("TIFF", mode="RGBA"), 8),
        "g.tif": (encoded("TIFF", mode="F"), 32),
        "h.jpg": (encoded("JPEG"), 8),
        "i.webp": (encoded("WEBP"), 8),
        "j.gif": (encoded("GIF", mode="P"), 8),
        "k.jp2": (encoded("JPEG2000", mode="I;16"), 16),
        "l.jp2": (encoded("JPEG2000"), 8),
        "m.pgm": (b"P5 4 3 4095\n" + bytes(24), 12),
        "n.pgm": (b"P5 4 3 65535\n" + bytes(24), 16),
        "o.ppm": (b"P6 4 3 255\n" + bytes(36), 8),
        "p.pbm": (b"P4 4 3\n" + bytes(3), 1),
        "q.avif": (encoded("AVIF"), 8),
        "r.bmp": (encoded("BMP"), 8),
        "s.jpg": (encoded("MPO", save_all=True, append_images=[Image.new("RGB", (40, 30))]), 8),
    }
    facts = probed(tmp_path, {name: data for name, (data, _) in files.items()})
    assert {name: (row["bit_depth"], row["problem_rule"]) for name, row in facts.items()} == {
        name: (bits, None) for name, (_, bits) in files.items()
    }
    measured = {name for name, row in facts.items() if row["phash"] is not None}
    assert facts.keys() - measured == {"g.tif", "m.pgm", "n.pgm"}, "samples without a white, or slow to decode"


def test_nothing_is_measured_without_decoding(tmp_path: Path) -> None:
    header = ProbeLimits(decode=False, seconds=LIMITS.seconds)
    row = one(tmp_path, "a.jpg", encoded("JPEG"), header)
    assert {row[name] for name in MEASURED} == {None}
    assert row["bit_depth"] == 8


def test_a_picture_with_a_problem_has_no_statistics(tmp_path: Path) -> None:
    data = saved(photo(), "JPEG")
    row = one(tmp_path, "a.jpg", data[: len(data) // 2])
    assert row["problem_rule"] == "image.unreadable"
    assert {row[name] for name in MEASURED} == {None}
