"""Tables at the widths of terminals: nothing that is a name is broken, and what is left out is named."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from imagelake.cli.render import answers, lifecycle_tables
from imagelake.cli.render.fit import GAP, fit
from imagelake.cli.render.grid import grid, grid_or_records
from imagelake.cli.shell import console

WIDTHS = (80, 100, 160)
HASH = "0123456789abcdef" * 4
VERSION = {
    "version": "street-scenes@v12.3",
    "number": 12,
    "recipe": 3,
    "parent": "street-scenes@v12",
    "state": "published",
    "digest": f"d1:{HASH}",
    "images": 1_234_567,
    "annotations": 12_345_678,
    "created_at": "2030-01-02T03:04:05.678Z",
    "aliases": ["best", "baseline"],
    "note": "a second pass over the cats, by the night shift, after the camera was replaced",
}
DATASET = {
    "dataset": "street-scenes-north",
    "title": "Street scenes of the north",
    "tags": ["street", "night"],
    "version": "street-scenes-north@v12.3",
    "images": 1_234_567,
    "annotations": 12_345_678,
    "draft_images": 1_234_569,
    "draft_annotations": 12_345_680,
    "draft_differs": True,
    "pending_uploads": 3,
    "rejections": 12,
    "problem_uploads": 1,
    "waiting_saves": 2,
}
RUN = {
    "run_id": HASH[:32],
    "verb": "publish",
    "dataset": "street-scenes-north",
    "status": "refused",
    "started_at": "2030-01-02T03:04:05Z",
    "ended_at": None,
    "seconds": 12.5,
    "problem": "the draft has fewer images than the settings of the dataset allow: 12, at least 100",
    "host": "h",
    "pid": 7,
    "program": None,
}
CHANGE = {
    "entity": "annotation",
    "change": "changed",
    "what": ["moved", "relabelled"],
    "image_key": "north/2030-01-02/camera-07/000123.jpg",
    "before": {"kind": "box", "category": "cat", "bbox": [1.0, 2.5, 30.0, 40.0]},
    "after": {"kind": "box", "category": "dog", "bbox": [1.0, 2.5, 30.0, 40.0]},
}


def shown(width: int, show: Callable[[Console], None]) -> list[str]:
    out = io.StringIO()
    show(Console(file=out, width=width, markup=False, emoji=False, highlight=False))
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("view", "whole"),
    [
        (lambda to: answers.dataset(to, {"dataset": "s", "versions": [VERSION]}), ["street-scenes@v12.3", "1,234,567"]),
        (lambda to: answers.datasets(to, {"datasets": [DATASET]}), ["street-scenes-north@v12.3", "1,234,567"]),
        (lambda to: answers.runs(to, {"runs": [RUN]}), ["refused", "2030-01-02 03:04:05"]),
        (lambda to: answers.diff_rows(to, [CHANGE]), [CHANGE["image_key"], "changed"]),
    ],
)
def test_names_and_times_are_whole_and_lines_fit(view, whole, width) -> None:
    lines = shown(width, view)
    assert all(cell_len(line) <= width for line in lines if not line.startswith("left out"))
    assert all(any(text in line for line in lines) for text in whole)


def test_versions_lose_the_least_important_columns_first() -> None:
    headers = {}
    for width in WIDTHS:
        lines = shown(width, lambda to: answers.dataset(to, {"dataset": "s", "versions": [VERSION]}))
        left_out = [line for line in lines if line.startswith("left out")]
        headers[width] = (lines[1].split(), left_out)
    assert headers[160][0][-1] == "digest"
    assert headers[160][1] == []
    assert "digest" not in headers[100][0]
    assert headers[80][0] == ["version", "state", "images", "annotations", "created_at"]
    assert headers[80][1] == ["left out at this width: parent, aliases, note, digest; --json has them"]


def test_a_run_that_failed_says_why_at_every_width() -> None:
    for width in WIDTHS:
        words = " ".join(" ".join(shown(width, lambda to: answers.runs(to, {"runs": [RUN]}))).split())
        assert "problem" in words
        assert "allow:" in words


def test_rules_of_a_bucket_fit() -> None:
    estimate = {
        "complete": True,
        "objects": 1_234_567,
        "bytes": 123_456_789_012,
        "due_objects": 12_345,
        "due_bytes": 1_234_567,
        "small_objects": 3,
        "costs": 12.5,
        "saves": 4.0,
        "saves_due": 1.0,
        "once": 0.5,
        "foreign_table": None,
    }
    rule = {
        "change": "add",
        "name": "imagelake:pets:blobs",
        "prefix": "lake/blobs/",
        "does": "moves to GLACIER_IR after 90 days",
        "now": None,
        "estimate": estimate,
    }
    document = {
        "lake": "s3://b/lake",
        "backend": {"name": "aws", "known_by": "its name"},
        "rules": [rule],
        "foreign": [],
        "left_out": [],
        "notes": [],
        "in_sync": False,
    }
    for width in WIDTHS:
        lines = shown(width, lambda to: lifecycle_tables.plan(to, document))
        row = next(line for line in lines if "imagelake:pets:blobs" in line)
        assert cell_len(row) <= width
        assert "lake/blobs/" in row


TEXTS = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=30)


@given(
    st.dictionaries(TEXTS, st.lists(TEXTS, min_size=2, max_size=2), min_size=1, max_size=6),
    st.integers(10, 160),
    st.integers(0, 6),
)
def test_a_layout_never_exceeds_the_width_and_loses_no_column(
    cells: dict[str, list[str]], width: int, droppable: int
) -> None:
    drop = list(cells)[::-1][:droppable]
    layout = fit(cells, drop, width, prose=frozenset())
    if layout is None:
        rest = [c for c in cells if c not in drop]
        least = sum(max(map(cell_len, (c, *cells[c]))) for c in rest) + GAP * (len(rest) - 1)
        assert least > width
        return
    assert sum(layout.widths.values()) + GAP * (len(layout.widths) - 1) <= width
    assert {*layout.widths, *layout.left_out} == set(cells)
    assert set(layout.left_out) == set(drop[: len(layout.left_out)])


def test_what_may_not_be_left_out_stands_as_records_where_it_does_not_fit() -> None:
    rows = [{"path": "p" * 70, "rule": "r" * 30}, {"path": "q" * 200, "rule": None}]
    assert shown(80, lambda to: grid(to, rows, ["path", "rule"])) == [
        "── row 1",
        "path  " + "p" * 70,
        "rule  " + "r" * 30,
        "── row 2",
        "path  " + "q" * 200,
        "rule",
    ]


WIDE = {"columns": [f"column_{i}" for i in range(9)], "rows": [[f"value {i} of the row" for i in range(9)]]}


@pytest.mark.parametrize(("width", "records"), [(80, True), (100, True), (160, True), (240, False)])
def test_an_answer_stands_as_records_where_a_table_does_not_fit(width: int, records: bool) -> None:
    lines = shown(width, lambda to: answers.sql(to, WIDE))
    assert (lines[0] == "── row 1") is records
    assert len(lines) == (10 if records else 2)
    for i in range(9):
        assert any(f"value {i} of the row" in line for line in lines)


def test_hashes_and_json_are_cut_in_tables_and_whole_in_records() -> None:
    raw = '{"bbox": [1, 2, 3, 4], "segmentation": [' + "1.5, " * 30 + "2]}"
    rows = [{"content_hash": HASH, "digest": f"d1:{HASH}", "raw": raw, "attributes": {"weather": "x" * 80}}]
    columns = list(rows[0])
    (_, line) = shown(200, lambda to: grid_or_records(to, rows, columns))
    assert line.split()[:2] == [HASH[:12], f"d1:{HASH[:12]}"]
    assert line.count("…") == 2
    record = shown(80, lambda to: grid_or_records(to, rows, columns))
    assert any(HASH in text for text in record)
    assert any(raw in text for text in record)


def test_a_document_has_whole_hashes(cli, client) -> None:
    client.answers["sql"] = {"columns": ["h"], "rows": [[HASH]]}
    assert cli("sql", "select 1", "--json").document["rows"] == [[HASH]]
    assert HASH not in cli("sql", "select 1").out


def colours(text: str) -> set[str]:
    """The parameters of every colour sequence in a text."""
    return {code for part in text.split("\x1b[")[1:] for code in part.partition("m")[0].split(";")}


WEAK = {"33", "37", "93", "97"}
"""Yellow and white, plain and bright."""


def test_help_is_legible_on_light_and_dark_backgrounds() -> None:
    environment = {**os.environ, "FORCE_COLOR": "1", "TERM": "xterm"}
    for words in (["--help"], ["get", "--help"], []):
        line = [sys.executable, "-m", "imagelake", *words]
        done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60)
        assert "\x1b[" in done.stdout
        assert not colours(done.stdout) & WEAK


def test_progress_and_tables_have_no_yellow_and_no_white() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    theme: Any = console(Terminal())
    for name in ("progress.elapsed", "progress.remaining", "progress.download", "bar.complete", "progress.spinner"):
        assert theme.get_style(name).color is None
