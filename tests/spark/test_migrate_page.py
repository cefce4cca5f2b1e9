"""The commands of docs/migrate.md, as somebody types them."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tests.spark import helpers

import imagelake

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.nightly
TAGS = (("first", 3), ("same", 3), ("second", 2))
"""In this order also by name: they are made within one second."""


def block(words: str) -> str:
    """The one block of shell on the page that has these words."""
    page = (ROOT / "docs/migrate.md").read_text("utf-8")
    (text,) = [text for text in re.findall(r"```(?:sh|bash)\n(.*?)```", page, re.DOTALL) if words in text]
    return text


def run(script: str, folder: Path, lake: Path) -> None:
    """A script in a folder, with `dvc`, which has nothing to do here, and `imagelake` on its path."""
    programs = folder / ".programs"
    programs.mkdir(exist_ok=True)
    for name, line in (("dvc", "exit 0"), ("imagelake", f'exec "{sys.executable}" -m imagelake "$@"')):
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(stat.S_IRWXU)
    environ = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "IMAGELAKE_LAKE": str(lake)}
    done = subprocess.run(["bash", "-ec", script], cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def test_each_tag_becomes_a_version_with_its_note(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    git(repository, "init", "--quiet")
    (repository / ".git/info/exclude").write_text(".programs\n")
    for tag, count in TAGS:
        for path in sorted((repository / "data").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        for name, data in helpers.small(count).files().items():
            path = repository / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        (repository / "README").write_text(tag)
        git(repository, "add", "--all")
        git(repository, "commit", "--quiet", "-m", tag)
        git(repository, "tag", tag)
    run(block("git tag"), repository, tmp_path / "lake")
    shown = imagelake.open(str(tmp_path / "lake")).show("pets").as_json()
    versions = {row["version"]: row for row in shown["versions"]}
    assert [row["images"] for row in versions.values()] in ([2, 3], [3, 2]), "the tag that changes nothing made none"
    uploads = imagelake.open(str(tmp_path / "lake")).sql("select note from uploads order by sequence").rows
    assert uploads == (("first",), ("second",))


def test_an_export_of_roboflow_keeps_its_splits(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pets.v3i.coco.zip", "w") as archive:
        archive.writestr("README.roboflow.txt", "exported")
        for number, split in enumerate(("train", "valid", "test")):
            name = f"{split}_jpg.rf.{number}.jpg"
            archive.writestr(f"{split}/{name}", helpers.picture(number))
            document = {
                "images": [{"id": 0, "file_name": name, "width": 64, "height": 48}],
                "categories": [
                    {"id": 0, "name": "animals", "supercategory": "none"},
                    {"id": 1, "name": "cat", "supercategory": "animals"},
                ],
                "annotations": [
                    {"id": 0, "image_id": 0, "category_id": 1, "bbox": [1, 1, 9, 9], "area": 81, "iscrowd": 0}
                ],
            }
            archive.writestr(f"{split}/_annotations.coco.json", json.dumps(document))
    run(block("Roboflow v3"), tmp_path, tmp_path / "lake")
    lake = imagelake.open(str(tmp_path / "lake"))
    assert {s.split for s in lake.load("pets")} == {"train", "val", "test"}
    assert lake.load("pets").class_indexes == {"cat": 0}


def test_a_folder_is_taken_as_a_prefix_of_a_bucket_would_be(tmp_path: Path) -> None:
    for name, data in helpers.small(3).files().items():
        (tmp_path / "pets" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pets" / name).write_bytes(data)
    run(block("s3://datasets/pets").replace("s3://datasets/pets", "pets"), tmp_path, tmp_path / "lake")
    assert len(imagelake.open(str(tmp_path / "lake")).load("pets")) == 3
