"""The examples of docs/snapshots.md and docs/exports.md run, on a lake with a version pets@v3."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from documents import ROOT, blocks, commands

from imagelake.cli.main import main
from lakes import LakeMaker
from pet_lake import Pets

PAGE = ROOT / "docs" / "snapshots.md"
EXPORTS = ROOT / "docs" / "exports.md"


@pytest.fixture
def pets(tmp_path: Path) -> Pets:
    return Pets(LakeMaker(tmp_path / "lake"))


def example(*names: str) -> str:
    """The block that opens the lake, and those that use these names."""
    first, *rest = blocks(PAGE, "python")
    return "\n".join([first, *(block for block in rest if any(f"import {name}" in block for name in names))])


def run(code: str, folder: Path) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_files_are_where_the_page_says(pets: Pets, tmp_path: Path) -> None:
    (line,) = run(example(), tmp_path)
    folder = tmp_path / "lake" / "snapshots" / "pets" / "v3"
    assert line.split() == [str(folder / f"{t}.parquet") for t in ("images", "annotations", "categories", "splits")]
    (document,) = (json.loads(block) for block in blocks(PAGE, "json") if '"is_new"' in block)
    made = pets.lake.snapshot("pets@v3").as_json()
    assert (set(document), set(document["files"][0])) == (set(made), set(made["files"][0]))


def test_pandas_reads_it(pets: Pets, tmp_path: Path) -> None:
    lines = run(example("pandas"), tmp_path)[1:]
    assert {line.split()[0]: line.split()[1] for line in lines[1:4]} == {"cat": "1", "dog": "1", "bird": "1"}


def test_polars_reads_it(pets: Pets, tmp_path: Path) -> None:
    pytest.importorskip("polars")
    text = " ".join(run(example("polars"), tmp_path)[1:])
    assert all(name in text for name in ("cat", "dog", "bird"))


def test_duckdb_reads_it(pets: Pets, tmp_path: Path) -> None:
    text = [line.split() for line in run(example("duckdb"), tmp_path)[1:]]
    rows = [[word for word in words if word not in "│"] for words in text]
    assert ["bird", "1", "1.0"] in rows
    assert ["dog", "1", "4.0"] in rows


def test_pyarrow_reads_it(pets: Pets, tmp_path: Path) -> None:
    (line,) = run(example("pyarrow.parquet"), tmp_path)[1:]
    assert line.startswith("3 b'pets@v3.1#d1:")


def test_folders_are_read_as_the_page_says(
    pets: Pets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (command,) = commands(EXPORTS)
    assert main(command[1:]) == 0
    (code,) = blocks(EXPORTS, "python")
    lines = run(f"{code}\nprint(training.num_rows)", tmp_path)
    assert lines[-1] == "3"
    assert sum("│ bird" in line for line in lines) == 1
    written = {path.relative_to(tmp_path).as_posix() for path in (tmp_path / "out").rglob("*.parquet")}
    named = {word for line in EXPORTS.read_text().splitlines() if line.startswith("    out/") for word in line.split()}
    assert named <= written
