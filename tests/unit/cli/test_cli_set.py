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


@pytest.mark.parametrize(
    ("assignment", "hint"),
    [
        ("storge=zip", "did you mean storage?"),
        ("gate.min_image=3", "did you mean gate.min_images?"),
        ("min_images=3", "did you mean gate.min_images?"),
        ("severities.image.smal=off", "did you mean image.small?"),
        ("gate.rules.image.smal.max_count=3", "did you mean image.small?"),
    ],
)
def test_an_unknown_key_or_rule_is_answered_with_the_nearest(
    lake: str, assignment: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["set", "pets", assignment, "--lake", lake]) == 2
    assert f"hint: {hint}" in capsys.readouterr().err
    assert open_lake(lake).storage.stat("datasets/pets.yaml") is None


def test_rules_are_set_by_their_ids_dots_and_all(lake: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["severities.image.small=off", "gate.rules.image.small.max_count=3", "renames.a.b=c"]
    assert main(["set", "pets", *line, "--lake", lake]) == 0
    assert "pets: severities.image.small: None → off" in capsys.readouterr().out
    settings = load_dataset_settings(open_lake(lake).storage, "pets")
    assert (settings.severities, settings.renames) == ({"image.small": "off"}, {"a.b": "c"})
    assert settings.gate.rules["image.small"].max_count == 3


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("severities.image.unreadable=warn", "it may be reject, quarantine"),
        ("splits.fractions={a: 0.5, b: 0.2}", "sum to 1, not to 0.7"),
    ],
)
def test_what_a_publish_would_refuse_is_not_set(
    lake: str, assignment: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["set", "pets", assignment, "--lake", lake]) == 2
    assert said in capsys.readouterr().err
    assert open_lake(lake).storage.stat("datasets/pets.yaml") is None


def test_show_lists_the_settings_in_force_and_where_each_comes_from(
    lake: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["set", "pets", "gate.min_images=10", "storage=auto", "--lake", lake])
    main(["set", "pets", "severities.image.small=off", "--lake", lake])
    capsys.readouterr()
    assert main(["show", "pets", "--settings", "--lake", lake]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["gate.min_images", "10", "set"] in rows
    assert ["splits.seed", "0", "default"] in rows
    assert main(["show", "pets", "--settings", "--lake", lake, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["dataset"], document["path"]) == ("pets", "datasets/pets.yaml")
    settings = {row["key"]: row for row in document["settings"]}
    assert settings["gate.min_images"] == {"key": "gate.min_images", "value": 10, "default": 1, "source": "set"}
    assert (settings["severities"]["value"], settings["severities"]["source"]) == ({"image.small": "off"}, "set")
    assert settings["title"]["source"] == "default"


@pytest.mark.parametrize(
    ("line", "code"), [(["cats", "--settings"], 6), (["--settings"], 2), (["pets@v1", "--settings"], 2)]
)
def test_settings_are_shown_of_one_dataset_that_there_is(lake: str, line: list[str], code: int) -> None:
    assert main(["show", *line, "--lake", lake]) == code


def test_doctor_names_every_wrong_setting_of_every_dataset(lake: str, capsys: pytest.CaptureFixture[str]) -> None:
    storage = open_lake(lake).storage
    storage.put("datasets/birds.yaml", b"browse: true\n")
    main(["doctor", "--lake", lake, "--json"])
    checks = json.loads(capsys.readouterr().out)["checks"]
    (check,) = [c for c in checks if c["name"] == "settings"]
    assert (check["ok"], check["message"]) == (True, "those of 1 dataset are valid")
    storage.put("datasets/cats.yaml", b"storage: tar\ngate: {min_image: 3}\n")
    storage.put("datasets/dogs.yaml", b"severities: {image.smal: warn, image.unreadable: warn}\n")
    storage.put("datasets/eels.yaml", b"a: [\n")
    storage.put("datasets/eels.gx/own.yaml", b"a: [\n")
    assert main(["doctor", "--lake", lake, "--json"]) == 2
    checks = json.loads(capsys.readouterr().out)["checks"]
    wrong = [(c["message"], c["hint"]) for c in checks if c["name"] == "settings" and not c["ok"]]
    assert [message.partition(":")[0] for message, _ in wrong] == ["cats", "cats", "dogs", "dogs", "eels"]
    by_key = {
        key: pair for pair in wrong for key in ("storage", "min_image", "image.smal:", "unreadable") if key in pair[0]
    }
    assert "storage = 'tar': Input should be 'auto', 'zip', 'objects' or 'packages'" in by_key["storage"][0]
    assert by_key["min_image"][1] == "did you mean gate.min_images?"
    assert by_key["unreadable"][1] == "it may be reject, quarantine"
    assert all("\n" not in message for message, _ in wrong)
