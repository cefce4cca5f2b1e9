"""What is no good annotation is not saved, and what is no good save is not shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from labelling import CAT, REF, boxes, files, image, put

from imagelake.client.labelling.label_check import FAR, KINDS
from imagelake.errors import LakeFormatError, NotFound, UsageError
from imagelake.formats import labels
from imagelake.storage.label_paths import MAGIC, folder_of, save_name
from pet_lake import Pets

BAD: list[tuple[Any, str]] = [
    ({**CAT, "bbox": [0, 0, float("nan"), 1]}, "finite"),
    ({**CAT, "bbox": [0, 0, float("inf"), 1]}, "finite"),
    ({**CAT, "bbox": [0, 0, 10**400, 1]}, "finite"),
    ({**CAT, "bbox": [0, 0, "1", 1]}, "no number"),
    ({**CAT, "bbox": [0, 0, True, 1]}, "no number"),
    ({**CAT, "bbox": [0, 0, 1]}, "four numbers"),
    ({**CAT, "bbox": None}, "no bbox"),
    ({**CAT, "bbox": [0, 0, 0, 1]}, "positive"),
    ({**CAT, "bbox": [0, 0, 1, -1]}, "positive"),
    ({**CAT, "bbox": [8, 0, 1, 1]}, "outside the image of 8 x 6"),
    ({**CAT, "bbox": [0, 0, 81, 1]}, "more than 10 image sides"),
    ({**CAT, "category": ""}, "category"),
    ({**CAT, "category": "  "}, "category"),
    ({**CAT, "category": None}, "category"),
    ({**CAT, "category": "x" * 256}, "category"),
    ({**CAT, "category": "\ud800"}, "not Unicode"),
    ({**CAT, "kind": "circle"}, "kind 'circle'"),
    ({**CAT, "kind": "polygon"}, "kind 'polygon' is not among those saved: box"),
    ({**CAT, "attributes": [1]}, "JSON object"),
    ({**CAT, "attributes": {"a": float("nan")}}, "JSON cannot hold"),
    ({**CAT, "attributes": {"a": {1: 2}}}, "no text"),
    ({**CAT, "attributes": {"a": object()}}, "JSON cannot hold"),
    ({**CAT, "attributes": {"a": 1 << 64}}, "JSON cannot hold"),
    ({**CAT, "is_crowd": "yes"}, "is_crowd"),
    ({**CAT, "keypoints": [1, 2, 2]}, "keypoints"),
    ({**CAT, "polygons": [[0, 0, 1, 0, 1, 1]]}, "belong to the kind polygon"),
    ({**CAT, "bboxx": 1}, "'bboxx' is unknown"),
    ("cat", "no annotation"),
    (None, "no annotation"),
]


@pytest.mark.parametrize(("annotation", "said"), BAD)
def test_a_bad_annotation_is_refused_by_its_place_and_nothing_is_saved(pets: Pets, annotation: Any, said: str) -> None:
    with pytest.raises(UsageError, match=rf"^annotations\[1\]: .*{said}"):
        put(pets.lake, [CAT, annotation])
    assert files(pets.lake) == []


MASKS: list[tuple[Any, str]] = [
    (None, "size"),
    ({"size": [6, 8]}, "size"),
    ({"size": [8, 6], "counts": [48]}, "height 6 and width 8"),
    ({"size": [6, 8], "counts": [4, 4]}, "cover"),
    ({"size": [6, 8], "counts": [-4, 52]}, "run lengths"),
    ({"size": [6, 8], "counts": ""}, "run lengths"),
    ({"size": [6, 8], "counts": "~~"}, "run lengths"),
    ({"size": [6, 8], "counts": "PPPPPPPPPPPPPPPPPPPP0"}, "run lengths"),
    ({"size": [6, 8], "counts": "PP"}, "run lengths"),
]


@pytest.mark.parametrize(("mask", "said"), MASKS)
def test_a_bad_mask_is_refused(pets: Pets, mask: Any, said: str) -> None:
    annotation = {"kind": "rle", "category": "cat", "bbox": [0, 0, 2, 2], "rle": mask}
    with pytest.raises(UsageError, match=said):
        put(pets.lake, [annotation], kinds=["rle"])


@pytest.mark.parametrize("polygons", [None, [], [[]], [[0, 0, 1, 1]], [[0, 0, 1, 1, 2]], [[0, 0, 1, 1, 2, 81]], "x"])
def test_a_bad_polygon_is_refused(pets: Pets, polygons: Any) -> None:
    with pytest.raises(UsageError, match="polygon"):
        put(pets.lake, [{"kind": "polygon", "category": "cat", "polygons": polygons}], kinds=["polygon"])


def test_the_rest_of_a_save_is_checked_too(pets: Pets) -> None:
    for options in ({"kinds": ()}, {"kinds": ("box", "circle")}, {"by": ""}, {"by": None}, {"base": " "}):
        with pytest.raises(UsageError):
            put(pets.lake, [CAT], **options)
    with pytest.raises(NotFound, match=r"no image 'nope\.png'"):
        put(pets.lake, [CAT], key="nope.png", base="x")
    with pytest.raises(UsageError, match="10000"):
        put(pets.lake, [CAT] * 10_001)
    with pytest.raises(UsageError, match="bytes"):
        put(pets.lake, [{**CAT, "attributes": {"a": "x" * (9 << 20)}}])
    assert files(pets.lake) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"1" * 5000,
        b"[" * 100_000,
        b"{}",
        b'{"imagelake_labels": "1"}',
        b'{"imagelake_labels": 1}',
        b'{"imagelake_labels": 1, "image_key": "a.png", "width": 8, "height": 6, "by": "x", "at": "", "base": "", '
        b'"kinds": ["box", {}], "annotations": []}',
        b'{"imagelake_labels": 1, "image_key": "b.png", "width": 8, "height": 6, "by": "x", "at": "", "base": "", '
        b'"kinds": ["box"], "annotations": []}',
    ],
)
def test_what_is_no_save_of_the_image_changes_nothing(pets: Pets, data: bytes) -> None:
    before = pets.lake.images(REF)
    pets.lake.storage.put(f"{folder_of('pets', 'a.png')}/{save_name(5, 'ab')}", data)
    pets.lake.storage.put(f"{folder_of('pets', 'a.png')}/notes.txt", data)
    assert pets.lake.images(REF) == before
    put(pets.lake, [CAT])
    assert boxes(image(pets.lake)) == [("cat", (1.0, 1.0, 3.0, 2.0))]


def test_annotations_the_build_would_refuse_are_not_shown(pets: Pets) -> None:
    document = {
        MAGIC: 1,
        "image_key": "a.png",
        "width": 8,
        "height": 6,
        "by": "x",
        "at": "",
        "base": "",
        "kinds": ["box"],
    }
    document["annotations"] = [CAT, {**CAT, "bbox": [9, 9, 1, 1]}, 7, {"kind": "box"}]
    pets.lake.storage.put(f"{folder_of('pets', 'a.png')}/{save_name(5, 'ab')}", json.dumps(document).encode())
    assert boxes(image(pets.lake)) == [("cat", (1.0, 1.0, 3.0, 2.0))]


def test_a_save_for_another_size_does_not_fit_and_one_of_a_newer_program_is_said(pets: Pets) -> None:
    path = f"{folder_of('pets', 'a.png')}/{save_name(5, 'ab')}"
    document = {
        MAGIC: 1,
        "image_key": "a.png",
        "width": 9,
        "height": 6,
        "by": "x",
        "at": "",
        "base": "",
        "kinds": ["box"],
    }
    before = pets.lake.images(REF)
    pets.lake.storage.put(path, json.dumps({**document, "annotations": [CAT]}).encode())
    assert pets.lake.images(REF) == before
    pets.lake.storage.put(path.replace("-ab", "-ac"), json.dumps({MAGIC: 2}).encode())
    with pytest.raises(LakeFormatError, match="newer imagelake"):
        pets.lake.images(REF)


def test_the_limits_are_those_of_the_row_rules() -> None:
    from imagelake.quality import rules

    assert FAR == rules.FAR
    assert KINDS == labels.KINDS
