"""The list of rules and the code that raises them say the same, and a dataset overrides only what it may."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from imagelake.config.dataset_settings import DatasetSettings
from imagelake.errors import ConfigError
from imagelake.quality.catalogue import BY_ID, FLAGGING, OFF, REFUSING, RULES
from imagelake.quality.severities import severities

SRC = Path(__file__).parents[2] / "src" / "imagelake"
LIST = SRC / "quality" / "catalogue"

PUT_TOGETHER = {
    # a zip, a folder and a single document share the checks of their members' names
    "{kind}.name_invalid": {"archive.name_invalid", "folder.name_invalid", "file.name_invalid"},
    "{kind}.path_escape": {"archive.path_escape", "folder.path_escape", "file.path_escape"},
    "{kind}.duplicate_name": {"archive.duplicate_name", "folder.duplicate_name"},
    "{kind}.case_collision": {"archive.case_collision", "folder.case_collision"},
    # folders on a disk and in a bucket share the check, and zips have their own
    "{kind}.empty": {"folder.empty"},
    # images, annotations and categories of a COCO document are read alike
    "{entity}.row_malformed": {"image.row_malformed", "annotation.row_malformed", "category.row_malformed"},
    "{entity}.value_not_finite": {"image.value_not_finite", "annotation.value_not_finite"},
}
"""Ids that the code puts together from two parts, by the f-string that does."""

RAISING = {"problem", "with_message", "Refused", "Unreadable"}
"""What takes a rule id as its first argument."""


@cache
def trees() -> tuple[ast.Module, ...]:
    return tuple(ast.parse(file.read_text("utf-8")) for file in sorted(SRC.rglob("*.py")) if LIST not in file.parents)


def nodes() -> Iterator[ast.AST]:
    return (node for tree in trees() for node in ast.walk(tree))


@cache
def texts() -> frozenset[str]:
    """Every string of the sources but for the list itself."""
    return frozenset(n.value for n in nodes() if isinstance(n, ast.Constant) and isinstance(n.value, str))


@cache
def templates() -> frozenset[str]:
    """Every f-string of one name, a dot and a word, such as {kind}.empty."""
    written = {ast.unparse(node)[2:-1] for node in nodes() if isinstance(node, ast.JoinedStr)}
    return frozenset(text for text in written if re.fullmatch(r"\{\w+\}\.[a-z_0-9]+", text))


def first_arguments(*names: str) -> set[str]:
    calls = (node for node in nodes() if isinstance(node, ast.Call) and node.args)
    named = (call.args[0] for call in calls if ast.unparse(call.func).rpartition(".")[2] in names)
    return {node.value for node in named if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def rule_keywords() -> set[str]:
    values = (node.value for node in nodes() if isinstance(node, ast.keyword) and node.arg == "rule")
    return {node.value for node in values if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_no_rule_is_declared_twice() -> None:
    assert len(BY_ID) == len(RULES)


def test_every_rule_is_raised_by_some_line() -> None:
    raised = texts() | set().union(*PUT_TOGETHER.values())
    assert BY_ID.keys() - raised == set()


def test_every_rule_that_is_raised_is_declared() -> None:
    subjects = "|".join(sorted({rule.id.partition(".")[0] for rule in RULES}))
    named = {text for text in texts() if re.fullmatch(rf"(?:{subjects})\.[a-z_0-9]+", text)}
    assert len(named) > 100
    assert named | first_arguments(*RAISING) | rule_keywords() <= BY_ID.keys()


def test_ids_put_together_are_those_of_the_list() -> None:
    """Every combination is declared, and the f-strings are those that the sources have."""
    endings = {rule.id.partition(".")[2] for rule in RULES}
    assert {text for text in templates() if text.partition(".")[2] in endings} == PUT_TOGETHER.keys()
    assert set().union(*PUT_TOGETHER.values()) <= BY_ID.keys()


def test_what_is_judged_row_by_row_may_be_anything() -> None:
    """An override of a rule that nobody judges by severity would be accepted and do nothing."""
    judged = {BY_ID[rule_id] for rule_id in first_arguments("with_message")}
    assert {rule.choices for rule in judged if rule.severity in FLAGGING} == {(*REFUSING, *FLAGGING, OFF)}


def test_severities_and_what_they_may_become() -> None:
    for rule in RULES:
        assert rule.message is None
        assert not rule.choices or rule.severity in rule.choices
        assert rule.severity in (*REFUSING, *FLAGGING)
        if rule.severity == "reject":
            assert (rule.entity, rule.choices) == ("upload", ()), "only an upload as a whole is rejected by itself"
        if "quarantine" in rule.choices and OFF in rule.choices:
            assert rule.entity in ("image", "annotation"), "only rows can be quarantined"


def test_animations_are_refused_and_that_is_the_one_meaning_of_multi_frame() -> None:
    rule = BY_ID["image.multi_frame"]
    assert (rule.entity, rule.severity, rule.choices) == ("image", "quarantine", REFUSING)
    assert "image.multi_frame" not in first_arguments("with_message")


def test_severities_are_the_defaults_with_the_overrides_of_the_dataset() -> None:
    overrides = {
        "annotation.duplicate": "quarantine",
        "annotation.id_missing": "reject",
        "image.unreadable": "reject",
        "image.small": "info",
        "category.root": "warn",
        "category.similar_name": "reject",
        "upload.labels_not_read": "reject",
        "image.unlisted": "off",
        "annotation.rle_size": "warn",
    }
    effective = severities(DatasetSettings.model_validate({"severities": overrides}))
    assert effective == {rule.id: rule.severity for rule in RULES} | overrides


@pytest.mark.parametrize(
    ("rule_id", "severity", "choices"),
    [
        ("category.similar_name", "quarantine", "reject, warn, info, off"),
        ("upload.labels_not_read", "quarantine", "reject, warn, info, off"),
        ("image.unreadable", "warn", "reject, quarantine"),
        ("annotation.box_degenerate", "off", "reject, quarantine"),
    ],
)
def test_a_severity_that_a_rule_cannot_have_is_an_error(rule_id: str, severity: str, choices: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"severities: {rule_id} cannot be {severity}: ")) as caught:
        severities(DatasetSettings.model_validate({"severities": {rule_id: severity}}))
    assert caught.value.hint == f"it may be {choices}"


def test_unlisted_images_can_be_refused_by_either_setting() -> None:
    assert severities(DatasetSettings())["image.unlisted"] == "warn"
    assert severities(DatasetSettings(unlisted_images="reject"))["image.unlisted"] == "quarantine"
    for unlisted in ("keep", "reject"):
        for severity in REFUSING:
            both = {"unlisted_images": unlisted, "severities": {"image.unlisted": severity}}
            assert severities(DatasetSettings.model_validate(both))["image.unlisted"] == severity


@pytest.mark.parametrize("severity", ["warn", "info", "off"])
def test_two_settings_that_contradict_each_other_are_an_error(severity: str) -> None:
    both = {"unlisted_images": "reject", "severities": {"image.unlisted": severity}}
    with pytest.raises(ConfigError, match=f"image.unlisted is {severity}, and unlisted_images is reject"):
        severities(DatasetSettings.model_validate(both))


@pytest.mark.parametrize("rule_id", [rule.id for rule in RULES if not rule.choices])
def test_a_fact_cannot_be_overridden(rule_id: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"{rule_id} is always {BY_ID[rule_id].severity}: ")):
        severities(DatasetSettings(severities={rule_id: "off"}))


def test_an_unknown_rule_is_named_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match=r"unknown rule image\.smal$") as caught:
        severities(DatasetSettings(severities={"image.smal": "off"}))
    assert caught.value.hint == "did you mean image.small?"
    with pytest.raises(ConfigError, match="unknown rule zzz") as caught:
        severities(DatasetSettings(severities={"zzz": "off"}))
    assert caught.value.hint == "docs/checks.md lists all rules"


def test_the_list_needs_no_spark() -> None:
    code = "import sys\nfor name in ('pyspark', 'py4j', 'delta'): sys.modules[name] = None\n"
    code += "import imagelake.quality.catalogue, imagelake.quality.category_names"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
