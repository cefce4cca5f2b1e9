"""The verbs gate and maintain: what they print, and their exit codes."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from imagelake.cli.main import main
from imagelake.config.dataset_settings import GateSettings
from imagelake.errors import NotFound
from imagelake.maintenance.unjudged import Due, LastJudgement
from imagelake.quality.gate import judge
from imagelake.quality.measures import Measures
from imagelake.runs.context import RunReport, system_clock
from imagelake.storage.open_lake import create_lake
from lakes import LakeMaker

PASSED = judge(Measures(images=10, annotated=10), GateSettings())
REFUSED = judge(Measures(images=10, annotated=2), GateSettings(max_unannotated_images_share=0.1))


@pytest.fixture
def gate(engine: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    engine.verdict = PASSED
    engine.stand_in(monkeypatch, "runs.pipeline.gate_draft", "verdict")
    return engine


def test_a_gate_that_passes_names_every_measure(cli, gate) -> None:
    done = cli("gate", "pets", "--json")
    assert (done.code, gate.asked) == (0, [("pets", False)])
    document = done.document
    assert (document["verdict"], document["full"], document["problems"]) == ("passed", False, [])
    assert [row["measure"] for row in document["measures"]] == [t.measure for t in PASSED.thresholds]
    assert document["measures"][0] == {
        "measure": "images", "value": 10.0, "least": 1.0, "most": None, "setting": "gate.min_images", "holds": True,
        "message": None, "rule": None, "severity": "reject",
    }  # fmt: skip
    assert document["docs"].startswith("reports/gx/pets/")
    assert [run["verb"] for run in gate.runs] == ["gate"]


def test_a_gate_that_refuses_says_why_and_ends_with_4(cli, gate) -> None:
    gate.verdict = REFUSED
    done = cli("gate", "pets", "--full")
    assert (done.code, gate.asked) == (4, [("pets", True)])
    assert done.out.startswith("pets: refused, by measures and whole tables\n")
    assert "gate.max_unannotated_images_share" in done.out
    assert "error: 8 of 10 images without annotations (80.0%)" in done.err
    (report,) = gate.reports
    assert (report.status, report.exit_code) == ("refused", 4)


def test_the_next_verb_is_publish_only_where_it_would_make_a_version(cli, gate, tmp_path) -> None:
    maker = LakeMaker(tmp_path / "lake")
    maker.image("pets", "a.png")
    maker.deliver("pets")
    maker.flush()
    lake = str(maker.root)
    assert f"  next: imagelake publish pets --lake {lake}" in cli("gate", "pets", "--lake", lake).out.splitlines()
    maker.publish("pets")
    maker.flush()
    assert "next:" not in cli("gate", "pets", "--lake", lake).out
    gate.verdict = REFUSED
    lines = cli("gate", "pets", "--lake", lake).out.splitlines()
    assert lines[-2:] == [
        f"  next: imagelake {verb} --lake {lake}" for verb in ("rejections pets", "report pets@draft")
    ]


def test_a_dataset_without_a_draft_is_6(cli, gate) -> None:
    gate.error = NotFound("pets has no draft")
    assert cli("gate", "pets").code == 6


@pytest.fixture
def nightly(engine: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Any:
    create_lake(str(tmp_path / "lake"), system_clock)
    engine.work = Due((), {})
    engine.judged = ()
    engine.lake = ("--lake", str(tmp_path / "lake"))
    monkeypatch.setattr("imagelake.maintenance.unjudged.due", lambda _: engine.work)
    engine.stand_in(monkeypatch, "maintenance.suites.judge_datasets", "judged")
    return engine


def test_nothing_that_changed_starts_no_session(cli, nightly) -> None:
    nightly.work = Due((), {"dogs": LastJudgement("s", system_clock(), ("a row is bad",))})
    done = cli("maintain", "--only", "suites", "--json", *nightly.lake)
    (dogs,) = done.document["suites"]
    assert (done.code, nightly.runs) == (4, [])
    assert (dogs["verdict"], dogs["problems"]) == ("refused", ["a row is bad"])
    assert cli("maintain", "--only", "uploads", *nightly.lake).code == 0


def test_what_changed_is_judged_and_the_worst_code_counts(cli, nightly) -> None:
    nightly.work = Due(("cats", "pets"), {})
    locked = RunReport("pets", "failed", problem="held by another", exit_code=5)
    nightly.judged = (RunReport("cats", "refused", problem="a row is bad", exit_code=4), locked)
    done = cli("maintain", "--only", "suites", *nightly.lake)
    assert (done.code, nightly.asked) == (5, [(("cats", "pets"),)])
    assert "tables of cats: refused" in done.out
    assert "error: a row is bad" in done.err


def test_a_machine_without_spark_is_told_what_to_install(nightly, monkeypatch, capsys) -> None:
    nightly.work = Due(("pets",), {})
    monkeypatch.setitem(sys.modules, "imagelake.maintenance.suites", None)
    assert main(["maintain", "--only", "suites", *nightly.lake]) == 2
    assert 'pip install "imagelake[spark]"' in capsys.readouterr().err
