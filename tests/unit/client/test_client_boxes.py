"""Annotations read as rows, and those read column by column from numbered rows, are the same ones."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest

import imagelake
from imagelake.client.data.samples import Samples
from imagelake.client.delta.tables import Tables
from imagelake.geometry.run_lengths import write_runs
from imagelake.tables import silver
from lake_tables import write_rows
from lakes import LakeMaker
from pet_lake import Pets

MASK = {"rle_size": [48, 64], "rle_counts": write_runs([0, 64 * 48])}
KINDS: list[dict[str, Any]] = [
    {},
    {"kind": "polygon", "polygons": [[0.0, 0.0, 3.0, 0.0, 3.0, 2.0], []]},
    {"kind": "rle", "is_crowd": True, **MASK},
    {"kind": "keypoints", "keypoints": [1.0, 1.0, 2.0, 0.0, 0.0, 0.0], "bbox": None, "area": None},
    {"kind": "class", "bbox": None, "area": None, "category": "it's", "attributes": '{"a": 1}'},
    {"kind": "caption", "bbox": None, "source_id": None},
]


def _column_by_column(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("imagelake.client.data.box_rows._FEW_IMAGES", 0)
    patch.setattr("imagelake.client.data.box_rows._FEW_OF", 1_000)


def _content(samples: Samples) -> tuple[Any, ...]:
    starts = samples.boxes.starts.to_pylist()
    by_image = [samples.boxes.rows.slice(a, b - a).to_pylist() for a, b in pairwise(starts)]
    return samples.rows.column("image_key").to_pylist(), by_image, [list(s.annotations) for s in samples]


@pytest.mark.parametrize("ref", ["pets@v1", "pets@v2", "pets@v2.2", "pets@v3", "pets@draft"])
@pytest.mark.parametrize("asked", [{}, {"split": "train"}, {"unlabelled": True}, {"where": "width < 0 -- none"}])
def test_both_ways_give_the_same(pets: Pets, ref: str, asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    by_rows = _content(pets.lake.load(ref, **asked))
    _column_by_column(monkeypatch)
    assert _content(pets.lake.load(ref, **asked)) == by_rows


def _many(maker: LakeMaker) -> imagelake.Lake:
    """Every kind of annotation, in many files of several lengths, of which the second version changes some."""
    draw, contents = random.Random(7), [f"{n}".encode() for n in range(240)]
    maker.draft("pets").category("it's")
    for number, data in enumerate(contents):
        maker.image("pets", f"{number:03d}", data, width=64, height=48)
        for place in range(number % 4):
            shape = KINDS[draw.randrange(len(KINDS))]
            row = maker.box("pets", f"{number:03d}", "cat", (number, place, 1, 1), source_id=f"{number}.{place}")
            row.update(shape)
        if number % 40 == 39 or number in (3, 4):
            maker.deliver("pets")
            maker.publish("pets")
            maker.flush()
    for row in list(maker.draft("pets").annotations.values())[::5]:
        maker.draft("pets").drop_box(row)
    maker.keep("pets", contents)
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()
    return imagelake.open(str(maker.root))


def test_every_kind_in_many_files_is_the_same_both_ways(maker: LakeMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = _many(maker)
    for ref in ("pets@v2", "pets@v5", "pets@latest", "pets@draft"):
        with monkeypatch.context() as patch:
            by_rows = _content(lake.load(ref))
            _column_by_column(patch)
            assert _content(lake.load(ref)) == by_rows
    kinds = {row["kind"] for rows in by_rows[1] for row in rows}
    assert kinds == {shape.get("kind", "box") for shape in KINDS}


def test_rows_are_numbered_in_the_order_they_are_read_in(maker: LakeMaker) -> None:
    """Files of several lengths, where a query with a join or a condition is free to give them in another order."""
    for count in (3, 1, 0, 40, 7):
        rows = [{"dataset": "pets", "image_key": f"{count}/{n}", "width": n} for n in range(count)]
        write_rows(maker.root, silver.IMAGES, rows)
    tables = Tables(imagelake.open(str(maker.root)).storage)
    source = tables.numbered(silver.IMAGES, ("image_key", "width"), "pets")
    keys = [row["image_key"] for row in tables.query(f"SELECT image_key FROM {source}")]
    shuffled = tables.query(f"SELECT image_key, row_index FROM {source} WHERE width % 2 = 1 ORDER BY hash(image_key)")
    assert len(keys) == 51
    assert shuffled
    assert [keys[row["row_index"]] for row in shuffled] == [row["image_key"] for row in shuffled]


def test_no_rows_are_numbered_too(maker: LakeMaker) -> None:
    tables = Tables(imagelake.open(str(maker.root)).storage)
    assert tables.query(f"SELECT * FROM {tables.numbered(silver.IMAGES, ('image_key',), 'pets')}") == []
