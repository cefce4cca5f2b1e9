from __future__ import annotations

import hashlib
import io
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

from imagelake.bronze.probe.probe_files import DESCRIPTORS, PROBE_ROWS, ProbeLimits, describe, probe_members
from imagelake.config.settings import IngestSettings
from imagelake.uploads.open_source import open_source

LIMITS = ProbeLimits(seconds=5)
ORIENTATION = 0x0112
Facts = dict[str, Any]


def encoded(form: str, size: tuple[int, int] = (40, 30), mode: str = "RGB", **options: Any) -> bytes:
    out = io.BytesIO()
    image = Image.linear_gradient("L").resize(size).convert(mode)
    image.save(out, form, **options)
    return out.getvalue()


def oriented(value: Any) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = value
    return exif


def probed(
    folder: Path,
    files: dict[str, bytes],
    limits: ProbeLimits = LIMITS,
    *,
    archive: int | None = None,
) -> dict[str, Facts]:
    """The facts of these files by path, from a folder, or from an archive with that compression."""
    if archive is None:
        for name, data in files.items():
            (folder / "up" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "up" / name).write_bytes(data)
        source = open_source(str(folder / "up"), IngestSettings())
    else:
        with zipfile.ZipFile(folder / "up.zip", "w", archive) as out:
            for name, data in files.items():
                out.writestr(name, data)
        source = open_source(str(folder / "up.zip"), IngestSettings(max_ratio=2000))
    batch = describe(source, source.members)
    assert batch.schema == DESCRIPTORS
    (facts,) = probe_members([batch], limits)
    assert facts.schema == PROBE_ROWS
    return {row["path"]: row for row in facts.to_pylist()}


def one(folder: Path, name: str, data: bytes, limits: ProbeLimits = LIMITS) -> Facts:
    return probed(folder, {name: data, "other.txt": b"keeps the folder two files large"}, limits)[name]


@pytest.mark.parametrize("archive", [None, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_every_file_is_hashed_and_images_are_described(tmp_path: Path, archive: int | None) -> None:
    files = {
        "w/a.jpg": encoded("JPEG"),
        "w/b.png": encoded("PNG", mode="RGBA"),
        "w/c.gif": encoded("GIF", mode="P"),
        "w/d.bmp": encoded("BMP"),
        "w/e.tif": encoded("TIFF", mode="I;16"),
        "w/f.webp": encoded("WEBP"),
        "w/g": encoded("JPEG", (7, 9), "L"),
        "w/h.json": b'\xef\xbb\xbf {"images": []}',
        "w/i.xml": b"<?xml version='1.0'?><annotation/>",
        "w/j.txt": "0 0.5 0.5 1 1\nB\u00e4r\n".encode(),
        "w/k.zip": b"PK\x03\x04" + bytes(40),
        "w/l.bin": bytes(range(256)),
        "w/m.txt": b"",
        "w/n.txt": b"BM is how this text begins",
        "w/o.txt": ("\u00e9" * 5000).encode(),
        "w/p.txt": b"x" + ("\u00e9" * 5000).encode(),
    }
    facts = probed(tmp_path, files, archive=archive)
    assert len(facts) == len(files)
    for name, data in files.items():
        row = facts[name.removeprefix("w/")]
        assert row["content_hash"] == hashlib.sha256(data).hexdigest()
        assert (row["crc32"], row["length"]) == (zlib.crc32(data), len(data))
        assert (row["problem_rule"], row["problem"]) == (None, None)
    assert {n: (r["media_type"], r["width"], r["height"], r["mode"], r["frames"]) for n, r in facts.items()} == {
        "a.jpg": ("image/jpeg", 40, 30, "RGB", 1),
        "b.png": ("image/png", 40, 30, "RGBA", 1),
        "c.gif": ("image/gif", 40, 30, "P", 1),
        "d.bmp": ("image/bmp", 40, 30, "RGB", 1),
        "e.tif": ("image/tiff", 40, 30, "I;16", 1),
        "f.webp": ("image/webp", 40, 30, "RGB", 1),
        "g": ("image/jpeg", 7, 9, "L", 1),
        "h.json": ("application/json", None, None, None, None),
        "i.xml": ("application/xml", None, None, None, None),
        "j.txt": ("text/plain", None, None, None, None),
        "k.zip": ("application/zip", None, None, None, None),
        "l.bin": ("application/octet-stream", None, None, None, None),
        "m.txt": ("text/plain", None, None, None, None),
        "n.txt": ("text/plain", None, None, None, None),
        "o.txt": ("text/plain", None, None, None, None),
        "p.txt": ("text/plain", None, None, None, None),
    }


@pytest.mark.parametrize("archive", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_facts_say_where_a_member_is_in_its_archive(tmp_path: Path, archive: int) -> None:
    files = {f"{i}.jpg": encoded("JPEG", (20 + i, 20)) for i in range(30)}
    raw_deflate = -15
    for name, row in probed(tmp_path, files, archive=archive).items():
        assert row["uri"] == (tmp_path / "up.zip").as_uri()
        data = (tmp_path / "up.zip").read_bytes()[row["offset"] : row["offset"] + row["stored"]]
        assert (data if row["codec"] == "stored" else zlib.decompress(data, raw_deflate)) == files[name]


@pytest.mark.parametrize("value", range(10))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_orientation_is_that_of_the_file_and_the_size_is_raw(tmp_path: Path, form: str, value: int) -> None:
    row = one(tmp_path, "a." + form.lower(), encoded(form, (40, 30), exif=oriented(value)))
    assert row["orientation"] == (value if 1 <= value <= 8 else 1)
    assert (row["width"], row["height"]) == (40, 30)
    assert row["problem_rule"] is None


def test_an_orientation_after_the_pixels_is_found_with_and_without_decoding(tmp_path: Path) -> None:
    whole = encoded("PNG", exif=oriented(6))
    at = whole.index(b"eXIf") - 4
    size = int.from_bytes(whole[at : at + 4], "big") + 12
    chunk, rest = whole[at : at + size], whole[:at] + whole[at + size :]
    late = rest[:-12] + chunk + rest[-12:]
    assert one(tmp_path, "a.png", late)["orientation"] == 6
    assert one(tmp_path, "a.png", late, ProbeLimits(decode=False))["orientation"] == 6


def test_a_damaged_exif_block_is_no_reason_to_refuse_an_image(tmp_path: Path) -> None:
    data = encoded("JPEG", exif=oriented(6))
    row = one(tmp_path, "a.jpg", data.replace(b"II*\0", b"XX*\0").replace(b"MM\0*", b"XX\0*"))
    assert (row["orientation"], row["problem_rule"]) == (1, None)


def test_unusual_modes_are_noted_and_accepted(tmp_path: Path) -> None:
    files = {
        "cmyk.jpg": encoded("JPEG", mode="CMYK"),
        "one.png": encoded("PNG", mode="1"),
        "la.png": encoded("PNG", mode="LA"),
        "f.tif": encoded("TIFF", mode="F"),
    }
    facts = probed(tmp_path, files)
    assert {n: (r["mode"], r["problem_rule"]) for n, r in facts.items()} == {
        "cmyk.jpg": ("CMYK", None),
        "one.png": ("1", None),
        "la.png": ("LA", None),
        "f.tif": ("F", None),
    }


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "TIFF"])
def test_an_animation_is_no_image(tmp_path: Path, form: str) -> None:
    more = [Image.new("RGB", (40, 30), c) for c in ("red", "green")]
    row = one(tmp_path, "a." + form.lower(), encoded(form, save_all=True, append_images=more))
    assert (row["frames"], row["problem_rule"]) == (3, "image.multi_frame")
    assert (row["width"], row["height"]) == (40, 30)
    many = one(
        tmp_path, "a." + form.lower(), encoded(form, save_all=True, append_images=more), ProbeLimits(max_frames=2)
    )
    assert many["problem_rule"] == "image.too_many_frames"


def test_a_multi_picture_jpeg_is_its_first_picture(tmp_path: Path) -> None:
    more = [Image.new("RGB", (40, 30), "red")]
    row = one(tmp_path, "a.jpg", encoded("MPO", save_all=True, append_images=more))
    assert (row["media_type"], row["frames"], row["problem_rule"]) == ("image/jpeg", 2, None)


@pytest.mark.parametrize("archive", [None, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_large_files_are_streamed_with_the_same_result(tmp_path: Path, archive: int | None) -> None:
    image = encoded("BMP", (2500, 2000))
    files = {"big.bmp": image, "doc.json": b"[" + b"1," * (6 << 20) + b"1]", "small.txt": b"1"}
    facts = probed(tmp_path, files, archive=archive)
    for name, data in files.items():
        row = facts[name]
        assert (row["content_hash"], row["crc32"]) == (hashlib.sha256(data).hexdigest(), zlib.crc32(data))
        assert (row["length"], row["problem_rule"]) == (len(data), None)
    assert facts["big.bmp"]["width"] == 2500
    assert facts["doc.json"]["media_type"] == "application/json"


def test_ranges_of_any_object_can_be_probed(tmp_path: Path) -> None:
    image = encoded("JPEG")
    (tmp_path / "pack").write_bytes(b"xyz" + image + b"more")
    row = (
        "a.jpg",
        (tmp_path / "pack").as_uri(),
        len(image),
        "stored",
        None,
        None,
        3,
        3 + len(image),
        len(image),
        zlib.crc32(image),
        False,
        None,
    )
    batch = pa.record_batch([pa.array([v], f.type) for v, f in zip(row, DESCRIPTORS, strict=True)], schema=DESCRIPTORS)
    (facts,) = probe_members([batch], LIMITS)
    assert facts.column("content_hash").to_pylist() == [hashlib.sha256(image).hexdigest()]
    assert facts.column("problem_rule").to_pylist() == [None]


def test_an_empty_batch_gives_an_empty_batch() -> None:
    empty = pa.record_batch([pa.array([], f.type) for f in DESCRIPTORS], schema=DESCRIPTORS)
    (facts,) = probe_members([empty], LIMITS)
    assert (facts.num_rows, facts.schema) == (0, PROBE_ROWS)


def test_probing_needs_neither_spark_nor_the_settings_library() -> None:
    heavy = "('pyspark', 'pydantic', 'yaml')"
    code = f"import sys, imagelake.bronze.probe.probe_files; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_bitmap_header_of_an_old_kind_is_known(tmp_path: Path) -> None:
    core = b"BM" + struct.pack("<IHHI", 38, 0, 0, 26) + struct.pack("<IHHHH", 12, 2, 2, 1, 24) + bytes(16)
    assert one(tmp_path, "a.bmp", core)["media_type"] == "image/bmp"
