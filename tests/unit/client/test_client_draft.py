"""The draft shows the splits that a publish would keep, in every verb alike."""

from __future__ import annotations

import pytest

import imagelake
from imagelake.client.lake import Lake
from imagelake.tables import gold
from lake_tables import write_rows
from lakes import LakeMaker

REF = "pets@draft"
SPLITS = {"a.png": "train", "b.png": "val", "back.png": "test", "new.png": "unassigned"}


@pytest.fixture
def lake(maker: LakeMaker) -> Lake:
    """a and b as published although the upload now says otherwise, back published, removed and back, new never."""
    for key, split in {"a.png": "train", "b.png": "val", "back.png": "test", "gone.png": "train"}.items():
        maker.image("pets", key, split=split)
        maker.box("pets", key, "cat", (1, 1, 4, 4))
    maker.deliver("pets")
    maker.publish("pets")
    maker.add_recipe("pets", 2, dict.fromkeys(maker.draft("pets").images, "dev"))
    maker.draft("pets").drop_image("back.png")
    maker.deliver("pets")
    maker.publish("pets")
    maker.draft("pets").drop_image("gone.png")
    maker.image("pets", "a.png", split="test")
    maker.image("pets", "back.png", split="val")
    maker.image("pets", "new.png", split="test")
    maker.deliver("pets")
    maker.publish("pets", crash=True)
    maker.keep("pets", [f"pets/{key}".encode() for key in SPLITS])
    maker.flush()
    return imagelake.open(str(maker.root))


def test_the_view_splits_shows_the_newest_published_split_of_recipe_1(lake: Lake) -> None:
    found = lake.sql("select image_key, split, recipe from splits order by image_key", at=REF).rows
    assert found == tuple((key, split, 1) for key, split in SPLITS.items())
    assert lake.sql(f"select image_key, split from splits_at('{REF}') order by 1").rows == tuple(SPLITS.items())


def test_an_image_of_the_draft_has_its_split_and_the_uploaded_one(lake: Lake) -> None:
    found = lake.sql("select image_key, split, uploaded_split from images order by image_key", at=REF).rows
    uploaded = ("test", "val", "val", "test")
    assert found == tuple((*row, asked) for row, asked in zip(SPLITS.items(), uploaded, strict=True))


def test_where_and_split_choose_by_the_published_split(lake: Lake) -> None:
    for split in set(SPLITS.values()):
        expected = [key for key, its in SPLITS.items() if its == split]
        assert lake.load(REF, split=split).images.column("image_key").to_pylist() == expected
        assert lake.load(REF, where=f"split = '{split}'").images.column("image_key").to_pylist() == expected
        assert [i.key for i in lake.images(REF, where=f"split = '{split}'").images] == expected


def test_show_counts_the_draft_by_split_with_unassigned_last(lake: Lake) -> None:
    splits = lake.show(REF).as_json()["splits"]
    assert list(splits) == ["test", "train", "val", "unassigned"]
    assert splits["train"] == {"images": 1, "annotations": 1}
    assert splits["test"] == {"images": 1, "annotations": 0}


def test_a_diff_with_the_draft_moves_no_published_image(lake: Lake) -> None:
    document = lake.diff("pets@v1", REF, rows=True).as_json()
    assert document["splits"] == {
        "train": {"added": 0, "removed": 1, "moved_in": 0, "moved_out": 0},
        "unassigned": {"added": 1, "removed": 0, "moved_in": 0, "moved_out": 0},
    }
    assert not [row for row in document["rows"] if row["entity"] == "split"]


def test_pages_show_the_split_a_publish_made_meanwhile(lake: Lake, maker: LakeMaker) -> None:
    assert {i.key: i.split for i in lake.images(REF).images} == SPLITS
    maker.publish("pets")
    maker.flush()
    assert {i.key: i.split for i in lake.images(REF).images} == SPLITS | {"new.png": "test"}


def test_an_image_that_was_moved_shows_where_it_was_moved_to(lake: Lake, maker: LakeMaker) -> None:
    published = maker.versions("pets")[-1]
    row = {"dataset": "pets", "recipe": 1, "image_key": "b.png", "split": "train", "origin": "moved", "row_id": "m"}
    write_rows(maker.root, gold.SPLIT_LOG, [row | {"added_in": 2, "publish_id": published["publish_id"]}])
    assert lake.load(REF, split="train").images.column("image_key").to_pylist() == ["a.png", "b.png"]
