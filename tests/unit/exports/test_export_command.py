"""`imagelake get REF DEST --format F`: what is said on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from zoo import zoo

from imagelake.cli.main import main
from imagelake.exports.formats import NAMES
from lakes import LakeMaker

WITHOUT = ("numpy", "msgspec", "defusedxml", "pandas", "pyspark", "py4j", "delta", "great_expectations")


@pytest.fixture
def lake(maker: LakeMaker, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("IMAGELAKE_CONF", raising=False)
    zoo(maker)
    return str(maker.root)


def test_losses_and_notes_are_in_the_document(lake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["get", "zoo", str(tmp_path / "out"), "--format", "yolo", "--lake", lake, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["format"] == "yolo"
    assert document["losses"]["crowd annotations: a row stands for one object"] == 1
    assert document["unlabelled"] == 1
    assert document["is_new"]
    assert (tmp_path / "out/data.yaml").is_file()


def test_people_are_told_what_is_left_out(lake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["get", "zoo@v1", str(tmp_path / "out"), "--format", "voc", "--lake", lake]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "5 images of zoo@v1.1 as voc" in text
    assert "left out: 1 images that nobody labelled (--unlabelled takes them)" in text
    assert "not in this format: 1 class annotations: the format holds boxes" in text
    assert "EXIF turns 1 images" in text


def test_unlabelled_images_come_when_asked_for(lake: str, tmp_path: Path) -> None:
    assert main(["get", "zoo", str(tmp_path / "out"), "--format", "coco", "--lake", lake, "--unlabelled"]) == 0
    (image,) = [path for path in (tmp_path / "out/test").iterdir() if path.name == "new.png"]
    listed = json.loads((tmp_path / "out/annotations/instances_test.json").read_bytes())["images"]
    assert image.name in {entry["file_name"] for entry in listed}


def test_a_selection_that_a_format_refuses_is_a_usage_error(
    lake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["get", "zoo", str(tmp_path / "out"), "--format", "imagefolder", "--split", "train", "--lake", lake]
    assert main(argv) == 2
    assert "no image of" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_packages_of_the_client_are_enough(lake: str, tmp_path: Path) -> None:
    code = f"import sys\nfor name in {WITHOUT}: sys.modules[name] = None\n"
    code += "from imagelake.client import lake\nopened = lake.open(sys.argv[1])\n"
    code += "for name in sys.argv[2:]: opened.get('zoo', name, format=name)"
    done = subprocess.run([sys.executable, "-c", code, lake, *NAMES], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all((tmp_path / name / "export.imagelake").is_file() for name in NAMES)
