"""Whole-table suites on Spark: good rows pass, every kind of bad row shuts the gate, and the project opens."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from tests.spark import handmade, helpers
from tests.spark.handmade import Picture

from imagelake.cli.main import main
from imagelake.config.dataset_settings import DatasetSettings
from imagelake.errors import ConfigError, NotFound
from imagelake.maintenance.suites import judge_datasets
from imagelake.maintenance.unjudged import due
from imagelake.quality.expectations.project import docs_path, project_path
from imagelake.quality.expectations.validate import check_tables
from imagelake.quality.suites.state import TABLES
from imagelake.quality.suites.table_suites import table_suite
from imagelake.runs import pipeline
from imagelake.spark import Lakehouse
from imagelake.tables import ops, silver

NAMES = ["measures.pets", *(f"{spec.name}.pets" for spec in TABLES)]
NAN = float("nan")


def opened(ctx, dataset):
    from great_expectations import get_context

    return get_context(mode="file", project_root_dir=str(ctx.storage.folder / project_path(dataset)))


def box(ctx, dataset, key, **values):
    """A row of silver.annotations that nobody has judged; a good one but for the values."""
    (row,) = handmade.annotation_rows(dataset, Picture("p000.jpg", classes=("cat",)))
    return {**row, "annotation_key": key, **values}


def put(ctx, spec, *rows):
    ctx.tables.append(spec, ctx.tables.frame(spec, rows))


def test_a_bad_row_of_a_table_is_found_by_its_suite(spark, tmp_path):
    ctx = helpers.begun(spark, tmp_path / "lake")
    put(ctx, silver.CATEGORIES, {"dataset": "pets", "name": "emu", "train_index": -1})
    suite = table_suite(silver.CATEGORIES, "pets", DatasetSettings(), 3, 10)
    frame = Lakehouse(spark, str(tmp_path / "lake")).suite_frame(suite.name)
    (result,) = check_tables(tmp_path / "project", [(suite, frame)])
    assert (result.suite, result.expectations) == ("silver.categories.pets", len(suite.expectations))
    assert result.problems == (
        "suite silver.categories.pets: expect_column_values_to_be_between on train_index does not hold: train_index is "
        "below 0 (silver.categories), 1 row, for example -1; mend the rows by delivering them again, or the setting "
        "that asks for it",
    )


@pytest.mark.nightly
def test_a_good_draft_passes_and_a_bad_row_shuts_the_gate(spark, tmp_path, capsys):
    ctx = helpers.begun(spark, tmp_path / "lake")
    lake = ("--lake", str(tmp_path / "lake"), "--json")
    assert main(["gate", "pets", "--full", *lake]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["verdict"], document["problems"]) == ("passed", [])
    assert [suite["suite"] for suite in document["suites"]] == NAMES
    assert due(ctx.storage).datasets == ()
    put(ctx, silver.ANNOTATIONS, box(ctx, "pets", "bad", image_key="gone.jpg", area=NAN))
    assert due(ctx.storage).datasets == ("pets",)
    assert main(["maintain", "--only", "suites", *lake]) == 4
    (judged,) = json.loads(capsys.readouterr().out)["suites"]
    assert (judged["dataset"], judged["verdict"], judged["exit_code"]) == ("pets", "refused", 4)
    (problem,) = judged["problems"]
    assert (
        "suite silver.annotations.pets: expect_column_values_to_be_null on breaks_numbers does not hold: a number of "
        "an annotation is NaN or infinite (silver.annotations), 1 row, for example bad: area is NaN; mend the rows"
    ) in problem
    assert "breaks_image does not hold: an annotation is on an image that the draft does not have" in problem
    rows = [row for row in ctx.tables.collect(ops.QUALITY, "pets") if row["judged"]]
    assert {row["publish_id"] for row in rows} == {None}
    assert [row["measure"] for row in rows if not row["holds"]] == ["silver.annotations.pets"]
    assert main(["maintain", "--only", "suites", *lake]) == 4, "what was refused stays refused, without a run"
    assert "unchanged since" in json.loads(capsys.readouterr().out)["suites"][0]["notices"][0]
    context = opened(ctx, "pets")
    for kept in (context.suites, context.validation_definitions, context.checkpoints):
        assert sorted(one.name for one in kept.all()) == sorted(NAMES)
    again = context.checkpoints.get("silver.annotations.pets")
    frame = Lakehouse(spark, str(tmp_path / "lake")).suite_frame("silver.annotations.pets")
    assert not again.run(batch_parameters={"dataframe": frame}).success
    images = Lakehouse(spark, str(tmp_path / "lake")).suite_frame("silver.images.pets")
    assert context.checkpoints.get("silver.images.pets").run(batch_parameters={"dataframe": images}).success


@pytest.fixture(scope="module")
def ctx(spark, tmp_path_factory):
    return helpers.begun(spark, tmp_path_factory.mktemp("suites") / "lake")


def full(ctx, dataset="pets"):
    return pipeline.gate_draft(helpers.again(ctx), dataset, full=True)


BAD_BOXES = {
    "breaks_annotation_bbox_missing": {"bbox": None},
    "breaks_annotation_box_degenerate": {"bbox": {"x": 1.0, "y": 1.0, "w": 0.0, "h": 2.0}},
    "breaks_annotation_box_outside": {"bbox": {"x": 64.0, "y": 1.0, "w": 2.0, "h": 2.0}},
    "breaks_annotation_box_out_of_bounds": {"bbox": {"x": 6400.0, "y": 1.0, "w": 2.0, "h": 2.0}},
    "breaks_annotation_polygon_out_of_bounds": {"kind": "polygon", "polygons": [[1.0, 1.0, 9000.0, 1.0, 2.0, 2.0]]},
    "breaks_annotation_rle_size": {"kind": "rle", "rle_size": [3, 3], "rle_counts": "9"},
    "breaks_numbers": {"bbox": {"x": NAN, "y": 1.0, "w": 2.0, "h": 2.0}},
    "breaks_box": {"bbox": {"x": 63.0, "y": 1.0, "w": 2.0, "h": 2.0}},
    "breaks_image": {"image_key": "gone.jpg"},
    "breaks_category": {"category": "emu"},
    "breaks_labelled": {"kind": "class", "bbox": None},
    "kind": {"kind": "cuboid"},
    "box_space": {"box_space": "elsewhere"},
    "image_key": {"image_key": None},
}


@pytest.mark.nightly
def test_every_kind_of_bad_row_is_a_problem_with_suite_expectation_column_and_remedy(spark, tmp_path):
    ctx = helpers.begun(spark, tmp_path / "lake")
    put(ctx, silver.ANNOTATIONS, *(box(ctx, "pets", column, **values) for column, values in BAD_BOXES.items()))
    put(ctx, silver.ANNOTATIONS, box(ctx, "pets", "kind", kind="box"))
    (image,) = [handmade.image_row("pets", Picture("p000.jpg"))]
    put(ctx, silver.IMAGES, {**image, "width": 0, "orientation": 9}, {**image, "image_key": "a", "labelled": ["smell"]})
    category = {"dataset": "pets", "name": "cat", "train_index": -1}
    put(ctx, silver.CATEGORIES, category)
    refusal = {"dataset": "pets", "rejection_id": "r", "entity": "box", "opened_at": ctx.clock()}
    put(ctx, silver.REJECTIONS, {**refusal, "closed_at": ctx.clock() - timedelta(days=1)})
    verdict = full(ctx)
    problems = {suite.suite: suite.problems for suite in verdict.suites}

    def named(suite):
        return {problem.split(" on ")[1].partition(" does not hold")[0] for problem in problems[suite]}

    assert named("silver.annotations.pets") == {*BAD_BOXES, "annotation_key"}
    assert named("silver.images.pets") == {"width", "orientation", "image_key", "breaks_labelled"}
    assert named("silver.categories.pets") == {"name", "train_index"}
    assert named("silver.rejections.pets") == {"entity", "rule", "message", "breaks_times"}
    for suite, sentences in problems.items():
        assert all(s.startswith(f"suite {suite}: expect_") for s in sentences)
        assert all(
            s.endswith("; mend the rows by delivering them again, or the setting that asks for it") for s in sentences
        )
    by_column = {p.split(" on ")[1].partition(" does")[0]: p for p in problems["silver.annotations.pets"]}
    for column in BAD_BOXES:
        if column.startswith("breaks_") and column != "breaks_box":  # which others of these rows break as well
            assert f"for example {column}: " in by_column[column] or f" | {column}: " in by_column[column]


@pytest.mark.nightly
def test_an_empty_table_shuts_the_gate(ctx):
    handmade.upload_row(ctx, "empty")
    problems = full(ctx, "empty").problems
    assert problems[0] == "0 images accepted, gate.min_images asks for 1"
    assert problems[1:] == (
        "suite silver.images.empty: expect_table_row_count_to_be_between on the table does not hold: "
        "gate.min_images asks for 1 images (gate.min_images), found 0; mend the rows by delivering them again, or the "
        "setting that asks for it",
    )


@pytest.mark.nightly
def test_rules_and_thresholds_of_the_settings_are_judged_on_every_row(ctx):
    handmade.add(ctx, "strict", [Picture(f"{n}.jpg") for n in range(3)])
    put(
        ctx, silver.IMAGES, {**handmade.image_row("strict", Picture("x.jpg")), "flags": ["image.small"], "mode": "CMYK"}
    )
    ctx.storage.put(
        "datasets/strict.yaml", b"severities: {image.mode: reject}\ngate: {rules: {image.small: {max_count: 0}}}"
    )
    problems = full(ctx, "strict").problems
    assert problems[0] == "1 rows break image.small, gate.rules allows 0"
    of_images = [p for p in problems if p.startswith("suite silver.images.strict")]
    assert len(of_images) == 2
    said = "the pixel mode is neither RGB nor L (image.mode), 1 row, for example x.jpg: mode CMYK"
    assert f"on breaks_image_mode does not hold: {said}" in of_images[0]
    assert "on flagged_image_small does not hold: more rows break image.small than gate.rules allows, 0" in of_images[1]


@pytest.mark.nightly
def test_own_suites_are_judged_on_the_tables_also_when_they_raise(ctx):
    handmade.add(ctx, "own", [Picture("a.png")])

    def write(file, kind, **arguments):
        suite = {"expectations": [{"type": kind, "kwargs": arguments}]}
        ctx.storage.put(f"datasets/own.gx/{file}", json.dumps(suite).encode())

    write("silver.images.sizes.json", "expect_column_values_to_be_between", column="width", min_value=1000)
    write("silver.annotations.json", "expect_column_values_to_not_be_null", column="colour")
    write("silver.images.good.json", "expect_column_values_to_be_between", column="width", min_value=1, max_value=64)
    verdict = full(ctx, "own")
    problems = {suite.suite: suite.problems for suite in verdict.suites if suite.problems}
    assert set(problems) == {"silver.images.sizes.own", "silver.annotations.own.own"}
    (size,), (raised,) = problems["silver.images.sizes.own"], problems["silver.annotations.own.own"]
    assert size == (
        "suite silver.images.sizes.own: expect_column_values_to_be_between on width does not hold, 1 row, for example "
        "64; mend the data, or the suite in datasets/own.gx/silver.images.sizes.json"
    )
    assert "expect_column_values_to_not_be_null on colour could not be judged: " in raised
    assert raised.endswith("; mend the data, or the suite in datasets/own.gx/silver.annotations.json")
    assert "silver.images.good.own" in {suite.suite for suite in verdict.suites}
    assert handmade.released(ctx, "own").published, "a publish judges the measures alone"
    ctx.storage.put("datasets/own.gx/images.json", b"{}")
    with pytest.raises(ConfigError, match=r"datasets/own.gx/images.json names nothing that a suite can be judged on"):
        pipeline.gate_draft(helpers.again(ctx), "own")


@pytest.mark.nightly
def test_one_dataset_does_not_stop_the_others_and_unchanged_ones_are_left_out(spark, tmp_path):
    ctx = helpers.begun(spark, tmp_path / "lake")
    for dataset in ("bad", "broken", "good"):
        handmade.add(ctx, dataset, [Picture("p000.jpg")])
    put(ctx, silver.ANNOTATIONS, box(ctx, "bad", "x", image_key="gone.jpg", bbox=None))
    ctx.storage.put("datasets/broken.yaml", b"gates: {}\n")
    assert due(ctx.storage).datasets == ("bad", "broken", "good", "pets")
    reports = {report.dataset: report for report in judge_datasets(ctx, due(ctx.storage).datasets)}
    assert {name: (r.status, r.exit_code) for name, r in reports.items()} == {
        "bad": ("refused", 4),
        "broken": ("failed", 2),
        "good": ("passed", 0),
        "pets": ("passed", 0),
    }
    assert "gates" in reports["broken"].problem
    work = due(ctx.storage)
    assert (work.datasets, sorted(work.unchanged)) == (("broken",), ["bad", "good", "pets"])
    assert [bool(last.problems) for last in work.unchanged.values()] == [True, False, False]
    handmade.add(ctx, "good", [Picture("p001.jpg")])
    ctx.storage.put("datasets/pets.gx/measures.json", b'{"expectations": []}')
    assert due(ctx.storage).datasets == ("broken", "good", "pets")


@pytest.mark.nightly
def test_a_draft_is_asked_for_and_a_gate_publishes_nothing(ctx, capsys):
    with pytest.raises(NotFound, match="no dataset 'nobody'"):
        full(ctx, "nobody")
    handmade.upload_row(ctx, "refused", state="rejected")
    assert main(["gate", "refused", "--lake", str(ctx.storage.folder), "--json"]) == 6
    assert "none of its 1 uploads was built" in json.loads(capsys.readouterr().out)["error"]["message"]
    handmade.add(ctx, "once", [Picture("a.png")])
    before = helpers.versions(ctx)
    verdict = pipeline.gate_draft(helpers.again(ctx), "once")
    assert [suite.suite for suite in verdict.suites] == ["measures.once"]
    assert helpers.commits(before, helpers.versions(ctx)) == {"ops.quality": 1}
    assert ctx.storage.stat(docs_path("once")) is not None


@pytest.mark.nightly
def test_a_damaged_project_stops_neither_a_publish_nor_the_whole_tables(ctx):
    handmade.add(ctx, "damaged", [Picture("a.png")])
    handmade.released(ctx, "damaged")
    path = f"{project_path('damaged')}/gx/great_expectations.yml"
    handmade.add(ctx, "damaged", [Picture("b.png")])
    ctx.storage.put(path, ctx.storage.read(path)[:200])
    report = handmade.released(ctx, "damaged")
    assert report.version == "damaged@v2"
    assert report.notices[-1].startswith("reports/gx/damaged was damaged (")
    ctx.storage.put(path, b"")
    assert full(ctx, "damaged").notices[0].startswith("reports/gx/damaged was damaged (")
    assert full(ctx, "damaged").notices == ()


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["bccd-voc", "chess-coco", "facemask-coco", "raccoon-voc", "exif-orientation"])
def test_the_tables_of_real_uploads_pass(real_uploads, name):
    real_uploads.take(name)
    verdict = pipeline.gate_draft(helpers.again(real_uploads.ctx), name.partition("-")[0], full=True)
    assert [problem for suite in verdict.suites[1:] for problem in suite.problems] == []
    assert len(verdict.suites) == 1 + len(TABLES)
