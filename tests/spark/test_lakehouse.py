"""References name the same version in Spark as in the client, and a draft has the same splits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from imagelake.client import lake as client
from imagelake.errors import IntegrityError, NotFound
from imagelake.spark import Lakehouse
from lakes import LakeMaker
from pet_lake import Pets


@pytest.fixture
def pets(tmp_path: Path) -> Pets:
    return Pets(LakeMaker(tmp_path / "lake"))


def test_a_snapshot_is_what_the_client_reads(spark: SparkSession, pets: Pets) -> None:
    pets.maker.image("pets", "new.png", split="test")
    pets.maker.image("pets", "a.png", pets.bytes["a2"], width=8, height=6, split="test")
    pets.maker.deliver("pets")
    pets.maker.state("pets", 3, "retired")
    pets.maker.flush()
    lakehouse, reader = Lakehouse(spark, os.fspath(pets.maker.root)), client.open(str(pets.maker.root))
    for ref in ("pets", "pets@v1", "pets@best", "pets@draft"):
        snapshot = lakehouse.snapshot(ref)
        splits = reader.sql("select image_key, split from splits order by 1", at=ref).rows
        assert (
            tuple((row["image_key"], row["split"]) for row in snapshot.splits.orderBy("image_key").collect()) == splits
        )
        assert snapshot.images.count() == len(splits)
    assert ("new.png", "unassigned") in splits
    with pytest.raises(NotFound, match="retired"):
        lakehouse.snapshot("pets@v3")
    with pytest.raises(NotFound, match="no version pets@v9"):
        lakehouse.snapshot("pets@v9")
    with pytest.raises(IntegrityError):
        lakehouse.snapshot("pets@v1#d1:" + "0" * 64)
