from __future__ import annotations

import re
from pathlib import Path

import pytest
from documents import ROOT, check, commands

README = ROOT / "README.md"


def test_the_first_two_commands_are_make_targets() -> None:
    first = commands(README)[:2]
    assert first == [["make", "demo"], ["make", "test"]]
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= targets


@pytest.mark.parametrize("words", [w for w in commands(README) if w[0] == "imagelake"], ids=" ".join)
def test_a_command_is_one_the_parser_accepts(words: list[str]) -> None:
    check(words[1:])


def test_installing_names_the_package_and_an_extra_it_has() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    extras = set(re.findall(r"^(\w+) = \[$", text, re.MULTILINE))
    for words in commands(README):
        if words[0] == "pip":
            name, _, extra = words[2].partition("[")
            assert name == "imagelake"
            assert extra.rstrip("]") in extras | {""}


def test_files_it_names_are_there() -> None:
    for path in re.findall(r"\]\(([^)]+)\)", README.read_text("utf-8")):
        assert (ROOT / Path(path)).exists(), path


def test_the_sample_output_is_that_of_the_demo() -> None:
    shown = README.read_text("utf-8").partition("<!-- demo output -->")[2].partition("<!-- end of demo output -->")[0]
    for line in ("published shapes@v1", "published shapes@v2", "test: ", "Try next"):
        assert line in shown
