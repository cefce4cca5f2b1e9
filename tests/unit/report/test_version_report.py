"""The page that publishing leaves in the lake: only where the settings ask, once, and never at a version's cost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from imagelake.report import build_report
from imagelake.runs.context import RunReport
from imagelake.runs.version_report import with_report
from imagelake.storage.open_lake import open_lake
from lakes import LakeMaker
from pet_lake import Pets

PUBLISHED = RunReport("pets", "published", version="pets@v3", published=True)
UNCHANGED = RunReport("pets", "unchanged", version="pets@v3")
PAGE = "reports/pets/v3.html"


@pytest.fixture
def ctx(tmp_path) -> Any:
    """A run on the lake of pets, whose settings ask for a page."""
    storage = open_lake(str(Pets(LakeMaker(tmp_path / "lake")).maker.root)).storage
    storage.put("datasets/pets.yaml", b"report: true\n")
    return SimpleNamespace(storage=storage, progress=lambda _: None, reached=lambda _: None)


def test_a_published_version_has_its_page(ctx, pets: Pets) -> None:
    report = with_report(ctx, PUBLISHED)
    assert report.report_path == report.as_json()["report_path"] == PAGE
    assert b"<h1><bdi>pets@v3</bdi></h1>" in ctx.storage.read(PAGE)
    assert ctx.storage.read(PAGE).count(b"<symbol") == pets.lake.report("pets@v3").counts["pictures"]


def test_another_recipe_has_a_page_of_its_own(ctx) -> None:
    report = with_report(ctx, RunReport("pets", "published", version="pets@v2.2", published=True))
    assert report.report_path == "reports/pets/v2.2.html"
    assert b"pets@v2.2" in ctx.storage.read("reports/pets/v2.2.html")


def test_an_unchanged_publish_writes_it_only_where_it_is_missing(ctx) -> None:
    ctx.storage.put(PAGE, b"as it was")
    assert with_report(ctx, UNCHANGED).report_path == PAGE
    assert ctx.storage.read(PAGE) == b"as it was"
    ctx.storage.delete(PAGE)
    assert with_report(ctx, UNCHANGED).report_path == PAGE
    assert ctx.storage.read(PAGE).startswith(b"<!DOCTYPE html>")


def test_nothing_is_written_unless_the_settings_say_so(ctx) -> None:
    ctx.storage.delete("datasets/pets.yaml")
    assert with_report(ctx, PUBLISHED) == PUBLISHED
    assert ctx.storage.stat(PAGE) is None


def test_a_page_that_cannot_be_made_is_said_and_the_version_stays(ctx, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(build_report, "report", broken)
    report = with_report(ctx, PUBLISHED)
    assert (report.version, report.published, report.report_path, report.exit_code) == ("pets@v3", True, None, 0)
    assert report.notices == (
        "the report of pets@v3 was not written: ZeroDivisionError: division by zero; "
        "imagelake report pets@v3 makes one",
    )


def test_a_place_that_cannot_be_written_is_said(ctx) -> None:
    ctx.storage.put("reports/pets", b"a file where the folder is to be")
    (notice,) = with_report(ctx, PUBLISHED).notices
    assert notice.startswith("the report of pets@v3 was not written: ")
    assert with_report(ctx, PUBLISHED).report_path is None
