"""The gate's judgement: its numbers are those of ops.quality, force shows its reason, a draft its last refusal."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import pytest
from html_of import Element, read
from lakes_of_pictures import SCRIPT, picture

from imagelake.client import lake
from imagelake.quality.catalogue import BY_ID
from imagelake.quality.expectations.project import docs_path
from imagelake.tables import ops
from lakes import LakeMaker

SHARE = "unannotated_images_share"
BREACH = f"3 of 9 images without annotations (33.3%), gate.max_{SHARE} allows 25.0%"


def judge(maker: LakeMaker, publish_id: str, verdict: str, *measures: Mapping[str, Any]) -> None:
    """Rows of ops.quality, in the order given."""
    same = {"dataset": "pets", "publish_id": publish_id, "run_id": "r", "verdict": verdict, "at": maker.now()}
    maker.add(ops.QUALITY, *(same | {"holds": True, "severity": "reject"} | dict(m) for m in measures))


def measure(name: str, value: float, setting: str | None, **values: Any) -> dict[str, Any]:
    return {"measure": name, "value": value, "setting": setting and f"gate.{setting}", **values}


MEASURES = (
    measure("images", 9.0, "min_images", least=1.0),
    measure(SHARE, 1 / 3, f"max_{SHARE}", most=0.25, holds=False, message=BREACH),
    measure("rule_share:image.mode", 0.000123, "rules.image.mode.max_share", most=0.5),
    measure("measures.pets", 0.0, None, most=0.0),
    measure("measures.size.pets", 2.0, None, most=0.0, holds=False, message=f"{SCRIPT} does not hold"),
)


def published(maker: LakeMaker, verdict: str, **values: Any) -> None:
    """pets@v1 with that verdict, MEASURES in ops.quality, beside a judgement of another attempt."""
    maker.image("pets", "a.png", picture((1, 2, 3)), width=64, height=48)
    maker.deliver("pets")
    quality = {"passed": verdict == "passed", "forced": verdict == "forced", "problems": [BREACH], "uploads": []}
    maker.publish("pets", quality=json.dumps(quality), **values)
    maker.flush()
    judge(maker, "another", "refused", measure("images", 1.0, "min_images", least=5.0, holds=False, message="few"))
    judge(maker, maker.versions("pets")[0]["publish_id"], verdict, *MEASURES)
    maker.flush()


def page_of(maker: LakeMaker, ref: str) -> Element:
    return read(lake.open(str(maker.root)).report(ref).html)


def rows(page: Element, caption: str) -> list[list[str]]:
    (table,) = (t for t in page.all("table") if t.one("caption").text.startswith(caption))
    return [[c.text for c in row.children if c.tag in ("td", "th")] for row in table.one("tbody").all("tr")]


def test_every_measure_and_suite_stands_with_its_result(maker: LakeMaker) -> None:
    published(maker, "forced", note="first look")
    page = page_of(maker, "pets")
    assert rows(page, "What was measured") == [
        ["✗ breach", f"unannotated images share{BREACH}", "33.33 %", "at most 25 %", f"gate.max_{SHARE}"],
        ["✓ holds", "images", "9", "at least 1", "gate.min_images"],
        ["✓ holds", "rule share image.mode", "0.01 %", "at most 50 %", "gate.rules.image.mode.max_share"],
    ]
    assert rows(page, "Suites") == [
        ["✓ holds", "measures.pets", "0"],
        ["✗ breach", f"measures.size.pets{SCRIPT} does not hold", "2"],
    ]
    document = lake.open(str(maker.root)).report("pets").as_json()["gate"]
    assert (document["verdict"], document["note"], document["data_docs"]) == ("forced", "first look", None)
    assert {m["name"]: m["value"] for m in document["measures"]}[SHARE] == 1 / 3


def test_force_shows_the_reason_that_was_given(maker: LakeMaker) -> None:
    published(maker, "forced", note=f"first look {SCRIPT}")
    header = page_of(maker, "pets").one(class_="verdict")
    assert header.text.startswith("pets@v1 was published by force against the quality gate: 1 image with")
    assert header.one(class_="forced").text == f"The reason given: first look {SCRIPT}"


def test_a_note_is_no_reason_where_nothing_was_forced(maker: LakeMaker) -> None:
    published(maker, "passed", note="weekly")
    header = page_of(maker, "pets").one(class_="verdict")
    assert header.text.startswith("pets@v1 passed the quality gate: 1 image with 0 annotations")
    assert header.all(class_="forced") == []


def test_another_split_recipe_has_the_judgement_of_its_content(maker: LakeMaker) -> None:
    published(maker, "passed")
    maker.add_recipe("pets", 2, {"a.png": "test"})
    maker.flush()
    page = page_of(maker, "pets@v1.2")
    assert page.one(class_="verdict").text.startswith("pets@v1.2, another split of pets@v1, passed the quality gate")
    assert len(rows(page, "What was measured")) == 3


@pytest.mark.parametrize("value", [None, math.nan])
def test_a_value_that_is_no_number_is_said(maker: LakeMaker, value: float | None) -> None:
    published(maker, "passed")
    bad = measure("images", 1.0, "min_images", least=1.0, holds=False, message="images is not a number") | {
        "value": value
    }
    judge(maker, maker.versions("pets")[0]["publish_id"], "passed", bad)
    maker.flush()
    assert rows(page_of(maker, "pets"), "What was measured")[0][2] == "not a number"
    document = json.dumps(lake.open(str(maker.root)).report("pets").as_json(), allow_nan=False)
    assert '"value": null' in document


def test_data_docs_are_linked_where_they_are(maker: LakeMaker) -> None:
    published(maker, "passed")
    assert [a for a in page_of(maker, "pets").one("section", id="gate").all("a")] == []
    docs = maker.root / docs_path("pets")
    docs.parent.mkdir(parents=True)
    docs.write_text("<p>docs</p>")
    section = page_of(maker, "pets").one("section", id="gate")
    link = section.one("a").attributes["href"]
    assert (maker.root / "reports" / "pets" / link).resolve() == docs.resolve()
    assert docs_path("pets") in section.text


def test_a_draft_shows_its_last_refusal(maker: LakeMaker) -> None:
    maker.image("pets", "a.png", picture((1, 2, 3)), width=64, height=48)
    maker.deliver("pets")
    maker.flush()
    judge(maker, "first", "refused", measure("images", 0.0, "min_images", least=1.0, holds=False, message="older"))
    judge(maker, "second", "refused", *MEASURES)
    maker.flush()
    page = page_of(maker, "pets@draft")
    verdict = page.one(class_="verdict")
    assert verdict.text.startswith("pets@draft was refused by the quality gate on 2026-01-01 at 00:00 UTC: 1 image")
    assert [item.text for item in verdict.all("li")] == [BREACH, f"{SCRIPT} does not hold"]
    assert len(rows(page, "What was measured")) == 3
    maker.deliver("pets")
    maker.flush()
    assert "at 00:00 UTC, and has changed since: 1 image" in page_of(maker, "pets@draft").one(class_="verdict").text


def test_a_refusal_before_the_newest_version_is_none_of_the_draft(maker: LakeMaker) -> None:
    maker.image("pets", "a.png", picture((1, 2, 3)), width=64, height=48)
    maker.deliver("pets")
    judge(maker, "first", "refused", *MEASURES)
    maker.publish("pets")
    maker.flush()
    page = page_of(maker, "pets@draft")
    assert "not published and not judged yet" in page.one(class_="verdict").text
    assert page.all("section", id="gate") == []


def test_a_draft_that_the_gate_let_pass_is_not_published(maker: LakeMaker) -> None:
    maker.image("pets", "a.png", picture((1, 2, 3)), width=64, height=48)
    maker.deliver("pets")
    maker.flush()
    judge(maker, "first", "refused", *MEASURES)
    judge(maker, "second", "passed", MEASURES[0])
    maker.flush()
    page = page_of(maker, "pets@draft")
    assert page.one(class_="verdict").text.startswith(
        "pets@draft is not published; it passed the quality gate on 2026-01-01 at 00:00 UTC: 1 image"
    )
    assert [row[0] for row in rows(page, "What was measured")] == ["✓ holds"]


@pytest.mark.parametrize(("severity", "result"), [("warn", "! warn"), ("info", "! info"), ("reject", "✗ breach")])
def test_rules_on_the_dataset_fire_without_shutting_the_gate(maker: LakeMaker, severity: str, result: str) -> None:
    rule = "dataset.class_imbalance"
    published(maker, "passed")
    said = measure("class_imbalance", 70.0, "max", most=50.0, holds=False, message="70 to 1", rule=rule)
    said |= {"severity": severity}
    judge(maker, maker.versions("pets")[0]["publish_id"], "passed", said)
    maker.flush()
    page = page_of(maker, "pets")
    assert {row[1].partition("70")[0]: row[0] for row in rows(page, "What was measured")}["class imbalance"] == result
    (row,) = page.one("section", id="checks").one("tbody").all("tr")
    assert [c.text for c in row.children if c.tag in ("th", "td")] == [
        rule, severity, "0", "0", "0", f"{BY_ID[rule].doc}70 to 1",
    ]  # fmt: skip
