from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pytest

from imagelake.bronze import facts
from imagelake.bronze.probe_unread import UNSUPPORTED
from imagelake.settings import load
from imagelake.storage.source_open import open_source
from imagelake.tables import bronze

if TYPE_CHECKING:
    from imagelake.context import Context

TYPES = {"string": pa.string(), "bigint": pa.int64(), "int": pa.int32(), "double": pa.float64()}
SCHEMA = pa.schema([(column.name, TYPES[column.type]) for column in bronze.FILES.columns])


@pytest.mark.parametrize(
    ("readable", "reused"),
    [
        ({"image/jpeg"}, {"a.jpg", "b.heic", "c.psd", "d.jpg"}),
        ({"image/jpeg", "image/heic"}, {"a.jpg", "c.psd", "d.jpg"}),
    ],
)
def test_a_picture_is_looked_at_again_once_its_kind_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, readable: set[str], reused: set[str]
) -> None:
    monkeypatch.setattr(facts, "READABLE", frozenset(readable))
    seen = {
        "a.jpg": ("image/jpeg", None),
        "b.heic": ("image/heic", UNSUPPORTED),
        "c.psd": ("image/vnd.adobe.photoshop", UNSUPPORTED),
        "d.jpg": ("image/jpeg", "image.unreadable"),
    }
    for name in seen:
        (tmp_path / name).write_bytes(name.encode())
    source = open_source(str(tmp_path), load().ingest)
    rows: list[dict[str, Any]] = [
        {
            "source": source.member_uri(m),
            "length": m.length,
            "source_mtime_ns": m.mtime_ns,
            "content_hash": m.path,
            "media_type": seen[m.path][0],
            "problem_rule": seen[m.path][1],
        }
        for m in source.members
    ]
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    tables = SimpleNamespace(arrow=lambda spec, dataset, columns, where: table.filter(where).select(columns))
    found = facts.known_files(cast("Context", SimpleNamespace(tables=tables)), "d", source)
    assert set(found["path"].to_pylist()) == reused
