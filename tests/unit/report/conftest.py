from __future__ import annotations

from pathlib import Path

import pytest
from lakes_of_pictures import hostile

from imagelake.client import lake
from imagelake.client.lake import Lake
from lakes import LakeMaker
from pet_lake import Pets


@pytest.fixture
def maker(tmp_path: Path) -> LakeMaker:
    return LakeMaker(tmp_path / "lake")


@pytest.fixture(scope="session")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Pets:
    """Nobody changes it."""
    return Pets(LakeMaker(tmp_path_factory.mktemp("pets") / "lake"))


@pytest.fixture(scope="session")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake full of hostile names."""
    return lake.open(str(hostile(tmp_path_factory.mktemp("bad") / "lake").root))
