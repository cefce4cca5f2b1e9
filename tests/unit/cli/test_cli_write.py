from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import REPORT
from imagelake.bronze.request import IngestRequest
from imagelake.cli.render.reports import worst
from imagelake.cli.verbs.write import parse_shares, parse_target
from imagelake.errors import UsageError
from imagelake.gold.plan import PublishRequest
from imagelake.runs.context import Before, Counts, RunReport

KEYS = {
    "dataset",
    "upload_id",
    "status",
    "format",
    "mode",
    "files",
    "images",
    "annotations",
    "rejections",
    "version",
    "published",
    "problem",
    "seconds",
}
COUNTS = {"read", "accepted", "unchanged", "rejected", "ignored", "removed"}


@pytest.fixture
def upload(tmp_path) -> str:
    path = tmp_path / "up.zip"
    path.write_bytes(b"PK")
    return str(path)


@pytest.mark.parametrize("verb", ["run", "ingest"])
def test_an_upload_verb_passes_its_options_on(cli, engine, upload, verb) -> None:
    options = ("--format", "voc", "--mode", "update", "--note", "n", "--again", "--rehash")
    done = cli("--json", verb, upload, "--dataset", "pets", *options)
    assert done.code == 0
    assert engine.asked == [(IngestRequest("pets", upload, "voc", "update", "n", True, True),)]
    assert engine.runs == [{"lake": "./lake", "verb": verb, "dataset": "pets", "create": True}]
    assert set(done.document) >= KEYS
    assert all(set(done.document[name]) == COUNTS for name in ("files", "images", "annotations"))


def test_only_verbs_that_bring_something_make_a_lake(cli, engine, client) -> None:
    client.answers["sql"] = {"columns": ["image_key"], "rows": [["a.jpg"]]}
    cli("build", "pets")
    cli("publish", "pets")
    cli("remove", "pets", "--where", "true")
    cli("run", "--landing")
    assert [run["create"] for run in engine.runs] == [False] * 4


def test_publish_passes_its_options_on(cli, engine) -> None:
    options = ("--split", "a=0.5,b=0.5", "--group-by", "patient", "--stratify", "--note", "n", "--alias", "best")
    assert cli("publish", "pets@v3", *options, "--author", "me").code == 0
    wanted = PublishRequest("pets", 3, {"a": 0.5, "b": 0.5}, "patient", True, "n", "best", "me")
    assert engine.asked == [(wanted,)]


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ((), ("pets", None, False)),
        (("--upload", "abc"), ("pets", "abc", False)),
        (("--upload", "abc", "--again"), ("pets", "abc", True)),
    ],
)
def test_build_passes_the_upload_and_again_on(cli, engine, options, asked) -> None:
    assert cli("build", "pets", *options).code == 0
    assert engine.asked == [asked]


def test_an_upload_built_again_is_compared_with_how_it_was(cli, engine) -> None:
    before = Before("built", 3, Counts(read=10, accepted=9), Counts(read=31, accepted=2, unchanged=28), 4)
    engine.batch = (replace(engine.report, before=before),)
    done = cli("build", "pets", "--upload", "abc").out
    now = "9 images and 30 annotations taken, 2 rejections"
    assert f"before: 9 images and 30 annotations taken, 4 rejections; now: {now}" in done
    document = cli("build", "pets", "--upload", "abc", "--json").document
    assert (document["before"]["sequence"], document["before"]["annotations"]["unchanged"]) == (3, 28)
    engine.batch = (replace(engine.report, before=replace(before, state="failed")),)
    assert f"before: failed; now: {now}" in cli("build", "pets", "--upload", "abc").out
    assert "before:" not in cli("build", "pets", "--upload", "abc", "-q").out


def test_one_build_is_flat_and_several_are_a_list(cli, engine) -> None:
    assert cli("build", "pets", "--json").document["dataset"] == "pets"
    engine.batch = (engine.report, engine.report)
    assert len(cli("build", "pets", "--json").document["uploads"]) == 2
    engine.batch = ()
    assert cli("build", "pets", "--json").document == {"uploads": []}


def test_landing_is_always_a_list_with_the_worst_exit_code(cli, engine) -> None:
    rejected = RunReport("cats", "rejected", problem="not a zip", exit_code=3)
    locked = RunReport("dogs", "failed", problem="held", exit_code=5)
    engine.batch = (engine.report, rejected, locked)
    done = cli("run", "--landing", "--json")
    assert done.code == 5
    assert [u["status"] for u in done.document["uploads"]] == ["accepted", "rejected", "failed"]


@given(st.lists(st.sampled_from([0, 1, 2, 3, 4, 5, 6])))
def test_the_worst_code_is_0_only_when_all_are(codes) -> None:
    assert (worst(codes) == 0) == (set(codes) <= {0})


def test_the_worst_code_follows_1_5_4_3() -> None:
    assert [worst(c) for c in ([3, 4], [4, 5, 3], [5, 1], [0, 3], [6, 3], [0, 6], [])] == [4, 5, 1, 3, 3, 6, 0]


def test_a_new_lake_is_said_beside_the_result(cli, engine, upload, tmp_path) -> None:
    lake = tmp_path / "lake"
    assert cli("run", upload, "-d", "pets", "--lake", str(lake), "--json").err == f"a new lake: {lake}\n"
    lake.mkdir()
    (lake / "imagelake.json").write_text("{}")
    assert cli("run", upload, "-d", "pets", "--lake", str(lake)).err == ""


def test_what_a_verb_did_is_recorded_with_its_run(cli, engine, client, upload) -> None:
    client.answers["sql"] = {"columns": ["image_key"], "rows": [["a.jpg"]]}
    lines = (("run", upload, "-d", "pets"), ("ingest", upload, "-d", "pets"), ("build", "pets"), ("publish", "pets"))
    for line in (*lines, ("remove", "pets", "--where", "true"), ("run", "--landing")):
        engine.reports.clear()
        cli(*line)
        assert engine.reports == [engine.report], line


def test_a_rejected_upload_is_a_report_and_3(cli, engine, upload) -> None:
    engine.report = RunReport("pets", "rejected", problem="not a zip", hint="send a zip", exit_code=3)
    done = cli("run", upload, "-d", "pets", "--json")
    assert (done.code, done.document["problem"], done.document["published"]) == (3, "not a zip", False)
    done = cli("run", upload, "-d", "pets")
    assert done.code == 3
    assert done.err.splitlines()[-2:] == ["error: not a zip", "hint: send a zip"]


def test_an_upload_that_is_not_there_is_said_before_spark_starts(cli, engine) -> None:
    done = cli("run", "/no/such.zip", "-d", "pets")
    assert (done.code, engine.runs) == (6, [])


@pytest.mark.parametrize("line", [("run",), ("run", "x.zip", "--landing"), ("run", "x.zip")])
def test_run_wants_an_upload_and_a_dataset_or_landing(cli, engine, line) -> None:
    assert cli(*line).code == 2
    assert engine.runs == []


def test_people_read_what_was_taken_and_what_was_refused(cli, engine, client, upload) -> None:
    out = cli("run", upload, "-d", "pets").out
    assert out.startswith("pets: published pets@v1  (3.2 s)")
    assert "1 image.truncated" in out
    assert "train.json annotations[7]  h = 0.0, must be above 0" in out
    assert "2 image.duplicate_bytes" in out
    assert "imagelake rejections pets" in out
    assert "next: imagelake show pets@v1" in out
    (query,) = [a[1] for a in client.asked if a[0] == "sql"]
    assert f"dataset = 'pets' and upload_id = '{'ab' * 32}'" in query


def test_only_the_first_three_rejections_of_a_rule_are_named(cli, engine, client, upload) -> None:
    rule = "annotation.box_degenerate"
    rows = [[rule, "train.json", f"annotations[{i}]", "h = 0", 1234, i] for i in (1, 2, 3)]
    client.answers["first"] = {**client.answers["first"], "rows": rows}
    out = cli("run", upload, "-d", "pets").out
    assert f"1,234 {rule}" in out
    assert out.count("annotations[") == 3
    assert out.count(rule) == 1
    assert "and 1,231 more" in out


def test_rows_an_earlier_upload_was_refused_for_are_counted_too(cli, engine, client, upload) -> None:
    client.answers["first"] = {**client.answers["first"], "rows": []}
    out = cli("run", upload, "-d", "pets").out
    assert "2 refused as in an earlier upload" in out


def test_quiet_is_one_line(cli, engine, upload) -> None:
    assert cli("run", upload, "-d", "pets", "-q").out.splitlines() == ["pets: published pets@v1  (3.2 s)"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"status": "unchanged", "published": False}, "nothing changed; the current version is pets@v1"),
        ({"status": "landed", "published": False, "version": None}, "landed in bronze"),
        ({"status": "superseded", "published": False}, "newer uploads"),
        ({"published": False, "exit_code": 4}, "not published"),
        ({"status": "failed", "published": False, "exit_code": 1}, "the upload failed and is set aside; the current"),
        ({"status": "failed", "published": False, "upload_id": None, "exit_code": 5}, "pets: failed; the current"),
        ({"status": "built", "published": False, "version": None}, "the current version is pets@v1"),
    ],
)
def test_every_outcome_has_a_sentence(cli, engine, upload, change, says) -> None:
    engine.report = replace(engine.report, **change)
    assert says in cli("run", upload, "-d", "pets").out


def test_a_failed_upload_prints_its_problem_and_ends_with_1(cli, engine, upload) -> None:
    failed = {"status": "failed", "published": False, "problem": "TypeError: no\x1b[2J", "sequence": 7}
    engine.report = replace(engine.report, **failed)
    done = cli("run", upload, "-d", "pets")
    assert done.code == 1
    assert done.err.splitlines()[-1] == "error: TypeError: no\\x1b[2J"
    assert f"next: imagelake build pets --upload {'ab' * 32}" in done.out
    engine.batch = (REPORT, engine.report, RunReport("cats", "rejected", problem="not a zip", exit_code=3))
    assert cli("run", "--landing").code == 1


def test_notices_stand_under_the_warnings(cli, engine, upload) -> None:
    notices = ("a.jpg and b.jpg stay in test, the upload says train", "no \x1b[2J here")
    engine.report = replace(engine.report, notices=notices)
    lines = [line.strip() for line in cli("run", upload, "-d", "pets").out.splitlines()]
    first = lines.index(notices[0])
    assert lines[first - 1].startswith("warnings, rows kept")
    assert lines[first + 1] == "no \\x1b[2J here"
    assert cli("run", upload, "-d", "pets", "--json").document["notices"] == list(notices)


def test_the_place_of_the_version_s_page_is_said(cli, engine, upload) -> None:
    engine.report = replace(engine.report, report_path="reports/pets/v1.html")
    lines = cli("run", upload, "-d", "pets", "--lake", "lakes/one/").out.splitlines()
    assert "  report: lakes/one/reports/pets/v1.html" in lines
    assert cli("run", upload, "-d", "pets", "--json").document["report_path"] == "reports/pets/v1.html"


def test_reports_of_earlier_stages_name_the_current_version(cli, engine, client) -> None:
    engine.batch = (replace(engine.report, status="built", published=False, version=None),)
    assert cli("build", "pets", "--json").document["version"] == "pets@v1"
    client.answers["show"] = {"dataset": "pets", "versions": [], "latest": None}
    assert cli("build", "pets", "--json").document["version"] is None
    assert "nothing is published yet" in cli("build", "pets").out


def test_remove_selects_by_condition_and_by_list(cli, engine, client, tmp_path) -> None:
    client.answers["sql"] = {"columns": ["image_key"], "rows": [["b.jpg"], ["a.jpg"]]}
    listed = tmp_path / "keys.txt"
    listed.write_text("c.jpg\nb.jpg\n\n")
    assert cli("remove", "pets", "--where", "width < 64", "--note", "small").code == 0
    assert cli("remove", "pets", "--images", str(listed)).code == 0
    assert cli("remove", "pets", "--images", str(listed), "--where", "true").code == 0
    assert cli("remove", "pets", "--images", str(listed), "--ignore-missing").code == 0
    assert engine.asked == [
        ("pets", ["a.jpg", "b.jpg"], "small", False),
        ("pets", ["b.jpg", "c.jpg"], None, False),
        ("pets", ["b.jpg", "c.jpg"], None, False),
        ("pets", ["b.jpg", "c.jpg"], None, True),
    ]
    assert ("sql", "select image_key from images where (\nwidth < 64\n)", {"at": "pets@draft"}) in client.asked


def test_remove_without_a_selection_removes_nothing(cli, engine, client) -> None:
    assert cli("remove", "pets").code == 2
    assert cli("remove", "pets", "--where", "true", "--ignore-missing").code == 2
    assert engine.runs == []


def test_a_condition_that_matches_nothing_is_no_error_and_is_said(cli, engine, client) -> None:
    client.answers["sql"] = {"columns": ["image_key"], "rows": []}
    engine.report = RunReport("pets", "unchanged", mode="remove", notices=("no image of the draft is selected",))
    done = cli("remove", "pets", "--where", "false")
    assert (done.code, engine.asked) == (0, [("pets", [], None, False)])
    assert "  no image of the draft is selected\n" in done.out


@pytest.mark.parametrize(("text", "wanted"), [("pets", ("pets", None)), ("pets@v3", ("pets", 3)), ("a@v2.4", ("a", 2))])
def test_a_target_is_a_dataset_or_a_version(text, wanted) -> None:
    assert parse_target(text) == wanted


@pytest.mark.parametrize("text", ["pets@", "pets@draft", "pets@v0", "@v1", "pets@vx"])
def test_other_references_cannot_be_published(text) -> None:
    with pytest.raises(UsageError):
        parse_target(text)


def test_shares_keep_their_order() -> None:
    assert list((parse_shares("train=0.8, val=0.1,test=0.1") or {}).items()) == [
        ("train", 0.8),
        ("val", 0.1),
        ("test", 0.1),
    ]


@pytest.mark.parametrize(
    "text", ["", "train", "train=x", "train=0.5", "a=0.5,a=0.5", "a=2,b=-1", "a=nan,b=1", "../x=1"]
)
def test_shares_that_make_no_split_are_usage_errors(text) -> None:
    with pytest.raises(UsageError):
        parse_shares(text)


def next_lines(out: str) -> list[str]:
    return [line.removeprefix("  next: imagelake ") for line in out.splitlines() if line.startswith("  next: ")]


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        ({}, ["show pets@v1", "get pets@v1 FOLDER", "verify pets@v1"]),
        ({"published": False, "status": "unchanged"}, ["show pets@v1"]),
        ({"published": False, "status": "built"}, ["gate pets", "publish pets"]),
        ({"published": False, "status": "landed"}, ["build pets"]),
        ({"published": False, "exit_code": 4}, ["rejections pets", "report pets@draft"]),
        ({"published": False, "exit_code": 4, "rejections": 0}, ["report pets@draft"]),
        ({"published": False, "exit_code": 3, "status": "rejected"}, []),
        ({"published": False, "mode": "remove", "images": Counts(removed=2)}, ["publish pets"]),
        ({"published": False, "mode": "remove", "images": Counts(), "status": "unchanged"}, ["show pets@v1"]),
    ],
)
def test_the_next_verb_is_one_that_does_something(cli, engine, upload, change, lines) -> None:
    engine.report = replace(engine.report, **change)
    assert next_lines(cli("run", upload, "-d", "pets").out) == lines


def test_warnings_name_the_first_rows_that_carry_them(cli, engine, client, upload) -> None:
    rows = [["image.duplicate_bytes", f"{name}.jpg", None, None, 9, i, True] for i, name in enumerate("abc", 1)]
    rows.append(["image.small", "z.jpg", None, None, 1, 1, True])
    client.answers["first"] = {"columns": [*client.answers["first"]["columns"], "flagged"], "rows": rows}
    lines = cli("run", upload, "-d", "pets").out.splitlines()
    first = lines.index("  warnings, rows kept: 2 image.duplicate_bytes")
    assert lines[first + 1 : first + 3] == [
        "    image.duplicate_bytes: a.jpg, b.jpg, c.jpg",
        "    all of them: imagelake rejections pets --warnings",
    ]
    assert not any("image.small" in line for line in lines), "an info is not a warning"
