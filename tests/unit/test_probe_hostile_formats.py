"""Hostile PNM, AVIF and JPEG 2000: each costs its own row, in bounded time and memory."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import pytest
from pictures import Facts, box, codestream, encoded, one, probed, rules

from imagelake.bronze.probe.probe_files import ProbeLimits

GOOD = encoded("JPEG")


def with_sides(data: bytes, box_name: bytes, offset: int, sides: tuple[int, int]) -> bytes:
    """The file with other sides in the box of that name."""
    at = data.index(box_name) + 4 + offset
    return data[:at] + struct.pack(">II", *sides) + data[at + 8 :]


def avif(width: int, height: int) -> bytes:
    return with_sides(encoded("AVIF"), b"ispe", 4, (width, height))


def jp2(width: int, height: int) -> bytes:
    return with_sides(encoded("JPEG2000"), b"ihdr", 0, (height, width))


def test_pixels_that_are_only_declared_cost_nothing(tmp_path: Path) -> None:
    bombs = {
        "a.ppm": b"P6\n50000 50000\n255\n\0",
        "b.pgm": b"P5\n9999999999 9999999999\n65535\n\0",
        "c.pbm": b"P4\n50000 50000\n\0",
        "d.ppm": b"P3\n50000 50000\n255\n1 2 3",
        "e.avif": avif(16384, 16384),
        "f.j2k": codestream(x=50_000, y=50_000),
        "g.j2k": codestream(x=2**32 - 1, y=1),
        "h.jp2": jp2(50_000, 50_000),
        "i.jp2": jp2(2**32 - 1, 2**32 - 1),
    }
    start = time.monotonic()
    facts = probed(tmp_path, {**bombs, "good.jpg": GOOD})
    assert rules(facts) == {**dict.fromkeys(bombs, "image.too_large"), "good.jpg": None}
    assert facts["a.ppm"]["problem"].startswith("2500000000 pixels; at most 178956970")
    assert time.monotonic() - start < 5


def test_a_limit_of_pixels_is_that_of_the_settings(tmp_path: Path) -> None:
    files = {"a.ppm": encoded("PPM"), "b.avif": encoded("AVIF"), "c.jp2": encoded("JPEG2000")}
    assert set(rules(probed(tmp_path, files, ProbeLimits(max_pixels=1199))).values()) == {"image.too_large"}
    assert set(rules(probed(tmp_path, files, ProbeLimits(max_pixels=1200))).values()) == {None}


def test_sizes_below_the_limit_that_the_file_does_not_hold_are_refused(tmp_path: Path) -> None:
    files = {
        "a.ppm": b"P6\n13000 13000\n255\n\0",
        "b.pgm": b"P5\n13000 13000\n4095\n\0",
        "c.pbm": b"P4\n13000 13000\n\0",
        "d.pgm": b"P2\n13000 13000\n255\n1 2 3",
        "e.jp2": jp2(4_000, 4_000),
        "f.jp2": jp2(39, 30),
        "g.jp2": jp2(0, 0),
        "h.j2k": codestream(x=0, y=0),
        "i.j2k": codestream(xo=50),
        "j.avif": avif(0, 0),
        "k.avif": avif(2**31, 2**31),
        "l.avif": avif(30_000, 30_000),
    }
    facts = probed(tmp_path, {**files, "good.jpg": GOOD}, ProbeLimits(seconds=5, memory_mb=512))
    assert rules(facts) == {**dict.fromkeys(files, "image.unreadable"), "good.jpg": None}
    assert facts["a.ppm"]["problem"] == "OSError: holds 1 of 507000000 bytes of pixels"


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("PPM", {}),
        ("PPM", {"mode": "1"}),
        ("PPM", {"mode": "I;16"}),
        ("AVIF", {}),
        ("JPEG2000", {}),
        ("JPEG2000", {"no_jp2": True}),
        ("JPEG2000", {"size": (400, 300), "tile_size": (64, 64)}),
    ],
)
def test_a_truncated_image_is_unreadable_wherever_it_ends(tmp_path: Path, form: str, options: dict[str, int]) -> None:
    whole = encoded(form, **options)
    ends = sorted({32, 100, 120, len(whole) // 2, len(whole) - 20, len(whole) - 2, len(whole) - 1} - {len(whole)})
    name = f"{{}}.{form.lower()}"
    facts = probed(tmp_path, {name.format(end): whole[:end] for end in ends if end < len(whole)})
    assert set(rules(facts).values()) == {"image.unreadable"}


@pytest.mark.parametrize(
    "magic",
    [
        b"\0\0\0\x0cjP  \r\n\x87\n",
        b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 \0\0\0\0jp2 ",
        b"\xff\x4f\xff\x51",
        b"\xff\x4f\xff\x51\0\x29",
        encoded("AVIF")[:32],
        encoded("JPEG2000")[:80],
    ],
)
@pytest.mark.parametrize("rubbish", [b"", b"rubbish" * 50, bytes(500), b"\xff" * 500])
def test_garbage_after_the_first_bytes_is_unreadable(tmp_path: Path, magic: bytes, rubbish: bytes) -> None:
    row = one(tmp_path, "a.bin", magic + rubbish)
    assert row["media_type"].startswith("image/")
    assert row["problem_rule"] == "image.unreadable"
    assert row["content_hash"] is not None


@pytest.mark.parametrize(
    "data",
    [
        b"P5\n4 3\n0\n" + bytes(range(200, 212)),
        b"P5\n4 3\n65536\n" + bytes(range(200, 224)),
        b"P6\n2 2\n9999999999\n" + bytes(range(200, 212)),
        b"P2\n2 2\n0\n0 0 0 0",
        b"P2\n2 2\n255\n0 0 256 0",
        b"P2\n2 2\n255\n0 0 99999999999999999999 0",
        b"P1\n2 2\n0 1 0",
    ],
)
def test_numbers_that_no_pnm_may_hold_are_refused(tmp_path: Path, data: bytes) -> None:
    row = one(tmp_path, "a", data)
    assert row["media_type"].startswith("image/x-portable-")
    assert row["problem_rule"] == "image.unreadable"


@pytest.mark.parametrize("tile", [0, 1, 2, 2**32 - 1])
def test_tiles_of_a_jpeg_2000_that_are_none_or_too_many_cost_nothing(tmp_path: Path, tile: int) -> None:
    start = time.monotonic()
    row = one(tmp_path, "a.j2k", codestream(x=12_000, y=12_000, xt=tile, yt=tile))
    assert row["problem_rule"] in ("image.unreadable", "image.too_large")
    assert time.monotonic() - start < 5


def test_a_jpeg_2000_too_large_for_the_memory_is_no_broken_file(tmp_path: Path) -> None:
    whole, tiled = encoded("JPEG2000", (1500, 1200)), encoded("JPEG2000", (1500, 1200), tile_size=(256, 256))
    facts = probed(tmp_path, {"whole.jp2": whole, "tiled.jp2": tiled}, ProbeLimits(memory_mb=24, seconds=10))
    assert rules(facts) == {"whole.jp2": "image.too_large", "tiled.jp2": None}
    assert facts["whole.jp2"]["problem"] == "decoding needs more than 24 MB (ingest.probe_memory_mb)"
    roomy = one(tmp_path, "whole.jp2", whole, ProbeLimits(memory_mb=40, seconds=10))
    assert roomy["problem_rule"] is None
    assert one(tmp_path, "whole.jp2", whole, ProbeLimits(memory_mb=24, decode=False))["problem_rule"] is None


def test_an_avif_that_unfolds_to_more_than_the_memory_costs_its_image_only(tmp_path: Path) -> None:
    facts = probed(tmp_path, {"a.avif": avif(13_000, 13_000), "good.jpg": GOOD}, ProbeLimits(memory_mb=64, seconds=10))
    assert rules(facts) == {"a.avif": "image.too_large", "good.jpg": None}


def test_a_text_picture_that_never_ends_and_boxes_without_end_are_stopped(tmp_path: Path) -> None:
    data = encoded("JPEG2000")
    files = {
        "a.jp2": data[:32] + box(b"free", b"") * 3_000_000 + data[32:],
        "b.pgm": b"P2\n4000 4000\n255\n" + b"7 " * 16_000_000,
    }
    facts: dict[str, Facts] = probed(tmp_path, {**files, "good.jpg": GOOD}, ProbeLimits(seconds=0.5))
    assert rules(facts) == {**dict.fromkeys(files, "image.probe_timeout"), "good.jpg": None}


def test_an_svg_of_comments_is_told_in_no_time(tmp_path: Path) -> None:
    start = time.monotonic()
    row = one(tmp_path, "a.xml", b"<!---->" * 2000 + b"<annotation/>")
    assert (row["media_type"], row["problem_rule"]) == ("application/xml", None)
    assert time.monotonic() - start < 2
