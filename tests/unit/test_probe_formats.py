"""PNM, AVIF and JPEG 2000: what the prober says of them is what Pillow opens."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from pictures import box, codestream, encoded, ftyp, one, probed, rules
from PIL import Image

from imagelake.bronze.probe.media_kinds import HEAD, media_type
from imagelake.bronze.probe.probe_files import ProbeLimits

ORIENTATION = 0x0112


def test_every_format_that_pillow_reads_is_described_whatever_its_name(tmp_path: Path) -> None:
    files = {
        "a.avif": encoded("AVIF"),
        "b.jp2": encoded("JPEG2000"),
        "c.j2k": encoded("JPEG2000", no_jp2=True),
        "d.jpx": encoded("JPEG2000").replace(b"ftypjp2 ", b"ftypjpx ", 1),
        "e.jp2": encoded("JPEG2000", (400, 300), tile_size=(64, 64)),
        "f.jp2": encoded("JPEG2000", mode="I;16"),
        "g.ppm": encoded("PPM"),
        "h.pgm": encoded("PPM", mode="L"),
        "i.pgm": encoded("PPM", mode="I;16"),
        "j.pbm": encoded("PPM", (41, 30), mode="1"),
        "k.jpg": encoded("AVIF"),
        "readme": encoded("JPEG2000"),
        "license.txt": encoded("PPM"),
    }
    facts = probed(tmp_path, files)
    assert set(rules(facts).values()) == {None}
    assert {n: (r["media_type"], r["width"], r["height"], r["mode"], r["frames"]) for n, r in facts.items()} == {
        "a.avif": ("image/avif", 40, 30, "RGB", 1),
        "b.jp2": ("image/jp2", 40, 30, "RGB", 1),
        "c.j2k": ("image/j2c", 40, 30, "RGB", 1),
        "d.jpx": ("image/jpx", 40, 30, "RGB", 1),
        "e.jp2": ("image/jp2", 400, 300, "RGB", 1),
        "f.jp2": ("image/jp2", 40, 30, "I;16", 1),
        "g.ppm": ("image/x-portable-pixmap", 40, 30, "RGB", 1),
        "h.pgm": ("image/x-portable-graymap", 40, 30, "L", 1),
        "i.pgm": ("image/x-portable-graymap", 40, 30, "I", 1),
        "j.pbm": ("image/x-portable-bitmap", 41, 30, "1", 1),
        "k.jpg": ("image/avif", 40, 30, "RGB", 1),
        "readme": ("image/jp2", 40, 30, "RGB", 1),
        "license.txt": ("image/x-portable-pixmap", 40, 30, "RGB", 1),
    }
    for name, row in facts.items():
        with Image.open(io.BytesIO(files[name])) as image:
            assert (*image.size, image.mode) == (row["width"], row["height"], row["mode"])


@pytest.mark.parametrize("value", range(1, 9))
def test_an_avif_says_in_its_own_boxes_how_it_is_turned(tmp_path: Path, value: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = value
    data = encoded("AVIF", exif=exif)
    assert (b"irot" in data or b"imir" in data) is (value != 1)
    row = one(tmp_path, "a.avif", data)
    assert (row["orientation"], row["width"], row["height"], row["problem_rule"]) == (value, 40, 30, None)
    assert one(tmp_path, "a.avif", data, ProbeLimits(decode=False))["orientation"] == value


def test_an_avif_of_several_frames_is_no_image(tmp_path: Path) -> None:
    more = [Image.new("RGB", (40, 30), color) for color in ("red", "green")]
    data = encoded("AVIF", save_all=True, append_images=more)
    row = one(tmp_path, "a.avif", data)
    assert (row["media_type"], row["frames"], row["problem_rule"]) == ("image/avif", 3, "image.multi_frame")
    assert one(tmp_path, "a.avif", data, ProbeLimits(max_frames=2))["problem_rule"] == "image.too_many_frames"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (ftyp(b"avif", b"mif1", b"miaf"), "image/avif"),
        (ftyp(b"avis", b"msf1"), "image/avif"),
        (ftyp(b"mif1", b"miaf", b"avif"), "image/avif"),
        (ftyp(b"mif1", b"heic", b"avif"), "image/avif"),
        (ftyp(b"heic", b"mif1", b"heic"), "image/heic"),
        (ftyp(b"heix"), "image/heic"),
        (ftyp(b"hevc", b"msf1"), "image/heic"),
        (ftyp(b"mif1", b"heic"), "image/heic"),
        (ftyp(b"msf1", b"hevc"), "image/heic"),
        (ftyp(b"mif1"), "image/heif"),
        (ftyp(b"mif1", b"heic")[:16], "image/heif"),
        (ftyp(b"isom", b"heic", b"avif"), "application/octet-stream"),
        (ftyp(b"qt  "), "application/octet-stream"),
        (b"\xff\xff\xff\xffftypmif1\0\0\0\0heic", "image/heic"),
        (b"\0\0\0\0ftypheic", "image/heic"),
        (b"\0\0\0\x08ftyp", "application/octet-stream"),
    ],
)
def test_the_brands_of_a_file_tell_its_coding(head: bytes, kind: str) -> None:
    assert media_type(head) == kind


PIXELS = bytes(range(200, 212))


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b"P5\n4 3\n255\n" + PIXELS, (4, 3)),
        (b"P5 4 3 255 " + PIXELS, (4, 3)),
        (b"P5\r\n4\t3\r\n255\n" + PIXELS, (4, 3)),
        (b"P5\n# made by a camera\n# of 1999\n4 # wide\n3 # high\n255\n" + PIXELS, (4, 3)),
        (b"P5\n0004 03\n255\n" + PIXELS, (4, 3)),
        (b"P5\n4 3\n100\n" + PIXELS, (4, 3)),
        (b"P5\n3 2\n4095\n" + PIXELS, (3, 2)),
        (b"P5\n3 2\n65535\n" + PIXELS + b"and what follows is harmless", (3, 2)),
        (b"P6\n2 1\n4095\n" + PIXELS, (2, 1)),
        (b"P6\n2 2\n255\n" + PIXELS, (2, 2)),
        (b"P4\n9 6\n" + PIXELS, (9, 6)),
        (b"P5\n4 3\n255\n" + b"abcdefghijkl", (4, 3)),
        (b"P1\n4 2\n0101\n1010\n", (4, 2)),
        (b"P1 4 2 # bits\n0 1 0 1 # a row\n1 0 1 0", (4, 2)),
        (b"P2\n2 2\n15\n0 5\n10 15", (2, 2)),
        (b"P3\n2 1\n255\n255 0 0  0 255 0\n", (2, 1)),
    ],
)
def test_every_way_to_write_pnm_is_read_as_pillow_reads_it(tmp_path: Path, data: bytes, size: tuple[int, int]) -> None:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert image.size == size
    row = one(tmp_path, "a", data)
    assert ((row["width"], row["height"]), row["problem_rule"], row["problem"]) == (size, None, None)
    assert row["media_type"].startswith("image/x-portable-")


@pytest.mark.parametrize(
    "text",
    [
        b"P5 is what we call this road.",
        b"P5\n",
        b"P6",
        b"P1: a\nP2: b\nP3: c\n",
        b"P1 10 20\nP2 30 40\nP3 50 60\n",
        b"P1 10 20 30 40\n",
        b"P2 12 14 2 and a half\n",
        b"P2 100 200 255\n",
        b"P3 1 2 3\nP4 5 6 7\n",
        b"P4 1 2 the rest of a line",
        b"P5 12 14 2 rooms, 60 square metres\n",
        b"P5\n12 14\n2\nlines of some list\n",
        b"P5 0 0 255\n",
        b"P6 -1 -1 255\n",
        b"P5 640 480 255 " + b"words " * 2000,
        b"P6\n2 2\n255\n" + b"lines\n" * 2000,
        b"P0: 7.2e+02 0.0\nP1: 7.2e+02 0.0\n",
        "P5 für 3 Personen".encode(),
    ],
)
def test_a_text_that_begins_like_pnm_is_a_text(tmp_path: Path, text: bytes) -> None:
    row = one(tmp_path, "README", text)
    assert (row["media_type"], row["width"], row["problem_rule"]) == ("text/plain", None, None)


def test_a_picture_of_one_grey_that_reads_as_text_is_a_picture() -> None:
    assert media_type((b"P5\n640 480\n255\n" + b"d" * 640 * 480)[:HEAD]) == "image/x-portable-graymap"


def test_a_deep_grey_picture_of_a_camera_is_not_decoded_sample_by_sample(tmp_path: Path) -> None:
    data = b"P5\n4000 3000\n4095\n" + bytes(24_000_000)
    row = one(tmp_path, "a.pgm", data, ProbeLimits(seconds=4))
    assert (row["width"], row["height"], row["mode"], row["problem_rule"]) == (4000, 3000, "I", None)


def test_a_jpeg_2000_with_a_border_has_the_size_of_what_is_shown(tmp_path: Path) -> None:
    row = one(tmp_path, "a.j2k", codestream(xo=39, yo=29))
    assert (row["width"], row["height"]) == (1, 1)


def test_boxes_before_the_header_of_a_jpeg_2000_are_skipped(tmp_path: Path) -> None:
    data = encoded("JPEG2000")
    row = one(tmp_path, "a.jp2", data[:32] + box(b"free", bytes(5000)) + data[32:])
    assert (row["media_type"], row["width"], row["problem_rule"]) == ("image/jp2", 40, None)
