"""The generated pages are what the code says."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from imagelake.quality.catalogue import BY_ID, RULES

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", ["tables", "checks", "architecture", "views", "api"])
def test_generated_page_is_up_to_date(page):
    made = runpy.run_path(str(DOCS / "generate.py"))["PAGES"][page]()
    assert (DOCS / f"{page}.md").read_text("utf-8") == made, "run: python docs/generate.py"


def test_the_page_of_checks_has_every_rule_once_below_its_entity():
    text = (DOCS / "checks.md").read_text("utf-8")
    parts = text.split("\n## ")[1:]
    listed = [re.findall(r"^\| `([a-z_0-9.]+)` \|", part, re.MULTILINE) for part in parts]
    entities = [{BY_ID[rule_id].entity for rule_id in rule_ids} for rule_ids in listed]
    assert sorted(rule_id for rule_ids in listed for rule_id in rule_ids) == sorted(rule.id for rule in RULES)
    assert entities == [{"upload"}, {"file"}, {"image"}, {"annotation"}, {"category"}, {"dataset"}]
