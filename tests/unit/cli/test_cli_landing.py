"""`run --landing`: what is said of each upload, of what was left, and of the night as a whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import REPORT
from imagelake.cli.render.landing_reports import count_outcomes, duration, summary
from imagelake.runs import context
from imagelake.runs.context import RunReport, system_clock
from imagelake.runs.landing_folder import not_taken
from imagelake.storage.local import LocalStorage

REJECTED = RunReport("pets", "rejected", problem="not a zip file", hint="send a zip", exit_code=3)
UNCHANGED = replace(REPORT, status="unchanged", published=False, rejections=0, warnings={})


def landed(report: RunReport, name: str, folder: str = "done") -> RunReport:
    """The report as a night makes it of landing/pets/<name>."""
    root = "file:///data/lake/landing"
    return replace(report, source=f"{root}/pets/{name}", moved_to=f"{root}/.{folder}/pets/1a-{name}", run_id="1a" * 16)


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., Path]:
    """Makes empty files under the landing/ of a lake, and returns the lake's folder."""

    def make(*names: str) -> Path:
        for name in names:
            path = tmp_path / "lake" / "landing" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path / "lake"

    return make


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Sets the clock forward; nobody can set back when a file got where it is."""

    def forward(by: timedelta) -> None:
        monkeypatch.setattr(context, "system_clock", lambda: system_clock() + by)

    return forward


def test_each_upload_is_named_and_the_last_line_sums_up(cli, engine) -> None:
    engine.batch = (
        landed(REPORT, "monday%20morning.zip"),
        landed(REJECTED, "broken.zip", "rejected"),
        landed(UNCHANGED, "again.zip"),
        replace(REPORT, dataset="birds", status="accepted", published=False, rejections=0),
    )
    done = cli("run", "--landing")
    lines = done.out.splitlines()
    assert done.code == 3
    assert lines[0] == "pets/monday morning.zip: published pets@v1  (3.2 s)"
    assert "pets/broken.zip: the upload is rejected; the current version is pets@v1" in lines
    assert "pets/again.zip: nothing changed; the current version is pets@v1  (3.2 s)" in lines
    assert lines[-1] == "4 uploads: 1 published, 1 built, 1 rejected, 1 skipped"
    quiet = cli("run", "--landing", "-q").out.splitlines()
    assert len(quiet) == 5
    assert quiet[-1] == lines[-1]


def test_names_from_a_bucket_are_shown_as_they_are(cli, engine) -> None:
    engine.batch = (replace(REPORT, source="s3://bucket/lake/landing/pets/50%25 \x1b[2J.zip"),)
    assert cli("run", "--landing", "-q").out.splitlines()[0].startswith("pets/50%25 \\x1b[2J.zip: published")


def test_programs_get_where_each_upload_was_and_is(cli, engine) -> None:
    engine.batch = (landed(REPORT, "a.zip"), replace(landed(REJECTED, "b.zip", "rejected"), rule="archive.not_a_zip"))
    document = cli("run", "--landing", "--json").document
    first, second = document["uploads"]
    assert first["source"].endswith("/landing/pets/a.zip")
    assert second["moved_to"].endswith("/landing/.rejected/pets/1a-b.zip")
    assert (second["run_id"], second["rule"], second["seconds"]) == ("1a" * 16, "archive.not_a_zip", 0.0)
    assert document["not_taken"] == []
    assert document["summary"] == {
        "uploads": 2, "published": 1, "built": 0, "not_published": 0, "rejected": 1, "failed": 0, "skipped": 0,
    }  # fmt: skip


def test_nothing_that_waits_is_said_with_its_folder(cli, engine, files) -> None:
    engine.batch = ()
    lake = str(files())
    assert cli("run", "--landing", "--lake", lake).out == "nothing waits under landing/\n"
    assert cli("run", "--landing", "-d", "pets", "--lake", lake).out == "nothing waits under landing/pets/\n"


def test_what_nobody_takes_is_named_with_its_age(cli, engine, files, later) -> None:
    engine.batch = ()
    lake = files(
        "stray.zip", "pets/late.zip", "pets/gone.ready", "pets/loose/a.jpg", "pets/loose/b/c.jpg", "pets/notes.md",
        "pets/whole.json", "pets/whole.ready", "birds/half.zip", ".done/pets/x.zip", ".parts/y", "pets/.DS_Store",
    )  # fmt: skip
    words = ("run", "--landing", "--lake", str(lake))
    young = cli(*words, "--json").document["not_taken"]
    assert [(entry["path"], entry["kind"]) for entry in young] == [
        ("landing/pets/gone.ready", "no_upload"),
        ("landing/stray.zip", "no_dataset"),
    ]
    later(timedelta(hours=3, minutes=5))
    old = cli(*words, "--json").document["not_taken"]
    assert {entry["path"]: entry["kind"] for entry in old} == {
        "landing/birds/half.zip": "no_marker",
        "landing/pets/gone.ready": "no_upload",
        "landing/pets/late.zip": "no_marker",
        "landing/pets/loose/": "no_marker",
        "landing/pets/notes.md": "no_marker",
        "landing/stray.zip": "no_dataset",
    }
    assert all(10_800 < entry["age_seconds"] < 14_400 for entry in old)
    text = cli(*words).out
    assert "landing/pets/late.zip has no marker: write late.ready beside late.zip once it is complete; 3 hours" in text
    assert "write loose.ready beside loose once" in text
    assert "write notes.md.ready beside notes.md once" in text
    of_birds = cli(*words, "-d", "birds", "--json").document["not_taken"]
    assert [entry["path"] for entry in of_birds] == ["landing/birds/half.zip"]


def test_a_copy_with_an_old_time_is_as_young_as_it_is_there(files) -> None:
    lake = files("pets/late.zip")
    os.utime(lake / "landing/pets/late.zip", (0, 0))
    storage = LocalStorage(lake)
    assert not_taken(storage, system_clock() + timedelta(minutes=59)) == []
    (late,) = not_taken(storage, system_clock() + timedelta(minutes=61))
    assert 3_600 < late.age_seconds < 3_720


def test_one_dataset_s_uploads_are_taken_alone(cli, engine, files) -> None:
    lake = str(files("pets/a.zip"))
    assert cli("run", "--landing", "--dataset", "pets", "--lake", lake).code == 0
    assert cli("run", "--landing", "-d", "birds", "--lake", lake).code == 0
    assert engine.asked == [("pets",), ("birds",)]
    assert [(run["dataset"], run["create"]) for run in engine.runs] == [("pets", True), ("birds", False)]


@pytest.mark.parametrize("name", ["Not An Id", "", "..", "a/b"])
def test_a_name_that_is_no_dataset_id_is_refused_before_spark_starts(cli, engine, name) -> None:
    done = cli("run", "--landing", "--dataset", name)
    assert (done.code, engine.runs) == (2, [])
    assert "is not a dataset id" in done.err


@pytest.mark.parametrize(
    ("codes", "code"),
    [((0, 0), 0), ((3, 0), 3), ((3, 4), 4), ((4, 5), 5), ((5, 1), 1), ((2, 0), 2), ((2, 3), 3), ((0, 6), 6), ((), 0)],
)
def test_the_exit_code_of_a_night_is_the_worst_in_the_order_1_5_4_3(cli, engine, codes: Sequence[int], code) -> None:
    statuses = {0: "accepted", 3: "rejected", 4: "accepted"}
    engine.batch = tuple(
        RunReport("pets", statuses.get(c, "failed"), problem="why" if c else None, exit_code=c) for c in codes
    )
    assert cli("run", "--landing").code == code
    assert cli("run", "--landing", "--json").code == code


def test_where_there_is_no_lake_a_night_ends_with_6_and_before_a_newer_one_with_2(cli, tmp_path) -> None:
    lake = tmp_path / "lake"
    done = cli("run", "--landing", "--lake", str(lake))
    assert done.code == 6
    assert "there is no lake" in done.err
    lake.mkdir()
    (lake / "imagelake.json").write_text('{"format": 99, "lake_id": "1", "created": "2030-01-02T03:04:05Z"}')
    assert cli("run", "--landing", "--lake", str(lake)).code == 2


@pytest.mark.parametrize("option", [("--mode", "update"), ("--format", "voc"), ("--note", "n"), ("--again",)])
def test_the_options_of_one_upload_belong_into_its_ready_file(cli, engine, option) -> None:
    done = cli("run", "--landing", *option)
    assert (done.code, engine.runs) == (2, [])
    assert ".ready" in done.err


def test_uploads_that_a_version_of_the_night_has_count_as_published() -> None:
    built = replace(REPORT, published=False)
    held_back = replace(REPORT, dataset="birds", published=False, exit_code=4)
    counts = count_outcomes([built, REPORT, held_back, replace(built, dataset="cats"), REJECTED])
    assert summary(counts) == "5 uploads: 2 published, 1 built, 1 not published, 1 rejected"
    assert summary(count_outcomes([REPORT])) == "1 upload: 1 published"


STATUSES = ("accepted", "built", "unchanged", "superseded", "rejected", "failed")


@given(
    st.lists(
        st.builds(
            RunReport,
            st.sampled_from("ab"),
            st.sampled_from(STATUSES),
            published=st.booleans(),
            exit_code=st.sampled_from([0, 1, 3, 4]),
        )
    )
)
def test_every_upload_is_counted_once(taken: list[RunReport]) -> None:
    assert sum(count_outcomes(taken).values()) == len(taken)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 seconds"), (1, "1 second"), (61, "1 minute"), (3_600, "1 hour"), (172_800, "2 days")],
)
def test_an_age_is_in_its_largest_unit(seconds: int, text: str) -> None:
    assert duration(seconds) == text
