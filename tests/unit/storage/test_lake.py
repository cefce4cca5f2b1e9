from __future__ import annotations

import json
import threading
from datetime import datetime, timezone
from pathlib import Path

import pytest

from imagelake.errors import ConfigError, IntegrityError, LakeFormatError, NotFound
from imagelake.runs.context import system_clock
from imagelake.storage.open_lake import MarkedRoot, create_lake, open_lake


def clock() -> datetime:
    return datetime(2026, 5, 4, 3, 2, 1, tzinfo=timezone.utc)


def test_a_lake_is_created_once_and_opened_ever_after(tmp_path: Path) -> None:
    made = create_lake(str(tmp_path / "lake"), clock)
    assert (made.format, made.created, len(made.lake_id)) == (1, "2026-05-04T03:02:01+00:00", 32)
    assert open_lake(str(tmp_path / "lake")) == made
    assert open_lake(made.storage.root) == made
    assert create_lake(str(tmp_path / "lake"), clock) == made


def test_reading_never_makes_a_lake(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no lake at file:///") as caught:
        open_lake(str(tmp_path / "absent"))
    assert caught.value.exit_code == 6
    assert caught.value.hint
    assert not (tmp_path / "absent").exists()


def test_a_lake_is_only_made_at_an_empty_place(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/thesis.tex").write_text("x")
    with pytest.raises(ConfigError, match=r"not empty and not a lake: it holds sub/thesis\.tex"):
        create_lake(str(tmp_path), clock)
    assert not (tmp_path / "imagelake.json").exists()


def test_uploads_and_settings_may_be_there_before_the_lake(tmp_path: Path) -> None:
    for path in ("landing/pets/a.zip", "datasets/pets.yaml", ".DS_Store", "tables/empty"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        if path != "tables/empty":
            (tmp_path / path).write_bytes(b"")
    assert create_lake(str(tmp_path), clock) == open_lake(str(tmp_path))


def test_a_place_that_is_a_file_is_no_place_for_a_lake(tmp_path: Path) -> None:
    (tmp_path / "lake").write_bytes(b"")
    with pytest.raises(ConfigError, match="a file is in its way"):
        create_lake(str(tmp_path / "lake"), clock)


def test_many_creators_at_once_get_one_lake(tmp_path: Path) -> None:
    barrier, made = threading.Barrier(8), []

    def create() -> None:
        barrier.wait()
        made.append(create_lake(str(tmp_path / "lake"), clock))

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len({lake.lake_id for lake in made}) == 1


def mark(folder: Path, **fields: object) -> MarkedRoot:
    create_lake(str(folder), clock)
    data = json.loads((folder / "imagelake.json").read_text()) | fields
    (folder / "imagelake.json").write_text(json.dumps(data))
    return open_lake(str(folder))


def test_a_newer_format_names_the_version_it_needs(tmp_path: Path) -> None:
    with pytest.raises(LakeFormatError, match="lake format 2 is newer than 1") as caught:
        mark(tmp_path, format=2, needs="3.1.0")
    assert caught.value.exit_code == 2
    assert caught.value.hint == "install imagelake 3.1.0 or newer"
    with pytest.raises(LakeFormatError) as other:
        mark(tmp_path / "b", format=2, needs=None)
    assert other.value.hint == "install an imagelake that reads lake format 2"


def test_further_fields_in_the_mark_are_fine(tmp_path: Path) -> None:
    assert mark(tmp_path, colour="blue").format == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": "x", "lake_id": "1", "created": ""}'])
def test_a_damaged_mark_is_an_integrity_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "imagelake.json").write_text(text)
    with pytest.raises(IntegrityError, match=r"imagelake\.json is damaged"):
        open_lake(str(tmp_path))


@pytest.mark.parametrize("name", ["100%", "set[1]", "a*b"])
def test_no_lake_is_made_where_readers_of_its_tables_could_not_open_them(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="not every reader"):
        create_lake(str(tmp_path / name), system_clock)
