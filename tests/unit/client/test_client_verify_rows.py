"""Rows may hash as they should and still contradict each other: verify names each of them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import imagelake
from imagelake.tables import gold, silver
from lake_tables import Row, write_rows
from lakes import LakeMaker

REFS = ("pets@v1", "pets@draft")


@pytest.fixture
def sound(maker: LakeMaker) -> LakeMaker:
    """A draft of two images of 64 x 48 with a box each, nothing wrong, nothing written."""
    for key in ("a.png", "b.png"):
        maker.image("pets", key, split="train")
        maker.box("pets", key, "cat", (0, 0, 64, 48))
    return maker


def problems(maker: LakeMaker, ref: str) -> list[str]:
    return list(imagelake.open(str(maker.root)).verify(ref, rows_only=True).problems)


def publish(maker: LakeMaker) -> None:
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()


def test_sound_rows_are_no_problem(sound: LakeMaker) -> None:
    publish(sound)
    assert [problems(sound, ref) for ref in REFS] == [[], []]


def log_row(maker: LakeMaker, row: Row) -> Row:
    return row | {"row_id": "extra", "added_in": 1, "publish_id": maker.versions("pets")[-1]["publish_id"]}


@pytest.mark.parametrize(
    ("entity", "log", "draft", "key"),
    [
        ("image", gold.IMAGE_LOG, silver.IMAGES, "image_key"),
        ("annotation", gold.ANNOTATION_LOG, silver.ANNOTATIONS, "annotation_key"),
        ("category", gold.CATEGORY_LOG, silver.CATEGORIES, "name"),
    ],
)
def test_a_key_that_stands_twice_is_named(sound: LakeMaker, entity: str, log: Any, draft: Any, key: str) -> None:
    publish(sound)
    row = next(iter(sound.draft("pets").rows(entity).values()))
    write_rows(sound.root, log, [log_row(sound, row)])
    write_rows(sound.root, draft, [row])
    sentence = f"{entity} '{row[key]}': the key stands in 2 rows"
    assert sentence in problems(sound, "pets@v1")
    assert problems(sound, "pets@draft") == [sentence]


def test_an_annotation_without_its_image_is_named(sound: LakeMaker) -> None:
    row = sound.box("pets", "nowhere.png", "cat", (0, 0, 1, 1))
    sound.deliver("pets")
    sound.flush()
    assert problems(sound, "pets@draft") == [f"annotation '{row['annotation_key']}': there is no image 'nowhere.png'"]


@pytest.mark.parametrize(
    "bbox",
    [(-1, 0, 4, 4), (0, -0.1, 4, 4), (62, 0, 4, 4), (0, 46, 4, 4), (80, 80, 4, 4), (1, 1, 0, 4), (1, 1, 4, -2)],
)
@pytest.mark.parametrize("kind", ["box", "polygon"])
def test_a_box_outside_its_image_is_named(sound: LakeMaker, bbox: Sequence[float], kind: str) -> None:
    row = sound.box("pets", "a.png", "cat", bbox, kind=kind)
    publish(sound)
    shown = " ".join(f"{side}={float(n)}" for side, n in zip("xywh", bbox, strict=True))
    where = "does not lie inside image 'a.png' of 64 x 48"
    for ref in REFS:
        assert problems(sound, ref) == [f"annotation '{row['annotation_key']}': box {shown} {where}"]


@pytest.mark.parametrize("bbox", [(math.nan, 0, 1, 1), (0, 0, math.inf, 1), (0, -math.inf, 1, 1), (0, 0, 1, math.nan)])
def test_a_box_that_is_not_finite_is_named(sound: LakeMaker, bbox: Sequence[float]) -> None:
    written = sound.box("pets", "a.png", "cat", (1, 1, 1, 1))
    written["bbox"] = dict(zip("xywh", bbox, strict=True))
    sound.deliver("pets")
    sound.flush()
    found = [p for p in problems(sound, "pets@draft") if "does not lie inside" in p]
    assert len(found) == 1
    assert found[0].startswith(f"annotation '{written['annotation_key']}'")


def test_a_box_with_a_part_missing_is_named(sound: LakeMaker) -> None:
    row = sound.box("pets", "a.png", "cat", (1, 1, 1, 1))
    row["bbox"] = {"x": 1.0, "y": 1.0, "w": None, "h": 1.0}
    sound.deliver("pets")
    sound.flush()
    assert any("x=1.0 y=1.0 w= h=1.0 does not lie" in p for p in problems(sound, "pets@draft"))


def test_boxes_are_measured_in_the_raw_image(maker: LakeMaker) -> None:
    maker.image("pets", "turned.png", width=64, height=48, orientation=6)
    maker.box("pets", "turned.png", "cat", (50, 1, 10, 10))
    maker.deliver("pets")
    maker.flush()
    assert problems(maker, "pets@draft") == []
    maker.box("pets", "turned.png", "cat", (1, 50, 10, 10))
    maker.deliver("pets")
    maker.flush()
    assert len(problems(maker, "pets@draft")) == 1


sides = st.tuples(st.integers(1, 5000), st.floats(0, 1), st.floats(1e-6, 1))


@given(across=sides, down=sides)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_box_that_was_cut_to_its_image_lies_inside_it(
    tmp_path_factory: pytest.TempPathFactory, across: Any, down: Any
) -> None:
    from imagelake.geometry.boxes import clip

    maker = LakeMaker(tmp_path_factory.mktemp("cut") / "lake")
    (width, left, wide), (height, top, high) = across, down
    box = (left * width * 0.99, top * height * 0.99, wide * width * 3, high * height * 3)
    maker.image("pets", "a.png", width=width, height=height)
    maker.box("pets", "a.png", "cat", clip(box, width, height))
    maker.deliver("pets")
    maker.flush()
    assert problems(maker, "pets@draft") == []


def test_a_polygon_may_reach_outside_but_must_be_finite(sound: LakeMaker) -> None:
    sound.box("pets", "a.png", "cat", (0, 0, 4, 4), kind="polygon", polygons=[[-9.0, 0.0, 90.0, 0.0, 5.0, 70.0]])
    good = sound.box("pets", "b.png", "cat", (0, 0, 4, 4), kind="polygon", polygons=[[0.0, 0.0, 4.0, 0.0, 4.0, 4.0]])
    sound.deliver("pets")
    sound.flush()
    assert problems(sound, "pets@draft") == []
    good["polygons"] = [[0.0, 0.0, 4.0, 0.0, 4.0, 4.0], [0.0, 0.0, math.nan, 0.0, 4.0, 4.0]]
    sound.deliver("pets")
    sound.flush()
    sentence = f"annotation '{good['annotation_key']}': a polygon on image 'b.png' has a coordinate that is not finite"
    assert sentence in problems(sound, "pets@draft")


def split(maker: LakeMaker, key: str, name: str, **values: Any) -> None:
    """Another row of the split log, seen in version 1."""
    row = {"dataset": "pets", "recipe": 1, "image_key": key, "split": name, "row_id": key, "added_in": 1}
    write_rows(maker.root, gold.SPLIT_LOG, [row | {"publish_id": maker.versions("pets")[0]["publish_id"], **values}])


def close_split(maker: LakeMaker, key: str) -> None:
    row_id = maker.draft("pets").splits[1][key]["row_id"]
    closing = {"dataset": "pets", "entity": "split", "row_id": row_id, "removed_in": 1}
    publish_id = maker.versions("pets")[0]["publish_id"]
    write_rows(maker.root, gold.CLOSINGS, [closing | {"publish_id": publish_id}])


def test_an_image_without_a_split_is_named(sound: LakeMaker) -> None:
    publish(sound)
    close_split(sound, "a.png")
    assert "image 'a.png': it has no split" in problems(sound, "pets@v1")
    assert problems(sound, "pets@draft") == [], "an image of the draft may wait for its split"


def test_the_same_bytes_in_two_splits_are_named(sound: LakeMaker) -> None:
    sound.image("pets", "same.png", b"pets/a.png", split="train")
    publish(sound)
    assert problems(sound, "pets@v1") == []
    close_split(sound, "same.png")
    split(sound, "same.png", "test")
    digest = hashlib.sha256(b"pets/a.png").hexdigest()
    sentence = f"images with the bytes '{digest}' lie in 2 splits: 'same.png' in test, 'a.png' in train"
    assert sentence in problems(sound, "pets@v1")


def test_a_group_in_two_splits_is_named_for_each_recipe_by_itself(sound: LakeMaker) -> None:
    publish(sound)
    for key in ("a.png", "b.png"):
        close_split(sound, key)
    split(sound, "a.png", "train", group_key="p1")
    split(sound, "b.png", "test", group_key="p1")
    sound.add_recipe("pets", 2, {"a.png": "test", "b.png": "test"})
    sound.flush()
    sentence = "images of group 'p1' lie in 2 splits: 'b.png' in test, 'a.png' in train"
    assert sentence in problems(sound, "pets@v1")
    assert problems(sound, "pets@v1.2") == []


def test_the_list_is_cut_for_each_check_and_the_rest_is_counted(maker: LakeMaker) -> None:
    maker.image("pets", "a.png")
    for i in range(1_010):
        maker.box("pets", "a.png", "cat", (100 + i, 0, 1, 1))
    maker.deliver("pets")
    maker.flush()
    found = problems(maker, "pets@draft")
    assert len(found) == 1_001
    assert found[-1] == "and 10 more problems"


def test_names_in_sentences_are_data(maker: LakeMaker) -> None:
    row = maker.box("pets", "it's {} %s.png", "cat", (0, 0, 1, 1))
    maker.deliver("pets")
    maker.flush()
    sentence = f"annotation '{row['annotation_key']}': there is no image 'it's {{}} %s.png'"
    assert problems(maker, "pets@draft") == [sentence]
