from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from imagelake.bronze.probe import probe_results
from imagelake.bronze.probe.probe_unread import UNSUPPORTED
from imagelake.config.settings import load
from imagelake.runs.context import system_clock
from imagelake.storage.open_lake import create_lake
from imagelake.tables import bronze
from imagelake.uploads.open_source import open_source
from lake_tables import create_table, write_rows

if TYPE_CHECKING:
    from imagelake.runs.context import Context


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
    monkeypatch.setattr(probe_results, "READABLE", frozenset(readable))
    seen = {
        "a.jpg": ("image/jpeg", None),
        "b.heic": ("image/heic", UNSUPPORTED),
        "c.psd": ("image/vnd.adobe.photoshop", UNSUPPORTED),
        "d.jpg": ("image/jpeg", "image.unreadable"),
    }
    (tmp_path / "up").mkdir()
    for name in seen:
        (tmp_path / "up" / name).write_bytes(name.encode())
    source = open_source(str(tmp_path / "up"), load().ingest)
    uris = source.uris(source.members).to_pylist()
    rows: list[dict[str, Any]] = [
        {
            "source": uris[number],
            "length": m.length,
            "source_mtime_ns": m.mtime_ns,
            "content_hash": m.path,
            "media_type": seen[m.path][0],
            "problem_rule": seen[m.path][1],
        }
        for number, m in enumerate(source.members)
    ]
    found = probe_results.unchanged_files(context(tmp_path / "lake", rows), "d", source)
    assert set(found["path"].to_pylist()) == reused


def context(lake: Path, *nights: list[dict[str, Any]]) -> Context:
    """A context on a lake in whose bronze.files are these rows, of each night in a file of its own."""
    storage = create_lake(str(lake), system_clock).storage
    create_table(lake, bronze.FILES)
    for rows in nights:
        write_rows(lake, bronze.FILES, [{"dataset": "d", **row} for row in rows])
    return cast("Context", SimpleNamespace(storage=storage))


def test_of_many_nights_each_file_is_found_once_as_it_is_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_results, "BATCH", 2)
    for number in range(9):
        folder = tmp_path / "up" / str(number % 3)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.jpg").write_bytes(bytes(number))
    source = open_source(str(tmp_path / "up"), load().ingest)
    uris = source.uris(source.members).to_pylist()

    def night(changed: int, dataset: str = "d") -> list[dict[str, Any]]:
        return [
            {
                "dataset": dataset,
                "source": uris[number],
                "length": m.length,
                "source_mtime_ns": (m.mtime_ns or 0) - (number == changed),
                "content_hash": f"hash of {m.path}",
                "media_type": "image/jpeg",
            }
            for number, m in enumerate(source.members)
        ]

    found = probe_results.unchanged_files(context(tmp_path / "lake", night(1), night(1), night(4)[:3]), "d", source)
    assert sorted(found["path"].to_pylist()) == sorted(m.path for m in source.members)
    assert found["content_hash"].to_pylist() == [f"hash of {path}" for path in found["path"].to_pylist()]
    changed = probe_results.unchanged_files(context(tmp_path / "other", night(1), night(1), night(4, "e")), "d", source)
    assert sorted(changed["path"].to_pylist()) == sorted(m.path for n, m in enumerate(source.members) if n != 1)
    assert len(probe_results.unchanged_files(context(tmp_path / "empty"), "d", source)) == 0
