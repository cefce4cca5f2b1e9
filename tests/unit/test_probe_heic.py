"""HEIC with the extra `imagelake[heic]`: read as Pillow opens it, within the prober's limits."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from pictures import encoded, ftyp, one, probed, rules
from PIL import Image

from imagelake.bronze.probe.probe_files import ProbeLimits
from imagelake.core import heif

pytest.importorskip("pillow_heif", reason="needs the extra heic")
heif.register()

ORIENTATION = 0x0112


@pytest.mark.parametrize("value", [1, 3, 6, 8])
def test_a_photograph_of_a_telephone_is_described_as_pillow_opens_it(tmp_path: Path, value: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = value
    data = encoded("HEIF", (64, 48), exif=exif)
    row = one(tmp_path, "IMG_0001.HEIC", data)
    with Image.open(io.BytesIO(data)) as image:
        assert (row["width"], row["height"], row["mode"]) == (*image.size, image.mode)
        assert row["orientation"] == image.getexif().get(ORIENTATION, 1)
    assert (row["media_type"], row["frames"], row["problem_rule"]) == ("image/heic", 1, None)


def test_several_pictures_in_one_file_are_no_image(tmp_path: Path) -> None:
    more = [Image.new("RGB", (64, 48), color) for color in ("red", "green")]
    row = one(tmp_path, "a.heic", encoded("HEIF", (64, 48), save_all=True, append_images=more))
    assert (row["frames"], row["problem_rule"]) == (3, "image.multi_frame")


def test_broken_heic_costs_its_own_row(tmp_path: Path) -> None:
    whole = encoded("HEIF", (64, 48))
    at = whole.index(b"ispe") + 8
    large = whole[:at] + struct.pack(">II", 16_000, 16_000) + whole[at + 8 :]
    broken = {"large.heic": large} | {f"{end}.heic": whole[:end] for end in (32, 100, len(whole) // 2, len(whole) - 10)}
    broken |= {"a.heic": ftyp(b"heic") + b"rubbish" * 100, "b.heic": ftyp(b"heic"), "c.heic": ftyp(b"mif1", b"heic")}
    facts = probed(tmp_path, {**broken, "good.jpg": encoded("JPEG")})
    assert rules(facts) == {**dict.fromkeys(broken, "image.unreadable"), "good.jpg": None}


def test_the_limits_of_pixels_and_memory_hold(tmp_path: Path) -> None:
    data = encoded("HEIF", (3000, 2000), quality=1)
    assert one(tmp_path, "a.heic", data, ProbeLimits(max_pixels=5_999_999))["problem_rule"] == "image.too_large"
    assert one(tmp_path, "a.heic", data, ProbeLimits(max_pixels=6_000_000))["problem_rule"] is None
    tight = one(tmp_path, "a.heic", data, ProbeLimits(memory_mb=24))
    assert (tight["problem_rule"], tight["problem"]) == (
        "image.too_large",
        "decoding needs more than 24 MB (ingest.probe_memory_mb)",
    )
