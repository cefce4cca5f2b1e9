"""The generated pages are what the code says."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", ["tables", "checks"])
def test_generated_page_is_up_to_date(page):
    made = runpy.run_path(str(DOCS / "generate.py"))[page]()
    assert (DOCS / f"{page}.md").read_text("utf-8") == made, "run: python docs/generate.py"


def test_every_rule_the_code_can_report_is_on_the_page_of_checks():
    entities = "archive|folder|file|format|document|image|annotation|category|split|upload|landing"
    literal = re.compile(rf'"((?:{entities})\.[a-z_]+)"')
    by_kind = re.compile(r'f"\{kind\}\.([a-z_]+)"')
    text = "".join(p.read_text("utf-8") for p in (DOCS.parent / "src").rglob("*.py"))
    rules = set(literal.findall(text))
    rules |= {f"{kind}.{rule}" for kind in ("archive", "folder") for rule in by_kind.findall(text)}
    page = set(re.findall(r"^\| `([a-z_.]+)` \|", (DOCS / "checks.md").read_text("utf-8"), re.MULTILINE))
    assert rules - page == set()
