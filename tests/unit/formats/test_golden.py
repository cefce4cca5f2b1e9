from __future__ import annotations

import json
from pathlib import Path

import pytest

from golden import ROOT, cases, reading


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.parent.name}/{case.name}")
def test_an_upload_is_read_as_its_golden_case_says(case: Path) -> None:
    expected = json.loads((case / "expected.json").read_text("utf-8"))
    assert json.loads(json.dumps(reading(case))) == expected


def test_every_golden_upload_says_what_is_expected_of_it() -> None:
    uploads = {p.parent for p in ROOT.glob("*/*/upload")}
    assert uploads
    assert uploads == set(cases())
