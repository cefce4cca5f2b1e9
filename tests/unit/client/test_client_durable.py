"""What a labelling tool was told is saved survives a power cut on local disk: strace sees the order."""

from __future__ import annotations

import json
from pathlib import Path

from labelling import CAT, REF, files, image

from pet_lake import Pets
from syscalls import Call, traced

SAVES = """
import json, sys
import imagelake

lake = imagelake.open(sys.argv[1])
lake.save_labels(sys.argv[2], "a.png", [json.loads(sys.argv[3])], "ann", base=sys.argv[4])
"""

REMOVES = """
import sys
from imagelake.storage import open_storage

open_storage(sys.argv[1]).delete_all(["labels/pets/x/1.json", "labels/pets/y/2.json", "absent"])
"""


def test_a_save_and_its_folders_are_synced_before_it_is_said(pets: Pets, tmp_path: Path) -> None:
    root = pets.maker.root
    calls = traced(tmp_path, SAVES, str(root), REF, json.dumps(CAT), image(pets.lake).etag)
    (path,) = files(pets.lake)
    named = calls.index(Call("name", str(root / path)))
    assert Call("sync", str(calls[named].source)) in calls[:named], "its bytes, under the name they had then"
    after = {call.path for call in calls[named:] if call.kind == "sync"}
    assert {str(folder) for folder in (root / path).parents if folder.is_relative_to(root)} <= after


def test_a_save_that_is_withdrawn_stays_away(tmp_path: Path) -> None:
    saves = [tmp_path / "lake/labels/pets" / name for name in ("x/1.json", "y/2.json")]
    for save in saves:
        save.parent.mkdir(parents=True)
        save.touch()
    calls = traced(tmp_path, REMOVES, str(tmp_path / "lake"))
    for save in saves:
        removed = calls.index(Call("remove", str(save)))
        assert Call("sync", str(save.parent)) in calls[removed:]
