"""docs/architecture.md names files and functions that exist, and the layers that test_architecture.py checks."""

from __future__ import annotations

import ast
import re

import pytest
from documents import ROOT
from test_architecture import APART, FORBIDDEN, LAYERS

TEXT = (ROOT / "docs" / "architecture.md").read_text("utf-8")
HOPS = re.findall(r"^\d+\. `([\w/]+\.py)`, `(\w+)`: ", TEXT, re.MULTILINE)


def section(title: str) -> str:
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def parts(cell: str) -> set[str]:
    return set(re.findall(r"`([\w.]+)`", cell))


def test_every_numbered_line_is_a_hop_with_a_file_and_a_function() -> None:
    ways = section("The way of an upload") + section("The way of a read")
    assert len(HOPS) == len(re.findall(r"^\d+\.", ways, re.MULTILINE)) > 20


@pytest.mark.parametrize(("file", "function"), HOPS, ids=str)
def test_the_function_of_a_hop_is_in_its_file(file: str, function: str) -> None:
    path = ROOT / file if file.startswith("jobs/") else ROOT / "src" / "imagelake" / file
    names = {node.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef)}
    assert function in names


def test_every_file_it_names_exists() -> None:
    named = set(re.findall(r"`([\w/]+\.py)`", TEXT))
    roots = (ROOT, ROOT / "src" / "imagelake")
    assert [file for file in named if not any((root / file).is_file() for root in roots)] == []


def test_its_layers_are_those_that_are_checked() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", section("Who may import whom"), re.MULTILINE)
    assert [(int(number), parts(cell)) for number, cell in rows] == list(enumerate(LAYERS, 1))


def test_parts_apart_are_those_that_are_checked() -> None:
    rows = section("Who may import whom").partition("| apart |")[2].splitlines()
    assert [parts(row) for row in rows if row.startswith("| `")] == list(APART)


def test_parts_without_spark_are_those_that_are_checked() -> None:
    (sentence,) = (s for s in section("Who may import whom").split("\n") if s.startswith("These never import Spark"))
    assert parts(sentence) == {part for part, packages in FORBIDDEN.items() if "pyspark" in packages}
