"""The page about imagelake.files: its example runs and does what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from documents import ROOT, blocks

PAGE = ROOT / "docs" / "files.md"


def test_the_example_runs_and_no_row_is_lost(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", blocks(PAGE, "python")[0]], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    sizes, errors, *frames = done.stdout.splitlines()
    assert sizes == str([(tmp_path / "in" / f"{n}.png").stat().st_size for n in range(3)])
    assert "'id': 'd', 'column': 'image', 'uri': 'in/3.png', 'error': 'NotFound'" in errors
    assert [line.split()[1] for line in frames if "file://" in line] == ["a", "b", "c"]
    assert frames[-1].split()[1:] == ["d", "NotFound"]
    assert sorted(p.relative_to(tmp_path).as_posix() for p in (tmp_path / "out").rglob("*") if p.is_file()) == [
        "out/a/small",
        "out/b/small",
        "out/c/small",
    ]


def test_the_options_of_the_page_exist() -> None:
    names: dict[str, object] = {}
    exec(blocks(PAGE, "python")[2], names)
    assert names["options"].s3.attempts == 5
