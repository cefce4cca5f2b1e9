"""`rejections D --warnings`, and the names under the warnings of a run, on a lake with flagged rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from imagelake.cli.flags import Flags
from imagelake.cli.render import reports
from imagelake.cli.shell import Shell
from imagelake.runs.context import Counts, RunReport
from lakes import LakeMaker


@pytest.fixture
def maker(tmp_path: Path) -> LakeMaker:
    """Five images flagged by one upload, two boxes, an image flagged with an info by the next."""
    made = LakeMaker(tmp_path / "lake")
    for number in range(5):
        made.image("pets", f"{number}.png", bytes([number]), flags=["image.duplicate_bytes"], upload_id="aa1")
    made.image("pets", "dark.png", b"dark", flags=["image.dark"], upload_id="bb2")
    made.box("pets", "0.png", "cat", (0, 0, 2, 2), flags=["annotation.box_clipped"], source_id="7", upload_id="aa1")
    made.box("pets", "1.png", "cat", (0, 0, 2, 2), flags=["annotation.box_clipped"], source_id="8", upload_id="aa1")
    made.box("pets", "2.png", "dog", (0, 0, 2, 2), upload_id="aa1")
    made.deliver("pets", upload_id="aa1")
    made.deliver("pets", upload_id="bb2")
    made.reject("pets", "annotation.box_degenerate", path="x.json", locator="9", upload_id="aa1")
    made.flush()
    return made


def test_flagged_rows_are_counted_by_rule_and_named(cli, maker) -> None:
    document = cli("rejections", "pets", "--warnings", "--json", "--lake", str(maker.root)).document
    counts = [(rule["rule"], rule["count"], rule["images"]) for rule in document["rules"]]
    assert document["count"] == 8
    assert set(counts) == {("image.duplicate_bytes", 5, 5), ("annotation.box_clipped", 2, 2), ("image.dark", 1, 1)}
    severities = [rule["severity"] for rule in document["rules"]]
    assert severities == sorted(severities, reverse=True), "warnings come before infos"
    assert all(rule["doc"] for rule in document["rules"])
    boxes = [row for row in document["flagged"] if row["entity"] == "annotation"]
    assert [(row["image_key"], row["category"], row["source_id"]) for row in boxes] == [
        ("0.png", "cat", "7"),
        ("1.png", "cat", "8"),
    ]


def test_flagged_rows_are_chosen_as_rejections_are(cli, maker) -> None:
    def keys(*options: str) -> list[str]:
        done = cli("rejections", "pets", "--warnings", *options, "--json", "--lake", str(maker.root))
        return [row["image_key"] for row in done.document["flagged"]]

    assert keys("--upload", "bb") == ["dark.png"]
    assert keys("--rule", "annotation.*") == ["0.png", "1.png"]
    assert keys("--entity", "image", "--path", "[34]*") == ["3.png", "4.png"]
    assert keys("--limit", "0") == []
    assert len(keys("--limit", "3")) == 3


def test_people_are_told_how_to_see_the_rest(cli, maker) -> None:
    lines = cli("rejections", "pets", "--warnings", "--limit", "2", "--lake", str(maker.root)).out.splitlines()
    assert lines[0] == "8 flags"
    more = f"imagelake rejections pets --warnings --limit 8 --lake {maker.root}"
    assert lines[-1] == f"2 of 8 are shown: {more} shows all"


def test_a_draft_without_flags_says_so(cli, maker) -> None:
    maker.image("cats", "a.png")
    maker.deliver("cats")
    maker.flush()
    assert cli("rejections", "cats", "--warnings", "--lake", str(maker.root)).out == "no row of the draft has a flag\n"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (("dogs", "--warnings"), 6),
        (("pets", "--warnings", "--export", "out"), 2),
        (("pets", "--warnings", "--rule", "image.drak"), 2),
        (("pets", "--warnings", "--limit", "-1"), 2),
    ],
)
def test_what_cannot_be_listed_is_refused(cli, maker, line, code) -> None:
    assert cli("rejections", *line, "--lake", str(maker.root)).code == code


def test_a_run_names_three_rows_of_each_warning_and_its_rejections(maker, capsys) -> None:
    report = RunReport("pets", "built", upload_id="aa1", images=Counts(read=5, accepted=5), rejections=1)
    report = replace(report, warnings={"image.duplicate_bytes": 5, "annotation.box_clipped": 2}, version="pets@v1")
    assert reports.finish(Shell(Flags(lake=str(maker.root))), report) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "    image.duplicate_bytes: 0.png, 1.png, 2.png" in lines
    assert "    annotation.box_clipped: 0.png cat 7, 1.png cat 8" in lines
    assert "    1 annotation.box_degenerate" in lines
    assert "      x.json 9  annotation.box_degenerate broken" in lines
    assert not any("dark.png" in line for line in lines), "that is another upload's"
