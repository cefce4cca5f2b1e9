"""A large document, which several workers read in parts, is built as if one had read it whole."""

from __future__ import annotations

import json
import zipfile

import pytest
from tests.spark import helpers, museum

from imagelake.silver.upload import parse
from imagelake.tables import silver

TABLES = (silver.IMAGES, silver.ANNOTATIONS, silver.CATEGORIES, silver.REJECTIONS)
NOWHERE = {"id": 1, "file_name": "nowhere.jpg", "width": 64, "height": 48}
OTHER_EACH_TIME = {"upload_id", "opened_at", "closed_at"}


@pytest.fixture(params=[zipfile.ZIP_STORED, pytest.param(zipfile.ZIP_DEFLATED, marks=pytest.mark.nightly)])
def upload(request, tmp_path):
    """An upload with two documents: the one of the museum, and one without annotations."""
    documents = {"empty.json": json.dumps({"images": [NOWHERE], "categories": [], "annotations": []}).encode()}
    path = tmp_path / "museum.zip"
    with zipfile.ZipFile(path, "w", request.param) as archive:
        for name, data in {**museum.files(), **documents}.items():
            archive.writestr(name, data)
    return path


def built(spark, lake, upload):
    """The rows of every silver table, and the report's counts."""
    ctx = helpers.context(spark, lake)
    report = helpers.into_draft(ctx, "pets", upload)
    tables = [sorted(map(_lasting, ctx.tables.collect(spec, "pets")), key=repr) for spec in TABLES]
    return report.annotations, report.images, report.warnings, report.infos, tables


def _lasting(row):
    """A row without what differs each time, and the record of a waiting label without its number, which has gaps."""
    lasting = {name: value for name, value in row.items() if name not in OTHER_EACH_TIME}
    if lasting.get("record"):
        lasting["record"] = {k: v for k, v in json.loads(lasting["record"]).items() if k != "position"}
    return lasting


def test_a_document_in_parts_is_built_as_a_whole_one(spark, tmp_path, upload, monkeypatch):
    whole = built(spark, tmp_path / "whole", upload)
    assert upload.stat().st_size < parse.LARGE
    monkeypatch.setattr(parse, "LARGE", 1)
    monkeypatch.setattr(parse, "PART", 300)
    parts = built(spark, tmp_path / "parts", upload)
    for one, other in zip(parts, whole, strict=True):
        assert one == other
