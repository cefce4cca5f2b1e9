"""What the suites of whole tables ask for, and which files are a dataset's own suites. Without Spark's Java."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagelake.config.dataset_settings import DatasetSettings, GateSettings, RuleThreshold
from imagelake.errors import ConfigError
from imagelake.quality.catalogue import BY_ID
from imagelake.quality.suites.checks import BY_RULE, checks
from imagelake.quality.suites.expected import Expected
from imagelake.quality.suites.own import own_suites
from imagelake.quality.suites.state import TABLES, silver_states
from imagelake.quality.suites.table_suites import table_suite
from imagelake.storage.local import LocalStorage
from imagelake.tables import silver
from imagelake.tables.spec import TableSpec


def expectations(spec: TableSpec, settings: DatasetSettings, rows: int = 4, judged: int = 10) -> tuple[Expected, ...]:
    suite = table_suite(spec, "pets", settings, rows, judged)
    assert suite.name == f"{spec.name}.pets"
    return suite.expectations


def columns_of(kind: str, found: tuple[Expected, ...]) -> list[str]:
    return [one.arguments["column"] for one in found if one.type == f"expect_column_{kind}"]


@pytest.mark.parametrize("spec", TABLES, ids=lambda spec: spec.name)
def test_every_table_has_its_rows_its_columns_and_its_key(spec: TableSpec) -> None:
    found = expectations(spec, DatasetSettings())
    count = next(one for one in found if one.type == "expect_table_row_count_to_be_between")
    assert count.arguments == {"min_value": 4, "max_value": 4}
    columns = next(one for one in found if one.type == "expect_table_columns_to_match_set")
    assert columns.arguments["column_set"] == list(spec.names)
    assert set(spec.key) <= set(columns_of("values_to_not_be_null", found))
    assert spec.key[-1] in columns_of("proportion_of_unique_values_to_be_between", found)
    assert {one.arguments["column"] for one in found if "column" in one.arguments} <= {
        *spec.names,
        *(check.column for check in checks(spec.name)),
    }


@pytest.mark.parametrize("spec", TABLES, ids=lambda spec: spec.name)
def test_an_empty_table_has_no_key_to_be_unique(spec: TableSpec) -> None:
    found = expectations(spec, DatasetSettings(), rows=0)
    assert columns_of("proportion_of_unique_values_to_be_between", found) == []


def test_a_table_needs_the_images_that_the_gate_asks_for() -> None:
    settings = DatasetSettings(gate=GateSettings(min_images=7))
    asked = [one for one in expectations(silver.IMAGES, settings) if one.origin == "gate.min_images"]
    assert [one.arguments for one in asked] == [{"min_value": 7}]


def test_only_rules_that_refuse_must_not_be_broken() -> None:
    strict = DatasetSettings(severities={"image.mode": "reject", "annotation.rle_size": "warn"})
    for settings, mode, size in ((DatasetSettings(), False, True), (strict, True, False)):
        images = columns_of("values_to_be_null", expectations(silver.IMAGES, settings))
        annotations = columns_of("values_to_be_null", expectations(silver.ANNOTATIONS, settings))
        assert ("breaks_image_mode" in images) == mode
        assert ("breaks_annotation_rle_size" in annotations) == size
        assert "breaks_annotation_box_degenerate" in annotations


def test_rules_that_are_judged_on_stored_rows_exist_and_judge_rows() -> None:
    for table, rules in BY_RULE.items():
        assert {BY_ID[rule].entity for rule in rules} == {table.removeprefix("silver.").removesuffix("s")}


def test_thresholds_of_rules_become_numbers_of_rows() -> None:
    rules = {"image.small": RuleThreshold(max_count=3, max_share=0.25)}
    settings = DatasetSettings(gate=GateSettings(rules=rules))
    for spec in (silver.IMAGES, silver.ANNOTATIONS, silver.REJECTIONS):
        sums = [one for one in expectations(spec, settings) if one.type == "expect_column_sum_to_be_between"]
        assert [(one.arguments["column"], one.arguments["max_value"]) for one in sums] == [
            ("flagged_image_small", 3),
            ("flagged_image_small", 2),
        ]
    assert "flagged_image_small" not in str(expectations(silver.CATEGORIES, settings))


def test_a_threshold_of_a_rule_that_does_not_exist_is_named() -> None:
    settings = DatasetSettings(gate=GateSettings(rules={"image.smal": RuleThreshold(max_count=3)}))
    with pytest.raises(ConfigError, match=r"gate.rules: unknown rule image.smal"):
        expectations(silver.IMAGES, settings)


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path)


def test_a_file_belongs_to_what_its_name_begins_with(storage: LocalStorage) -> None:
    for file in ("measures.json", "measures.size.json", "silver.images.JSON", "silver.rejections-old.json", "notes.md"):
        storage.put(f"datasets/pets.gx/{file}", b"{}")
    own = own_suites(storage, "pets")
    assert [suite.name for suite in own.of("measures")] == ["measures.own.pets", "measures.size.pets"]
    assert [(s.name, s.file) for s in own.of("silver.images")] == [
        ("silver.images.own.pets", "datasets/pets.gx/silver.images.JSON")
    ]
    assert [suite.name for suite in own.of("silver.rejections")] == ["silver.rejections.old.pets"]
    assert own.of("silver.annotations") == ()
    assert own_suites(storage, "dogs").of("measures") == ()


@pytest.mark.parametrize("file", ["images.json", "silver.image.json", "measures/sub.json", "measuresx.json", ".json"])
def test_a_file_that_names_no_table_is_named_with_what_is_allowed(storage: LocalStorage, file: str) -> None:
    storage.put(f"datasets/pets.gx/{file}", b"{}")
    with pytest.raises(ConfigError, match=rf"datasets/pets.gx/{file} names nothing that a suite") as caught:
        own_suites(storage, "pets")
    assert "measures, silver.images, silver.annotations, silver.categories, silver.rejections" in str(caught.value.hint)


def test_two_files_of_one_name_are_named(storage: LocalStorage) -> None:
    for file in ("measures.json", "measures.own.json"):
        storage.put(f"datasets/pets.gx/{file}", b"{}")
    with pytest.raises(ConfigError, match=r"another file is the suite measures.own.pets too"):
        own_suites(storage, "pets")


def test_the_state_of_a_dataset_follows_settings_and_suites(storage: LocalStorage) -> None:
    def state() -> str:
        return silver_states(storage, ["pets"])["pets"]

    states = [state()]
    for path in ("datasets/pets.yaml", "datasets/pets.gx/measures.json"):
        for text in (b"{}", b"{ }"):
            storage.put(path, text)
            states.append(state())
    assert len(set(states)) == 5
    assert state() == states[-1]
    storage.put("datasets/dogs.yaml", b"{}")
    assert state() == states[-1]
