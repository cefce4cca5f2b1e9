"""Annotations paired in DuckDB are those that are paired row by row."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest

import imagelake
from imagelake.client.catalog import resolve
from imagelake.client.delta.tables import Tables
from imagelake.client.diff import diff as client_diff
from imagelake.client.diff.row_difference import sides
from imagelake.client.refs import parse_ref
from lakes import LakeMaker

ENTITIES = ("image", "annotation", "category", "split")
VERSIONS = 6


def _vary(maker: LakeMaker, rng: random.Random) -> None:
    """New images, some renamed, and labels of several documents: moved, relabelled, renumbered, doubled, dropped."""
    draft = maker.draft("pets")
    for key in rng.sample(sorted(draft.images), len(draft.images) // 4):
        image = draft.images[key]
        boxes = [row for row in draft.annotations.values() if row["image_key"] == key]
        draft.drop_image(key)
        if rng.random() < 0.5:
            maker.image("pets", f"renamed {key}", content_hash=image["content_hash"])
            for row in boxes:
                values = {c: row[c] for c in ("kind", "source_id", "source_document")}
                maker.box(
                    "pets", f"renamed {key}", row["category"], row["bbox"] and list(row["bbox"].values()), **values
                )
    for _ in range(4):
        maker.image("pets", f"{rng.randrange(10**6)}.png")
    for key in sorted(draft.images):
        if rng.random() < 0.6:
            _label(maker, key, rng)


def _label(maker: LakeMaker, key: str, rng: random.Random) -> None:
    draft = maker.draft("pets")
    for row in [row for row in draft.annotations.values() if row["image_key"] == key]:
        if rng.random() < 0.7:
            draft.drop_box(row)
    for _ in range(rng.randrange(5)):
        box = (
            None
            if rng.random() < 0.15
            else [rng.randrange(20), rng.randrange(20), rng.randint(1, 9), rng.randint(1, 9)]
        )
        maker.box(
            "pets",
            key,
            rng.choice(("cat", "dog")),
            box,
            kind=rng.choice(("box", "polygon")),
            polygons=rng.choice((None, [[0.0, 0.0, 3.0, 0.0, 3.0, 2.0]])),
            source_id=rng.choice((None, "1", "2", "3", "4")),
            source_document=rng.choice((None, "a.json", "b.json")),
        )


@pytest.mark.parametrize("seed", range(2))
def test_a_diff_pairs_as_the_rows_say(maker: LakeMaker, seed: int) -> None:
    rng, seen = random.Random(seed), Counter[str]()
    for _ in range(12):
        maker.image("pets", f"{rng.randrange(10**6)}.png")
    for _ in range(VERSIONS):
        _vary(maker, rng)
        maker.deliver("pets")
        maker.publish("pets")
    _vary(maker, rng)
    maker.deliver("pets")
    maker.flush()
    lake = imagelake.open(str(maker.root))
    refs = [f"pets@v{n + 1}" for n in range(VERSIONS)] + ["pets@draft"]
    for before, after in [*itertools.pairwise(refs), ("pets@v6", "pets@v2"), ("pets@draft", "pets@v1")]:
        tables = Tables(lake.storage)
        targets = [resolve(tables, parse_ref(ref)) for ref in (before, after)]
        expected = client_diff.changes({e: sides(tables, *targets, e) for e in ENTITIES})
        diff = lake.diff(before, after)
        assert diff.changes == expected
        counts = Counter(f"{c.entity} {c.change}" for c in expected)
        kinds = [
            (entity, change) for entity in ENTITIES for change in ("added", "removed", "changed", "renamed", "moved")
        ]
        assert {f"{e} {c}": diff.count(e, c) for e, c in kinds if diff.count(e, c)} == dict(counts)
        seen += counts
    assert min(seen[f"annotation {change}"] for change in ("added", "removed", "changed")) > 12
    assert seen["image renamed"] > 2
