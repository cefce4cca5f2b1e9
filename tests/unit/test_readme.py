from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from documents import ROOT, check, commands
from PIL import Image

from lakes import LakeMaker
from pet_lake import Pets

README = ROOT / "README.md"
SCALE = ROOT / "docs" / "scale.md"


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


def test_its_picture_is_small_and_made_by_the_script() -> None:
    picture, script = ROOT / "docs" / "shapes.png", runpy.run_path(str(ROOT / "docs" / "picture.py"))
    assert f"](docs/{picture.name})" in README.read_text("utf-8")
    assert picture.stat().st_size < 100_000
    with Image.open(picture) as image:
        assert image.size == script["sheet"]([]).size


def test_the_script_draws_the_labels_of_a_version(tmp_path: Path) -> None:
    script = runpy.run_path(str(ROOT / "docs" / "picture.py"))
    samples = script["some"](Pets(LakeMaker(tmp_path / "lake")).lake.load("pets@v3"))
    assert len(samples) > 1
    colours = {tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5)) for colour in script["COLOURS"]}
    drawn = script["sheet"](samples).getcolors(1 << 20)
    assert len(colours & {colour for _, colour in drawn}) == len({a.category for s in samples for a in s.annotations})


def test_the_sizes_it_names_are_those_of_the_page_of_scale() -> None:
    first_table = SCALE.read_text("utf-8").partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \|[^|]+\|[^|]+\| ([\d,]+\.?\d*) \|", first_table, re.MULTILINE)
    seconds = {name: float(value.replace(",", "")) for name, value in rows}
    whole = sum(seconds[step] for step in ("ingest", "build", "publish, a first version"))
    text = README.read_text("utf-8")
    assert f"take {whole:,.0f} CPU seconds together" in text
    assert f"run of 10 further images {seconds['run of 10 new images, publish included']:.0f}," in text
    assert f"`load` of the whole version {seconds['load']:.0f} " in text
