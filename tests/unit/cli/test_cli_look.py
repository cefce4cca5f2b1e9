from __future__ import annotations

import pytest

VERSION = {
    "version": "pets@v2",
    "number": 2,
    "recipe": 1,
    "parent": "v1.1",
    "state": "published",
    "digest": "d1:" + "ab" * 32,
    "images": 1200,
    "annotations": 3400,
    "created_at": "2030-01-02T03:04:05+00:00",
    "aliases": ["best"],
    "note": "a [b]note[/b]\x1b[2J",
}
ONE = {
    **VERSION,
    "splits": {"train": {"images": 1000, "annotations": 3000}, "test": {"images": 200, "annotations": 400}},
    "categories": [{"name": "cat", "images": 700, "annotations": 2000}],
    "quality": {"passed": True, "rejected": 2},
}
DIFF = {
    "from": "pets@v1",
    "to": "pets@v2",
    "images": {"added": 5, "removed": 1, "changed": 0, "renamed": 0},
    "annotations": {"added": 12, "removed": 3, "changed": 1},
    "splits": {
        "test": {"added": 2, "removed": 1, "moved_in": 0, "moved_out": 0},
        "train": {"added": 0, "removed": 0, "moved_in": 0, "moved_out": 0},
    },
    "categories": {"added": [], "removed": []},
}


def test_show_asks_for_what_the_argument_names(cli, client) -> None:
    client.answers |= {
        "show": {"datasets": [], "dataset": "pets", "versions": []},
        "runs": {"runs": []},
        "table": {"table": "gold.versions", "history": []},
    }
    for line in ((), ("pets",), ("--runs",), ("--table", "gold.versions")):
        assert cli("show", *line).code == 0
    asked = [a for a in client.asked if a[0] not in ("open", "close")]
    assert asked == [("show",), ("show", "pets"), ("runs",), ("table", "gold.versions")]
    assert client.asked.count(("close",)) == 4


@pytest.mark.parametrize("line", [("pets", "--runs"), ("--runs", "--table", "x"), ("pets", "--table", "x")])
def test_show_shows_one_thing(cli, client, line) -> None:
    assert cli("show", *line).code == 2


def test_a_document_is_printed_as_the_client_gave_it(cli, client) -> None:
    client.answers |= {"show": ONE, "diff": DIFF, "sql": {"columns": ["a"], "rows": [[1]]}}
    assert cli("show", "pets@v2", "--json").document == ONE
    assert cli("diff", "pets@v1", "pets@v2", "--json").document == DIFF
    assert cli("sql", "select 1 as a", "--json").document == {"columns": ["a"], "rows": [[1]]}
    assert set(cli("rejections", "pets", "--json").document) == {"count", "rules", "rejections", "problems"}


def test_versions_are_shown_newest_first_and_made_safe(cli, client) -> None:
    client.answers["show"] = {"dataset": "pets", "versions": [{**VERSION, "version": "pets@v1", "number": 1}, VERSION]}
    lines = cli("show", "pets").out.splitlines()
    assert lines[0].strip() == "pets"
    assert [line.split()[0] for line in lines[2:]] == ["pets@v2", "pets@v1"]
    assert "1,200" in lines[2]
    assert "a [b]note[/b]\\x1b[2J" in lines[2]


def test_a_version_shows_splits_categories_and_the_gate(cli, client) -> None:
    client.answers["show"] = ONE
    out = cli("show", "pets@v2").out
    for text in (ONE["digest"], "train", "3,000", "cat", "gate: passed yes, rejected 2"):
        assert text in out


def test_measures_of_no_class_are_left_out(cli, client) -> None:
    names = {"new": [], "vanished": []}
    client.answers["show"] = {**ONE, "quality": {"passed": True, "class_names": names, "rejected": 2}}
    assert "gate: passed yes, rejected 2" in cli("show", "pets@v2").out


def test_diff_says_first_what_happened_to_test(cli, client) -> None:
    client.answers["diff"] = DIFF
    lines = cli("diff", "pets@v1", "pets@v2").out.splitlines()
    assert lines[0] == "test: +2 −1 images"
    assert lines[1] == "train: unchanged"
    assert "images: 5 added, 1 removed" in lines
    assert "annotations: 12 added, 3 removed, 1 changed" in lines
    assert "categories: unchanged" in lines


def test_a_test_set_that_nobody_touched_is_said_first(cli, client) -> None:
    client.answers["diff"] = {**DIFF, "splits": {"train": {"added": 1, "removed": 0, "moved_in": 3, "moved_out": 0}}}
    lines = cli("diff", "pets@v1", "pets@v2").out.splitlines()
    assert lines[:2] == ["test: unchanged", "train: +1 −0 images, 3 moved in"]


def test_diff_rows_are_asked_for_and_shown(cli, client) -> None:
    after = {"kind": "box", "category": "c[at]", "bbox": [1.0, 2.5, 30.0, 40.0], "source_id": "7"}
    before = {**after, "category": "dog"}
    image = {"image_key": "b.jpg", "content_hash": "ab" * 32, "width": 64, "height": 48}
    rows = [
        {"entity": "annotation", "change": "changed", "what": ["relabelled"], "image_key": "a.jpg"}
        | {"before": before, "after": after},
        {"entity": "image", "change": "added", "what": [], "image_key": "b.jpg", "before": None, "after": image},
    ]
    client.answers["diff"] = {**DIFF, "rows": rows}
    out = cli("diff", "pets@v1", "pets@v2", "--rows").out
    assert ("diff", "pets@v1", "pets@v2", {"rows": True}) in client.asked
    assert "dog, box at 1, 2.5, 30, 40  c[at], box at 1, 2.5, 30, 40" in out
    assert "b.jpg" in out.splitlines()[-1]
    assert "64×48 abababababab" in out


def test_sql_reads_a_query_from_stdin_and_passes_the_version(cli, client, monkeypatch) -> None:
    import io

    rows = [[1, {"x": 1.5, "w": 2}, None], [1500, None, "x\n\x1b]0;t\x07" + "y" * 100]]
    client.answers["sql"] = {"columns": ["n", "n", "a_b"], "rows": rows}
    monkeypatch.setattr("sys.stdin", io.StringIO("select 1"))
    out = cli("sql", "-", "--at", "pets@v1").out
    assert ("sql", "select 1", {"at": "pets@v1"}) in client.asked
    header, first, second = out.splitlines()
    assert header.split()[-1] == "a_b"
    assert first.split() == ["1", "x", "1.5,", "w", "2"]
    assert second.split()[0] == "1,500"
    assert "\x1b" not in out


def test_a_query_without_rows_says_so(cli, client) -> None:
    client.answers["sql"] = {"columns": ["a"], "rows": []}
    assert cli("sql", "select 1 as a where false").out.strip() == "no rows (a)"


@pytest.mark.parametrize(("ok", "code", "says"), [(True, 0, "reads back as published"), (False, 1, "NOT")])
def test_verify_ends_with_1_when_a_version_does_not_read_back(cli, client, ok, code, says) -> None:
    problems = [] if ok else ["a.jpg: other bytes"]
    client.answers["verify"] = {
        "version": "pets@v1",
        "ok": ok,
        "digest": "d1:ab",
        "images_checked": 3,
        "bytes_checked": 4000,
        "problems": problems,
    }
    assert cli("verify", "pets@v1", "--json").code == code
    done = cli("verify", "pets@v1", "--rows-only")
    assert done.code == code
    assert says in done.out
    asked = [call for call in client.asked if call[0] == "verify"]
    assert [(call[1], call[2]["rows_only"]) for call in asked] == [("pets@v1", False), ("pets@v1", True)]


NONE = {"count": 0, "rules": [], "rejections": [], "problems": []}


def test_rejections_are_counted_by_rule_before_they_are_listed(cli, client) -> None:
    client.answers["rejections"] = client.answers["rejections"] | {"count": 5000}
    lines = cli("rejections", "pets").out.splitlines()
    assert lines[0].strip() == "5,000 rejected"
    assert lines[2].split()[:3] == ["3", "1", "annotation.box_degenerate"]
    assert lines[2].endswith("a box side is zero or negative")
    assert any(line.startswith("train.json  annotations[7]") for line in lines[3:])
    assert "3 of 5,000 are shown: imagelake rejections pets --limit 5000 shows all" in lines


def test_rejections_are_chosen_by_options(cli, client) -> None:
    line = ("--rule", "annotation.*", "--rule", "image.empty", "--path", "val/*", "--upload", "ab", "--entity", "image")
    assert cli("rejections", "pets", *line, "--limit", "3").code == 0
    chosen = {"rules": ["annotation.*", "image.empty"], "paths": ["val/*"], "upload": "ab", "entities": ["image"]}
    assert ("rejections", "pets", chosen | {"limit": 3}) in client.asked
    cli("rejections", "pets")
    assert client.asked[-2][-1]["limit"] == 200, "a million rows are not read to show some"


def test_rejections_are_exported_and_the_way_back_is_said(cli, client, tmp_path) -> None:
    part = {"upload_id": "ab" * 32, "format": "coco", "documents": 1, "pictures": 2, "notes": ["no\x1b[2J"]}
    part |= {"deliver": "run out --dataset pets --format coco", "folder": "out", "rejections": 3}
    client.answers["export_rejections"] = {"dataset": "pets", "folder": "out", "rejections": 3, "uploads": [part]}
    done = cli("rejections", "pets", "--export", str(tmp_path / "out"), "--rule", "image.*")
    assert "3 rejections are in out" in done.out
    assert "imagelake run out --dataset pets --format coco" in done.out
    assert "no\\x1b[2J" in done.out
    _, dataset, folder, chosen = next(call for call in client.asked if call[0] == "export_rejections")
    assert (dataset, folder, chosen["rules"]) == ("pets", tmp_path / "out", ["image.*"])
    refused = cli("rejections", "pets", "--export", "out", "--limit", "3")
    assert (refused.code, "--limit" in refused.err) == (2, True)
    client.answers["export_rejections"] = {"dataset": "pets", "folder": None, "rejections": 0, "uploads": []}
    assert "nothing was written" in cli("rejections", "pets", "--export", "out").out


def test_rejections_are_listed_or_none_are(cli, client) -> None:
    assert "3 rejected" in cli("rejections", "pets").out
    client.answers["rejections"] = NONE
    assert cli("rejections", "pets").out.strip() == "nothing is rejected"


FAILED = {"sequence": 7, "upload_id": "ab" * 32, "source": "s3://up/x.zip", "state": "failed", "problem": "no\x1b[2J"}


@pytest.mark.parametrize("verb", ["show", "rejections"])
def test_uploads_that_failed_are_said_with_their_problem(cli, client, verb) -> None:
    rejected = {**FAILED, "sequence": 8, "state": "rejected", "source": None, "problem": None}
    client.answers["show"] = {"dataset": "pets", "versions": [VERSION], "problems": [FAILED, rejected]}
    client.answers["rejections"] = NONE | {"problems": [FAILED, rejected]}
    out = cli(verb, "pets").out
    assert "upload 7 failed (s3://up/x.zip): no\\x1b[2J" in out
    assert "upload 8 rejected: no reason was recorded" in out
    many = [{**FAILED, "sequence": number} for number in range(1, 9)]
    client.answers[verb]["problems"] = many
    lines = cli(verb, "pets").out.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("upload ")] == ["4", "5", "6", "7", "8"]
    assert "and 3 earlier uploads: --json prints all of them" in lines


@pytest.mark.parametrize(
    ("line", "name", "document"),
    [
        (("show", "pets"), "show", {"dataset": "pets", "versions": [VERSION]}),
        (("show", "pets"), "show", {"dataset": "pets", "versions": []}),
        (("show", "pets@draft"), "show", {**ONE, "version": "pets@draft"}),
        (("diff", "pets@v1", "pets@draft"), "diff", DIFF),
    ],
)
def test_saves_that_wait_are_said_and_none_is_not(cli, client, line, name, document) -> None:
    client.answers[name] = {**document, "waiting_saves": 0}
    assert "wait" not in cli(*line).out
    client.answers[name] = {**document, "waiting_saves": 1200}
    assert "1,200 saves of labels wait: the next build puts them into the draft" in cli(*line).out.splitlines()
    client.answers[name] = {**document, "waiting_saves": 1}
    assert "1 save of labels waits" in cli(*line).out


def test_a_column_of_waiting_saves_only_where_one_waits(cli, client) -> None:
    row = {"dataset": "pets", "version": "pets@v1", "rejections": 0, "problem_uploads": 0, "waiting_saves": 0}
    client.answers["show"] = {"datasets": [row]}
    assert cli("show").out.splitlines()[0].split() == ["dataset", "version", "rejections"]
    client.answers["show"] = {"datasets": [row, {**row, "waiting_saves": 3}]}
    assert cli("show").out.splitlines()[0].split() == ["dataset", "version", "rejections", "waiting_saves"]


def test_an_empty_lake_says_what_to_do(cli, client) -> None:
    client.answers["show"] = {"datasets": []}
    assert "imagelake run UPLOAD --dataset D" in cli("show").out


def test_settings_are_printed_with_secrets_masked(cli) -> None:
    done = cli("doctor", "--config", "--set", "spark.conf={fs.s3a.secret.key: hush}")
    assert done.code == 0
    assert "hush" not in done.out
    assert "driver_memory" in done.out


def test_the_version_is_printed(cli) -> None:
    number = cli("version", "--json").document["version"]
    assert cli("--version").out == cli("version").out == f"imagelake {number}\n"


def test_help_names_every_verb(cli) -> None:
    for line in ((), ("--help",), ("-h",)):
        done = cli(*line)
        assert done.code == 0
        assert all(verb in done.out for verb in ("demo", "ingest", "publish", "rejections", "verify", "doctor"))
