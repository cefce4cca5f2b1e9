"""Any version, however the lake went on, reads back as it was published."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from deltalake import DeltaTable

import imagelake
from imagelake.errors import IntegrityError
from imagelake.tables import gold
from imagelake.tables.spec import Column, TableSpec
from lake_tables import Row, create_table, write_rows
from lakes import LakeMaker
from pet_lake import Pets


def keys(lake: imagelake.Lake, ref: str) -> set[str]:
    return {r[0] for r in lake.sql("select image_key from images", at=ref).rows}


def test_each_version_has_its_own_images(pets: Pets) -> None:
    assert keys(pets.lake, "pets@v1") == {"a.png", "b.png", "c.png", "d.png"}
    assert keys(pets.lake, "pets@v2") == {"a.png", "c.png", "d.png", "e.png"}
    assert keys(pets.lake, "pets@v3") == {"a.png", "b.png", "c.png", "e.png", "f.png"}


def test_what_comes_back_is_not_killed_by_its_old_closing(pets: Pets) -> None:
    boxes = "select bbox.x from annotations where image_key = 'b.png'"
    assert pets.lake.sql(boxes, at="pets@v1").rows == ((1.0,),)
    assert pets.lake.sql(boxes, at="pets@v2").rows == ()
    assert pets.lake.sql(boxes, at="pets@v3").rows == ((1.0,),)


def test_a_crashed_publish_is_invisible(pets: Pets) -> None:
    """Its rows are in the logs under the same number as those of the publish that succeeded."""
    log = DeltaTable(str(pets.maker.root / gold.IMAGE_LOG.path)).to_pyarrow_table().to_pylist()
    assert sum(r["image_key"] == "e.png" for r in log) == 2
    assert pets.lake.sql("select count(*) from images where image_key = 'e.png'", at="pets@v2").rows == ((1,),)


def test_each_recipe_has_its_own_splits(pets: Pets) -> None:
    splits = "select image_key, split from splits order by image_key"
    first, second = (dict(pets.lake.sql(splits, at=f"pets@v2.{y}").rows) for y in (1, 2))
    assert first == {"a.png": "train", "c.png": "train", "d.png": "val", "e.png": "train"}
    assert second == {"a.png": "train", "c.png": "test", "d.png": "test", "e.png": "test"}


def _edit(maker: LakeMaker, draw: random.Random) -> None:
    draft = maker.draft("pets")
    for _ in range(draw.randrange(1, 6)):
        key = f"{draw.randrange(12)}.png"
        choice = draw.randrange(4)
        if choice == 0 and key in draft.images:
            draft.drop_image(key)
        elif choice == 1 and draft.annotations:
            draft.drop_box(draft.annotations[draw.choice(sorted(draft.annotations))])
        elif key not in draft.images or choice == 2:
            maker.image("pets", key, bytes([draw.randrange(3)]))
        else:
            maker.box("pets", key, draw.choice(("cat", "dog")), (draw.randrange(3), 0, 1, 1))


def _contents(lake: imagelake.Lake, ref: str) -> dict[str, set[str]]:
    return {
        view: {r[0] for r in lake.sql(f"select row_hash from {view}", at=ref).as_json()["rows"]}
        for view in ("images", "annotations", "categories")
    }


@pytest.mark.parametrize("seed", [1, 2])
def test_every_version_reads_back_as_published_after_any_later_change(tmp_path: Path, seed: int) -> None:
    draw, maker, published = random.Random(seed), LakeMaker(tmp_path), {}
    maker.image("pets", "0.png")
    for _ in range(10):
        _edit(maker, draw)
        maker.deliver("pets")
        maker.publish("pets", crash=True) if draw.random() < 0.3 else None
        number = maker.publish("pets")
        draft = maker.draft("pets")
        rows: dict[str, dict[str, Row]] = {
            "images": draft.images,
            "annotations": draft.annotations,
            "categories": draft.categories,
        }
        published[number] = {view: {r["row_hash"].hex() for r in found.values()} for view, found in rows.items()}
        maker.flush()
    lake = imagelake.open(str(tmp_path))
    assert {n: _contents(lake, f"pets@v{n}") for n in published} == published
    assert all(lake.verify(f"pets@v{n}", rows_only=True).ok for n in published)
    for table in tmp_path.glob("tables/gold/*"):
        DeltaTable(str(table)).optimize.compact()
        DeltaTable(str(table)).vacuum(0, dry_run=False, enforce_retention_duration=False)
    assert {n: _contents(lake, f"pets@v{n}") for n in published} == published


def test_a_version_that_lacks_rows_is_refused_by_every_reader(pets: Pets) -> None:
    row = next(r for r in pets.maker.versions("pets") if r["number"] == 3)
    ended = next(
        r
        for r in DeltaTable(str(pets.maker.root / gold.IMAGE_LOG.path)).to_pyarrow_table().to_pylist()
        if r["image_key"] == "c.png"
    )
    closing = {"dataset": "pets", "entity": "image", "row_id": ended["row_id"], "removed_in": 3}
    write_rows(pets.maker.root, gold.CLOSINGS, [closing | {"publish_id": row["publish_id"]}])
    asks = (
        lambda: pets.lake.sql("select * from images", at="pets@v3"),
        lambda: pets.lake.sql("select * from images"),
        lambda: pets.lake.sql("select * from images_at('pets@v3')"),
        lambda: pets.lake.load("pets@v3"),
        lambda: pets.lake.diff("pets@v1", "pets@v3"),
        lambda: pets.lake.diff("pets@v3", "pets@draft"),
    )
    for ask in asks:
        with pytest.raises(IntegrityError, match=r"pets@v3.* promise"):
            ask()
    assert not pets.lake.verify("pets@v3", rows_only=True).ok
    assert pets.lake.verify("pets@v2").ok


def test_a_table_file_that_is_gone_is_an_integrity_error(pets: Pets) -> None:
    for path in (pets.maker.root / gold.IMAGE_LOG.path).rglob("*.parquet"):
        path.unlink()
    with pytest.raises(IntegrityError, match="cannot be read"):
        pets.lake.sql("select * from images")


def test_a_newer_table_is_read_by_the_columns_that_are_known(tmp_path: Path, maker: LakeMaker) -> None:
    spec = gold.ALIASES
    newer = TableSpec(spec.name, spec.doc, (*spec.columns, Column("colour", "string", "new")), stats=spec.stats)
    for path in sorted((maker.root / spec.path).rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    create_table(maker.root, newer, schema_number=2)
    maker.image("pets", "a.png")
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()
    write_rows(
        maker.root,
        newer,
        [{"dataset": "pets", "sequence": 1, "alias": "gold", "number": 1, "recipe": 1, "colour": "red"}],
    )
    assert imagelake.open(str(maker.root)).show("pets@gold").as_json()["version"] == "pets@v1"


def test_a_column_an_older_table_lacks_is_null(maker: LakeMaker) -> None:
    spec = gold.ALIASES
    older = TableSpec(spec.name, spec.doc, tuple(c for c in spec.columns if c.name != "recipe"), stats=spec.stats)
    for path in sorted((maker.root / spec.path).rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    create_table(maker.root, older)
    maker.image("pets", "a.png")
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()
    write_rows(maker.root, older, [{"dataset": "pets", "sequence": 1, "alias": "gold", "number": 1}])
    assert imagelake.open(str(maker.root)).show("pets@gold").as_json()["version"] == "pets@v1"
