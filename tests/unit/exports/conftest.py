from __future__ import annotations

from pathlib import Path

import pytest

from lakes import LakeMaker


@pytest.fixture
def maker(tmp_path: Path) -> LakeMaker:
    return LakeMaker(tmp_path / "lake")
