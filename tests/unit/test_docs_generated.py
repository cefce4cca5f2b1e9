"""The generated pages are what the code says."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", ["tables", "checks"])
def test_generated_page_is_up_to_date(page):
    made = runpy.run_path(str(DOCS / "generate.py"))[page]()
    assert (DOCS / f"{page}.md").read_text("utf-8") == made, "run: python docs/generate.py"
