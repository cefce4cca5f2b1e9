from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def table(tmp_path: Path) -> str:
    """Where a test may put a Delta table of its own."""
    return (tmp_path / "table").as_uri()
