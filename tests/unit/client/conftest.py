from __future__ import annotations

import copy
import shutil
from pathlib import Path

import pytest

from imagelake.client import lake
from lakes import LakeMaker
from pet_lake import Pets


@pytest.fixture
def maker(tmp_path: Path) -> LakeMaker:
    return LakeMaker(tmp_path / "lake")


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Pets:
    return Pets(LakeMaker(tmp_path_factory.mktemp("original") / "lake"))


@pytest.fixture
def pets(original: Pets, tmp_path: Path) -> Pets:
    """A lake of one's own to change."""
    mine = copy.deepcopy(original)
    mine.maker.root = tmp_path / "pets"
    shutil.copytree(original.maker.root, mine.maker.root)
    mine.lake = lake.open(str(mine.maker.root))
    return mine
