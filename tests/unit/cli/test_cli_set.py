"""`set D KEY=VALUE`: settings of a dataset, checked and written in one step."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imagelake.cli.main import main
from imagelake.config.dataset_settings import load_dataset_settings
from imagelake.runs.context import system_clock
from imagelake.storage.open_lake import create_lake, open_lake


@pytest.fixture
def lake(tmp_path: Path) -> str:
    return create_lake(str(tmp_path / "lake"), system_clock).storage.root


def test_settings_are_changed_and_the_difference_is_shown(lake: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["set", "pets", "storage=packages", "gate.min_images=10", "--lake", lake]) == 0
    assert "pets: gate.min_images: 1 → 10" in capsys.readouterr().out
    settings = load_dataset_settings(open_lake(lake).storage, "pets")
    assert (settings.storage, settings.gate.min_images) == ("packages", 10)
    assert main(["set", "pets", "storage=objects", "--lake", lake, "--json"]) == 0
    changes = json.loads(capsys.readouterr().out)["changes"]
    assert changes == [{"key": "storage", "before": "packages", "after": "objects"}]
    assert load_dataset_settings(open_lake(lake).storage, "pets").gate.min_images == 10, "others stay"


def test_the_same_value_again_writes_nothing(lake: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["set", "pets", "browse=true", "--lake", lake])
    path = open_lake(lake).storage.stat("datasets/pets.yaml")
    assert main(["set", "pets", "browse=true", "--lake", lake]) == 0
    assert "nothing is different" in capsys.readouterr().out
    assert open_lake(lake).storage.stat("datasets/pets.yaml") == path


@pytest.mark.parametrize(
    ("assignment", "said"),
    [("storge=zip", "storage"), ("storage=tar", "'auto', 'zip', 'objects' or 'packages'"), ("storage", "key=value")],
)
def test_a_wrong_key_or_value_is_named_and_changes_nothing(
    lake: str, assignment: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["set", "pets", assignment, "--lake", lake]) == 2
    assert said in capsys.readouterr().err
    assert open_lake(lake).storage.stat("datasets/pets.yaml") is None


def test_comments_are_not_lost(lake: str, capsys: pytest.CaptureFixture[str]) -> None:
    storage = open_lake(lake).storage
    storage.put("datasets/pets.yaml", b"browse: true  # the tool shows them\n")
    assert main(["set", "pets", "report=true", "--lake", lake]) == 2
    assert "has comments" in capsys.readouterr().err
    assert b"the tool shows them" in storage.read("datasets/pets.yaml")


def test_no_lake_is_made(tmp_path: Path) -> None:
    assert main(["set", "pets", "browse=true", "--lake", str(tmp_path / "none")]) == 6
    assert not (tmp_path / "none").exists()
