"""What ops.runs says of a run follows from what its work reports or raises."""

from __future__ import annotations

import json

import pytest
from tests.spark import helpers

import imagelake
from imagelake.errors import Locked
from imagelake.runs.context import RunReport
from imagelake.runs.open_run import run_verb
from imagelake.tables import ops

DONE = RunReport("pets", "built")
REFUSED = RunReport("pets", "rejected", problem="not a zip", exit_code=3)
SHUT = RunReport("birds", "accepted", problem="the gate is shut", exit_code=4)
BROKEN = RunReport("cats", "failed", problem="held by another", exit_code=5)


@pytest.fixture(scope="module")
def lake(spark, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "lake"
    helpers.context(spark, path)
    return path


@pytest.mark.parametrize(
    ("reports", "status", "problem"),
    [
        ((), "done", None),
        ((DONE,), "done", None),
        ((DONE, REFUSED, SHUT), "rejected", "not a zip"),
        ((REFUSED, BROKEN), "failed", "held by another"),
    ],
)
def test_the_status_of_a_run_is_that_of_its_reports(spark, lake, reports, status, problem):
    done = run_verb(helpers.settings(lake), "build", "pets", lambda _: reports)
    assert done == reports
    run = imagelake.open(str(lake)).runs().as_json()["runs"][0]
    assert (run["status"], run["problem"]) == (status, problem)
    recorded = json.loads(newest(spark, lake)["report"] or "[]")
    assert [report["status"] for report in recorded] == [report.status for report in reports]
    assert not list((lake / "locks").glob("run-*")), "the run's own lease is gone"


@pytest.mark.parametrize(
    ("error", "problem"),
    [(Locked("pets is held"), "pets is held"), (KeyError("split"), "KeyError: 'split'")],
)
def test_a_run_that_raises_has_failed_with_that_problem(lake, error, problem):
    def work(_):
        raise error

    with pytest.raises(type(error)):
        run_verb(helpers.settings(lake), "publish", "pets", work)
    run = imagelake.open(str(lake)).runs().as_json()["runs"][0]
    assert (run["verb"], run["status"], run["problem"]) == ("publish", "failed", problem)


def newest(spark, lake):
    rows = helpers.context(spark, lake).tables.collect(ops.RUNS)
    return max((row for row in rows if row["phase"] == "end"), key=lambda row: row["at"])
