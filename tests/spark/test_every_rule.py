"""An upload with a row for nearly every rule: what each severity makes of it, and that the good rows stay good."""

from __future__ import annotations

import uuid
from collections import Counter

import pytest
from tests.spark import helpers, museum

import imagelake
from imagelake.config.dataset_settings import settings_path
from imagelake.quality.catalogue import BY_ID, FLAGGING, RULES
from imagelake.tables import silver

ELSEWHERE = {
    # what a COCO upload cannot break beside all the others, or needs an upload before it: tests of its own have these
    "annotation.bbox_missing", "annotation.image_unknown", "annotation.size_mismatch", "image.key_taken",
    "image.renamed", "image.bytes_changed", "image.labels_dropped", "image.matched_by_name", "image.ambiguous",
    "image.too_large", "image.too_many_frames", "image.unsupported_format", "image.probe_timeout",
    "image.probe_crashed", "split.member_unknown", "split.member_ambiguous", "split.member_malformed",
}  # fmt: skip
ACCOMPANYING = {
    "annotation.box_normalised": {"annotation.box_tiny"},
    "annotation.box_overhang": {"annotation.box_clipped"},
}
"""Rules that a row cannot break alone."""

FLAG_RULES = {rule.id for rule in RULES if rule.entity in ("image", "annotation") and rule.severity in FLAGGING}


@pytest.fixture
def build(spark, tmp_path):
    """Builds the upload in a new lake under some overrides of severities; its context and report."""

    def built(overrides=None):
        ctx = helpers.context(spark, tmp_path / uuid.uuid4().hex)
        lines = "".join(f"  {rule}: {severity}\n" for rule, severity in (overrides or {}).items())
        ctx.storage.put(settings_path("pets"), f"severities:\n{lines}".encode() if lines else b"")
        upload = helpers.write_zip(tmp_path / "museum.zip", museum.files())
        return ctx, helpers.into_draft(ctx, "pets", upload)

    return built


def refused(ctx):
    return Counter(row["rule"] for row in ctx.tables.collect(silver.REJECTIONS, "pets"))


def flags(ctx):
    rows = [*ctx.tables.collect(silver.IMAGES, "pets"), *ctx.tables.collect(silver.ANNOTATIONS, "pets")]
    return Counter(flag for row in rows for flag in row["flags"])


def test_each_row_breaks_its_rule_and_no_other(build):
    ctx, report = build()
    assert report.status == "accepted"
    broken = {**report.warnings, **report.infos, **refused(ctx)}
    judged = {rule.id for rule in RULES if rule.entity in ("image", "annotation", "category")}
    assert judged - broken.keys() - ELSEWHERE == set()
    assert {BY_ID[rule].severity for rule in report.warnings} == {"warn"}
    assert {BY_ID[rule].severity for rule in report.infos} == {"info"}
    said = imagelake.open(ctx.storage.root).report("pets@draft").as_json()["checks"]
    assert broken.keys() - {row["rule"] for row in said} == set(), "each is in the report"
    files = {"file.junk", "file.unknown", "file.nested_archive", "document.byte_order_mark", "upload.wrapper_folder"}
    assert files <= broken.keys()

    rules = dict(enumerate(museum.ANNOTATIONS, 1)) | {1000: "annotation.id_coerced"}
    for row in ctx.tables.collect(silver.ANNOTATIONS, "pets"):
        number = int(row["source_id"] or 0)
        if 1 < number <= 500 or number == 1000:
            rule = rules.get(number, "good")
            expected = {rule, *ACCOMPANYING.get(rule, ())} if number != 500 else set()
            assert set(row["flags"]) == expected, row
    several = {"annotation.image_rejected", "annotation.image_ambiguous"}
    counts = refused(ctx)
    assert {rule: counts[rule] for rule in counts.keys() & museum.ANNOTATIONS.keys() - several} == dict.fromkeys(
        counts.keys() & museum.ANNOTATIONS.keys() - several, 1
    )


@pytest.mark.nightly
@pytest.mark.parametrize("entity", ["image", "annotation"])
def test_what_flags_a_row_can_refuse_it(build, entity):
    raised = {rule for rule in FLAG_RULES if "quarantine" in BY_ID[rule].choices and BY_ID[rule].entity == entity}
    _, before = build()
    fired = (before.warnings.keys() | before.infos.keys()) & raised
    ctx, report = build(dict.fromkeys(raised, "quarantine"))
    assert report.status == "accepted"
    # a row that breaks two rules is refused by the first of them
    assert fired - refused(ctx).keys() <= {
        "annotation.box_normalised",
        "annotation.box_overhang",
        "image.split_conflict",
    }
    assert flags(ctx).keys() & raised == set()


@pytest.mark.nightly
@pytest.mark.parametrize("severity", ["info", "warn", "off"])
def test_what_flags_a_row_is_counted_where_its_severity_says(build, severity):
    raised = {rule for rule in FLAG_RULES if severity in BY_ID[rule].choices}
    ctx, report = build(dict.fromkeys(raised, severity))
    assert (report.warnings.keys() & raised == set()) == (severity != "warn")
    assert (report.infos.keys() & raised == set()) == (severity != "info")
    assert (flags(ctx).keys() & raised == set()) == (severity == "off")


REJECTING = ["image.small", "image.unreadable", "annotation.box_degenerate", "annotation.id_missing"]
REJECTING += ["category.similar_name", "category.name_missing", "file.nested_archive", "upload.labels_not_read"]


@pytest.mark.nightly
@pytest.mark.parametrize("rule", REJECTING)
def test_a_rule_of_any_kind_can_reject_the_upload(build, rule):
    ctx, report = build({rule: "reject"})
    assert (report.status, report.exit_code) == ("rejected", 3)
    assert rule in f"{report.problem} {report.hint}"
    assert ctx.tables.collect(silver.IMAGES, "pets") == []
    assert ctx.tables.collect(silver.REJECTIONS, "pets") == []
