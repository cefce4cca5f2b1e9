from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from imagelake.config.settings import MASK, Settings, load, masked, parse_yaml
from imagelake.errors import ConfigError

ROOT = Path(__file__).parents[2]
BARE: dict[str, str] = {}


def overlay(folder: Path, text: str) -> Path:
    file = folder / "overlay.yaml"
    file.write_text(text, "utf-8")
    return file


def keys(model: type[BaseModel], prefix: str = "") -> set[str]:
    found = set()
    for name, known in model.model_fields.items():
        block = known.annotation
        nested = isinstance(block, type) and issubclass(block, BaseModel)
        found |= keys(block, f"{prefix}{name}.") if nested else {prefix + name}
    return found


def leaves(data: dict[str, Any], prefix: str = "") -> set[str]:
    found = set()
    for name, value in data.items():
        found |= leaves(value, f"{prefix}{name}.") if isinstance(value, dict) and value else {prefix + name}
    return found


def test_conf_base_holds_every_key_with_a_comment() -> None:
    text = (ROOT / "conf" / "base.yaml").read_text("utf-8")
    assert leaves(yaml.safe_load(text)) == keys(Settings)
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert [line for line in lines if "#" not in line and not line.endswith(":")] == []


def test_conf_base_gives_the_defaults_of_the_code() -> None:
    assert load(None, (), BARE) == Settings()


def test_an_overlay_changes_what_it_names_and_set_wins_over_it(tmp_path: Path) -> None:
    file = overlay(tmp_path, "spark:\n  shuffle_partitions: 8\n  ui: true\nlake: /there\n")
    found = load(file, ["spark.shuffle_partitions=16", "log.level=INFO"], BARE)
    assert (found.spark.shuffle_partitions, found.spark.ui, found.lake) == (16, True, "/there")
    assert found.log.level == "INFO"
    assert found.ingest == Settings().ingest


def test_the_environment_is_put_in_where_it_is_named(tmp_path: Path) -> None:
    file = overlay(tmp_path, "lake: ${WHERE}/${SUB:-lakes}/x\n")
    assert load(file, (), {"WHERE": "/a"}).lake == "/a/lakes/x"
    assert load(file, (), {"WHERE": "/a", "SUB": "b"}).lake == "/a/b/x"
    assert load(None, (), {"XDG_CACHE_HOME": "/cache"}).spark.jar_cache == "/cache/imagelake/jars"
    with pytest.raises(ConfigError, match=r"overlay\.yaml: environment variable WHERE is not set"):
        load(file, (), {})


@given(st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), max_size=30))
def test_a_value_from_the_environment_is_never_read_as_a_setting_itself(value: str) -> None:
    """A password may hold ${…}, a colon or a quote."""
    settings = load(None, (), {"XDG_CACHE_HOME": value})
    assert settings.spark.jar_cache == f"{value}/imagelake/jars"


@pytest.mark.parametrize(
    ("text", "names", "hint"),
    [
        ("sprak:\n  ui: true\n", "unknown key sprak", "did you mean spark?"),
        ("spark:\n  drivermemory: 1g\n", r"unknown key spark\.drivermemory", "did you mean spark.driver_memory?"),
        ("lease:\n  zzz: 1\n", r"unknown key lease\.zzz", "known here: ttl_seconds, wait_seconds"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_known_one(tmp_path: Path, text: str, names: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=names) as told:
        load(overlay(tmp_path, text), (), BARE)
    assert told.value.hint == hint


@pytest.mark.parametrize(
    ("item", "names"),
    [
        ("spark.shuffle_partitions=0", r"spark\.shuffle_partitions = 0"),
        ("spark.shuffle_partitions=many", "valid integer"),
        ("ingest.keep_archive_share=1.5", "less than or equal to 1"),
        ("spark=5", "spark = 5"),
        ("spark.conf=[a]", r"spark\.conf"),
        ("no-equals", "not of the form key=value"),
        ("=5", "not of the form key=value"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(item: str, names: str) -> None:
    with pytest.raises(ConfigError, match=names):
        load(None, [item], BARE)


@pytest.mark.parametrize(
    "text", ["a: [1", "- 1\n- 2\n", "just text", "a: !!python/object:os.system x", "\tx: 1", "a: *b"]
)
def test_a_broken_or_hostile_file_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"overlay\.yaml"):
        load(overlay(tmp_path, text), (), BARE)


def test_aliases_are_refused_before_they_grow() -> None:
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"
    with pytest.raises(ConfigError, match="aliases"):
        parse_yaml(bomb, "x.yaml")


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.yaml: No such file"):
        load(tmp_path / "gone.yaml", (), BARE)


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert load(overlay(tmp_path, "# nothing yet\n"), (), BARE) == Settings()


def test_secrets_are_masked_wherever_they_stand() -> None:
    settings = load(None, ["spark.conf={fs.s3a.secret.key: hush, fs.s3a.access.key: AKIA, spark.x: y}"], BARE)
    assert masked(settings)["spark"]["conf"] == {"fs.s3a.secret.key": MASK, "fs.s3a.access.key": MASK, "spark.x": "y"}


def test_a_secret_of_the_wrong_kind_is_not_shown_in_the_error() -> None:
    with pytest.raises(ConfigError) as told:
        load(None, ["spark.conf={fs.s3a.secret.key: [hush]}"], BARE)
    assert "hush" not in told.value.message


def test_settings_cannot_be_changed_later() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(None, (), BARE).lake = "/elsewhere"  # type: ignore[misc]


@pytest.mark.parametrize("word", ["off", "no", "on", "yes", "Off", "y"])
def test_words_that_older_yaml_takes_for_booleans_are_text(word: str) -> None:
    """A severity is off, and a class may be called yes."""
    assert parse_yaml(f"severities: {{image.mode: {word}}}\nclasses: [{word}]", "x.yaml") == {
        "severities": {"image.mode": word},
        "classes": [word],
    }


def test_true_and_false_are_booleans() -> None:
    assert parse_yaml("browse: true\nstratify: False", "x.yaml") == {"browse": True, "stratify": False}
