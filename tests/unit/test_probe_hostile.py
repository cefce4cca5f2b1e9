from __future__ import annotations

import gc
import hashlib
import io
import os
import resource
import signal
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imagelake.bronze.probe import sandbox, sandbox_child
from imagelake.bronze.probe.probe_file import Inspector, ProbeItem
from imagelake.bronze.probe.probe_files import (
    PROBE_ROWS,
    ImageProperties,
    ProbeLimits,
    describe,
    inspect_image,
    probe_members,
)
from imagelake.bronze.probe.readers import Ranges
from imagelake.config.settings import IngestSettings
from imagelake.errors import ConfigError, ImagelakeError
from imagelake.uploads.open_source import open_source

LIMITS = ProbeLimits(seconds=5)
GOOD = b"\xff\xd8\xff good"
BAD = b"\xff\xd8\xff bad"
Inspect = Callable[[bytes, str, ProbeLimits], ImageProperties]
Facts = dict[str, Any]


def jpeg(size: tuple[int, int] = (64, 48)) -> bytes:
    out = io.BytesIO()
    Image.radial_gradient("L").resize(size).convert("RGB").save(out, "JPEG")
    return out.getvalue()


def probed(
    folder: Path,
    files: dict[str, bytes],
    limits: ProbeLimits = LIMITS,
    inspect: Inspect = inspect_image,
) -> dict[str, Facts]:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return run(str(folder), limits, inspect)


def run(upload: str, limits: ProbeLimits = LIMITS, inspect: Inspect = inspect_image) -> dict[str, Facts]:
    source = open_source(upload, IngestSettings(max_ratio=2000))
    (facts,) = probe_members([describe(source, source.members)], limits, inspect)
    assert facts.schema == PROBE_ROWS
    return {row["path"]: row for row in facts.to_pylist()}


def rules(facts: dict[str, Facts]) -> dict[str, str | None]:
    return {name: row["problem_rule"] for name, row in facts.items()}


def png_bomb(width: int, height: int) -> bytes:
    """A valid PNG of one colour: 50,000 x 50,000 bits are 312 MB of zeros in about 300 KB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    deflate = zlib.compressobj(9)
    rows = bytes((width + 7) // 8 + 1) * 100
    pixels = b"".join(deflate.compress(rows) for _ in range(height // 100)) + deflate.flush()
    header = struct.pack(">2I5B", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def dies(data: bytes, kind: str, limits: ProbeLimits) -> ImageProperties:
    if data == BAD:
        os.kill(os.getpid(), signal.SIGKILL)
    return ImageProperties(width=1)


def hangs(data: bytes, kind: str, limits: ProbeLimits) -> ImageProperties:
    if data == BAD:
        time.sleep(600)
    return ImageProperties(width=1)


def spins(data: bytes, kind: str, limits: ProbeLimits) -> ImageProperties:
    while data == BAD:
        pass
    return ImageProperties(width=1)


def test_broken_images_are_told_apart(tmp_path: Path) -> None:
    whole = jpeg()
    facts = probed(
        tmp_path,
        {
            "good.jpg": whole,
            "trailing.jpg": whole + b"trailing bytes are harmless",
            "cut.jpg": whole[:-150],
            "no-end.jpg": whole[:-2],
            "empty.jpg": b"",
            "text.png": b"not an image at all",
            "head.png": b"\x89PNG\r\n\x1a\n" + b"rubbish" * 10,
            "empty.txt": b"",
        },
    )
    assert rules(facts) == {
        "good.jpg": None,
        "trailing.jpg": None,
        "cut.jpg": "image.unreadable",
        "no-end.jpg": "image.unreadable",
        "empty.jpg": "image.empty",
        "text.png": "image.unreadable",
        "head.png": "image.unreadable",
        "empty.txt": None,
    }
    assert (facts["cut.jpg"]["width"], facts["cut.jpg"]["height"]) == (64, 48)
    assert all(row["content_hash"] is not None for row in facts.values())
    assert "holds text/plain" in facts["text.png"]["problem"]


def test_without_decoding_a_truncated_image_passes_by_its_header(tmp_path: Path) -> None:
    whole = jpeg()
    facts = probed(tmp_path, {"cut.jpg": whole[:-150], "a.txt": b""}, ProbeLimits(decode=False))
    assert facts["cut.jpg"]["problem_rule"] is None


def test_a_picture_of_too_many_pixels_is_not_decoded(tmp_path: Path) -> None:
    bomb = png_bomb(50_000, 50_000)
    assert len(bomb) < 1 << 20
    files = {"bomb.png": bomb, "just-over.png": png_bomb(12_800, 14_000), "good.jpg": jpeg()}
    start = time.monotonic()
    facts = probed(tmp_path, files)
    assert rules(facts) == {"bomb.png": "image.too_large", "just-over.png": "image.too_large", "good.jpg": None}
    assert facts["bomb.png"]["problem"].startswith("2500000000 pixels; at most 178956970")
    assert time.monotonic() - start < 5


def test_a_decoder_that_wants_too_much_memory_costs_its_image_only(tmp_path: Path) -> None:
    limits = ProbeLimits(memory_mb=64, max_pixels=1 << 40, seconds=20)
    facts = probed(tmp_path, {"bomb.png": png_bomb(40_000, 40_000), "good.jpg": jpeg()}, limits)
    assert rules(facts) == {"bomb.png": "image.too_large", "good.jpg": None}
    assert "needs more than 64 MB" in facts["bomb.png"]["problem"]


def test_an_image_file_too_large_to_hold_is_only_hashed(tmp_path: Path) -> None:
    limits = ProbeLimits(memory_mb=32)
    data = jpeg() + bytes(9 << 20)
    row = probed(tmp_path, {"a.jpg": data, "b.txt": b""}, limits)["a.jpg"]
    assert (row["problem_rule"], row["content_hash"]) == ("image.too_large", hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize(("inspect", "rule"), [(dies, "image.probe_crashed"), (hangs, "image.probe_timeout")])
def test_a_file_that_ends_or_stops_its_process_harms_no_other(tmp_path: Path, inspect: Inspect, rule: str) -> None:
    files = {f"{i:03d}.jpg": BAD if i in (0, 7, 299) else GOOD for i in range(300)}
    facts = probed(tmp_path, files, ProbeLimits(seconds=0.5), inspect)
    assert {n for n, r in rules(facts).items() if r is not None} == {"000.jpg", "007.jpg", "299.jpg"}
    for name, row in facts.items():
        assert row["content_hash"] == hashlib.sha256(files[name]).hexdigest()
        assert row["problem_rule"] == (rule if files[name] == BAD else None)
        assert row["width"] == (None if files[name] == BAD else 1)


def test_a_decoder_in_an_endless_loop_is_ended(tmp_path: Path) -> None:
    facts = probed(tmp_path, {"a.jpg": BAD, "b.jpg": GOOD}, ProbeLimits(seconds=0.3), spins)
    assert rules(facts) == {"a.jpg": "image.probe_timeout", "b.jpg": None}
    assert "longer than 0.3 s" in facts["a.jpg"]["problem"]


def test_a_process_that_something_else_ended_costs_no_image(tmp_path: Path) -> None:
    once = tmp_path / "once"

    def unlucky(data: bytes, kind: str, limits: ProbeLimits) -> ImageProperties:
        if not once.exists():
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return ImageProperties(width=1)

    folder = tmp_path / "up"
    folder.mkdir()
    facts = probed(folder, {f"{i}.jpg": GOOD for i in range(5)}, inspect=unlucky)
    assert set(rules(facts).values()) == {None}


def test_a_decoder_that_raises_is_the_fault_of_its_file(tmp_path: Path) -> None:
    def raises(data: bytes, kind: str, limits: ProbeLimits) -> ImageProperties:
        if data == BAD:
            raise RuntimeError("unforeseen")
        return ImageProperties(width=1)

    facts = probed(tmp_path, {"a.jpg": BAD, "b.jpg": GOOD}, inspect=raises)
    assert rules(facts) == {"a.jpg": "image.probe_crashed", "b.jpg": None}
    assert facts["a.jpg"]["problem"] == "RuntimeError: unforeseen"


def test_what_a_decoder_prints_or_inherits_goes_nowhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def prints(data: bytes, kind: str, limits: ProbeLimits) -> ImageProperties:
        os.write(1, b"noise")
        os.write(2, b"noise")
        core, _ = resource.getrlimit(resource.RLIMIT_CORE)
        return ImageProperties(width=core, height=len(list(Path("/proc/self/fd").iterdir())))

    (tmp_path / "up").mkdir()
    with (tmp_path / "socket").open("wb"):
        facts = probed(tmp_path / "up", {"a.jpg": GOOD, "b.txt": b""}, inspect=prints)
    assert capfd.readouterr() == ("", "")
    assert facts["a.jpg"]["width"] == 0
    assert facts["a.jpg"]["height"] <= 6  # three to nowhere, the pipe, the image, the listing


def test_no_process_is_left_behind(tmp_path: Path) -> None:
    before = children()  # other tests of this process may have a Java running
    probed(tmp_path, {"a.jpg": BAD, "b.jpg": GOOD}, ProbeLimits(seconds=0.3), hangs)
    gc.collect()
    assert children() <= before


def children() -> set[int]:
    """The processes started by this one that have not been waited for, the dead among them too."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        if int(after_name[1]) == os.getpid():
            found.add(int(stat.parent.name))
    return found


def test_members_that_are_not_as_declared_are_rows_too(tmp_path: Path) -> None:
    names = ["crc.jpg", "header.jpg", "deflate.txt", "short.txt", "good.jpg"]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            method = zipfile.ZIP_DEFLATED if name.endswith(".txt") else zipfile.ZIP_STORED
            archive.writestr(name, jpeg() if name.endswith(".jpg") else b"text " * 100, method)
        places = {i.filename: i for i in archive.infolist()}
    data = bytearray(out.getvalue())
    data[places["crc.jpg"].header_offset + 30 + 7 + 300] ^= 1
    data[places["header.jpg"].header_offset + 32] ^= 1
    data[places["deflate.txt"].header_offset + 30 + 11] = 0xFF
    directory = data.index(b"PK\x01\x02")
    at = data.index(b"short.txt", directory) - 46
    struct.pack_into("<I", data, at + 24, 499)
    struct.pack_into("<I", data, places["short.txt"].header_offset + 22, 499)
    (tmp_path / "up.zip").write_bytes(bytes(data))
    facts = run(str(tmp_path / "up.zip"))
    assert rules(facts) == {
        "crc.jpg": "file.crc_mismatch",
        "header.jpg": "file.corrupt",
        "deflate.txt": "file.corrupt",
        "short.txt": "file.size_mismatch",
        "good.jpg": None,
    }


def test_files_that_change_or_vanish_after_listing_are_rows_too(tmp_path: Path) -> None:
    upload = tmp_path / "up"
    upload.mkdir()
    for name in ("grown.txt", "cut.txt", "gone.txt", "linked.txt", "same.txt"):
        (upload / name).write_bytes(b"12345")
    source = open_source(str(upload), IngestSettings())
    (upload / "grown.txt").write_bytes(b"123456")
    (upload / "cut.txt").write_bytes(b"1234")
    (upload / "gone.txt").unlink()
    (upload / "linked.txt").unlink()
    (upload / "linked.txt").symlink_to("/etc/hostname")
    (facts,) = probe_members([describe(source, source.members)], LIMITS)
    assert {r["path"]: r["problem_rule"] for r in facts.to_pylist()} == {
        "grown.txt": "file.size_mismatch",
        "cut.txt": "file.size_mismatch",
        "gone.txt": "file.unreadable",
        "linked.txt": "file.unreadable",
        "same.txt": None,
    }


def test_a_disk_that_stands_still_fails_the_task_and_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stuck(Ranges):
        def open(self, uri: str) -> None:
            time.sleep(600)

    monkeypatch.setattr(sandbox, "_STALL_SECONDS", 0.3)
    item = ProbeItem("a.jpg", tmp_path.as_uri(), None, 0, 1, 1, 1, "stored", None, False)
    with pytest.raises(ImagelakeError, match=r"has made no headway for 0\.3 s"):
        sandbox.probe([item], Inspector(ProbeLimits(seconds=0.1), inspect_image, Stuck()))


def test_a_process_that_never_begins_is_reported_and_not_tried_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox_child, "_isolate", lambda _: os._exit(1))
    with pytest.raises(ConfigError, match="ends before it has begun"):
        probed(tmp_path, {"a.txt": b"1"})
