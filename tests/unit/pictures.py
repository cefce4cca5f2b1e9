"""Files of pictures for tests of the sandbox, and what it says of them."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

from PIL import Image

from imagelake.bronze.probe.probe_files import ProbeLimits, describe, probe_members
from imagelake.config.settings import IngestSettings
from imagelake.uploads.open_source import open_source

LIMITS = ProbeLimits(seconds=5)
_SIZ_FIELDS = ("x", "y", "xo", "yo", "xt", "yt", "xto", "yto")

Facts = dict[str, Any]


def encoded(form: str, size: tuple[int, int] = (40, 30), mode: str = "RGB", **options: Any) -> bytes:
    """A gradient in a format of Pillow."""
    out = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert(mode).save(out, form, **options)
    return out.getvalue()


def codestream(**fields: int) -> bytes:
    """A JPEG 2000 codestream of 40 x 30 pixels whose header says something else: x, y, xo, yo, xt, yt, xto, yto."""
    data = encoded("JPEG2000", no_jp2=True)
    at = data.index(b"\xff\x4f\xff\x51") + 8
    values = dict(zip(_SIZ_FIELDS, struct.unpack_from(">8I", data, at), strict=True)) | fields
    return data[:at] + struct.pack(">8I", *values.values()) + data[at + 32 :]


def box(kind: bytes, data: bytes) -> bytes:
    """A box of an ISO media file."""
    return struct.pack(">I", len(data) + 8) + kind + data


def ftyp(main: bytes, *others: bytes) -> bytes:
    """The first box of an ISO media file with these brands."""
    return box(b"ftyp", main + bytes(4) + b"".join(others))


def tiff(tags: dict[int, int], behind: bytes = b"", at: int = 8, order: str = "<") -> bytes:
    """A TIFF file of one directory of long numbers at a place, and what lies behind it."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", at)
    rows = b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    return head.ljust(at, b"\0") + struct.pack(order + "H", len(tags)) + rows + bytes(4) + behind


def probed(folder: Path, files: dict[str, bytes], limits: ProbeLimits = LIMITS) -> dict[str, Facts]:
    """The facts of files of a folder, by path."""
    for name, data in {**files, "other.txt": b"keeps the folder two files large"}.items():
        (folder / "up" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "up" / name).write_bytes(data)
    source = open_source(str(folder / "up"), IngestSettings())
    (facts,) = probe_members([describe(source, source.members)], limits)
    return {row["path"]: row for row in facts.to_pylist() if row["path"] != "other.txt"}


def one(folder: Path, name: str, data: bytes, limits: ProbeLimits = LIMITS) -> Facts:
    """The facts of one file."""
    return probed(folder, {name: data}, limits)[name]


def rules(facts: dict[str, Facts]) -> dict[str, str | None]:
    """The rule that each file breaks."""
    return {name: row["problem_rule"] for name, row in facts.items()}
