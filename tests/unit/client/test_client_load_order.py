"""Samples and both whole tables hold the same rows in the same order, however keys look and images lie."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

import imagelake
from imagelake.client.delta.tables import Tables
from imagelake.errors import IntegrityError
from imagelake.tables import gold
from lake_tables import write_rows
from lakes import LakeMaker
from pet_lake import Pets


def _lake(maker: LakeMaker, keys: dict[str, list[str]]) -> imagelake.Lake:
    """Images with one box an annotation key, delivered in that order; the box's x is its place among them."""
    contents = []
    for number, (image, ids) in enumerate(keys.items()):
        contents.append(f"bytes {number}".encode())
        maker.image("pets", image, contents[-1], width=64, height=48, orientation=1 + number)
        for x, key in enumerate(ids):
            row = maker.box("pets", image, "cat", (x, 0, 1, 1))
            del maker.draft("pets").annotations[row["annotation_key"]]
            maker.draft("pets").annotations[key] = row | {"annotation_key": key}
    maker.keep("pets", contents)
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()
    return imagelake.open(str(maker.root))


@pytest.mark.parametrize(
    "keys",
    [
        ["0b" * 32, "0a" * 32, "ff" * 32],
        ["0123456789c", "0123456789a", "0123456789b"],  # of one beginning
        ["b" * 64, "A" * 64, "a" * 64, "B" * 64],
        ["12", "0f00000000", "0f0000000"],  # too short to begin in the same way
        ["z", "", "a b", "é", "Z"],
    ],
)
@pytest.mark.parametrize("ref", ["pets@v1", "pets@draft"])
@pytest.mark.parametrize("few", [0, 10_000])
def test_annotations_lie_in_the_order_of_their_keys(
    maker: LakeMaker, keys: list[str], ref: str, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagelake.client.data.box_rows._FEW_IMAGES", few)
    images = {image: [f"{key}{suffix}" for key in keys] for image, suffix in (("b", "b"), ("a", "a"), ("c", "c"))}
    samples = _lake(maker, {**images, "empty": []}).load(ref)
    table = samples.annotations.select(["image_key", "annotation_key", "bbox"]).to_pylist()
    assert [(row["image_key"], row["annotation_key"]) for row in table] == [
        (image, key) for image in sorted(images) for key in sorted(images[image])
    ]
    shown = [(s.key, a.bbox and a.bbox[0]) for s in samples for a in s.annotations]
    assert shown == [(row["image_key"], row["bbox"]["x"]) for row in table]


def test_whole_tables_are_turned_as_the_samples_are(maker: LakeMaker) -> None:
    lake = _lake(maker, {f"{n}.jpg": [f"{n}{k}" * 32 for k in "ab"] for n in range(8)})
    samples = lake.load("pets", oriented=True)
    sizes = [(row["width"], row["height"]) for row in samples.images.select(["width", "height"]).to_pylist()]
    assert sizes == [(s.width, s.height) for s in samples] == [(64, 48)] * 4 + [(48, 64)] * 4
    boxes = [tuple(row["bbox"].values()) for row in samples.annotations.select(["bbox"]).to_pylist()]
    assert boxes == [a.bbox for s in samples for a in s.annotations]
    assert len(set(boxes)) > 8


def test_rows_that_went_after_loading_are_missed(pets: Pets) -> None:
    samples = pets.lake.load("pets@v3")
    ids = [row["row_id"] for row in pets.maker.draft("pets").live["annotation"].values()]
    ends = {"dataset": "pets", "entity": "annotation", "removed_in": 1}
    publish = pets.maker.versions("pets")[-1]["publish_id"]
    write_rows(pets.maker.root, gold.CLOSINGS, [ends | {"row_id": i, "publish_id": publish} for i in ids])
    with pytest.raises(IntegrityError, match="rows were loaded, now there are"):
        samples.annotations  # noqa: B018


def test_a_query_beyond_memory_spills_and_leaves_nothing(
    pets: Pets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    tables = Tables(pets.lake.storage)
    tables.con.execute("SET memory_limit = '60MB'; SET threads = 1")
    tables.once("many", "SELECT md5(range::VARCHAR) AS m FROM range(2_000_000)")
    assert tables.arrow("SELECT m FROM many ORDER BY m LIMIT 3_000 OFFSET 1_900_000").num_rows == 3_000
    assert len(list((tmp_path / "temporary").iterdir())) == 1
    tables.con.close()
    assert list((tmp_path / "temporary").iterdir()) == []
