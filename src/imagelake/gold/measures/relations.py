"""A draft and the splits it would have, as relations that a query names in braces.

The same text is run by Spark over frames, and by this process over the files of a draft:

- images: image, image_key, width, height, is_labelled
- annotations: image, category, w, h (sides of the box, null without one)
- categories: name, train_index
- splits: image, split
- flags: rule, a row for each flag of an image or annotation
- rejections: entity, rule, upload_id, the open ones

`image` stands for an image wherever there is one; only `image_key` says which it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from imagelake.gold.content import VersionContent
from imagelake.tables import silver
from imagelake.tables.delta.database import database
from imagelake.tables.delta.store import DeltaStore

NAMES = ("images", "annotations", "categories", "splits", "flags", "rejections")


class Relations(Protocol):
    """What a query may name."""

    def rows(self, query: str, **more: pa.Table) -> list[tuple[Any, ...]]:
        """The answer to a query over the relations, and over more tables by their names."""
        ...


@dataclass(frozen=True)
class SparkRelations:
    """Relations as frames."""

    frames: Mapping[str, DataFrame]

    @classmethod
    def of(cls, content: VersionContent, splits: DataFrame, rejections: DataFrame) -> SparkRelations:
        """splits: image_key and split of all images; rejections: the open rows of silver.rejections."""
        key = F.col("image_key").alias("image")
        is_labelled = (F.size("labelled") > 0).alias("is_labelled")
        flags = [rows.select(F.explode("flags").alias("rule")) for rows in (content.images, content.annotations)]
        return cls(
            {
                "images": content.images.select(key, "image_key", "width", "height", is_labelled),
                "annotations": content.annotations.select(key, "category", "bbox.w", "bbox.h"),
                "categories": content.categories.select("name", "train_index"),
                "splits": splits.select(key, "split"),
                "flags": flags[0].union(flags[1]),
                "rejections": rejections.select("entity", "rule", "upload_id"),
            }
        )

    def rows(self, query: str, **more: pa.Table) -> list[tuple[Any, ...]]:
        """By one query of Spark."""
        spark = self.frames["images"].sparkSession
        # in one chunk: Spark loses the rows that follow an empty chunk
        tables = {name: spark.createDataFrame(table.combine_chunks()) for name, table in more.items()}
        frames: dict[str, Any] = {**self.frames, **tables}
        return [tuple(row) for row in spark.sql(query, **frames).collect()]


@dataclass(frozen=True)
class LocalRelations:
    """Relations as tables of a database in this process."""

    connection: duckdb.DuckDBPyConnection

    def rows(self, query: str, **more: pa.Table) -> list[tuple[Any, ...]]:
        """By one query of DuckDB."""
        for name, table in more.items():
            self.connection.register(name, table)
        named = dict.fromkeys((*NAMES, *more))
        rows: list[tuple[Any, ...]] = self.connection.execute(query.format(**{n: n for n in named})).fetchall()
        return rows


Rows: TypeAlias = pa.Table | ds.Dataset | pa.RecordBatchReader

_LOCAL = (
    # a number in place of the key: what is joined and grouped is a fraction of its size
    "CREATE TEMP TABLE images AS SELECT row_number() OVER ()::INTEGER AS image, image_key, width, height, "
    "coalesce(len(labelled), 0) > 0 AS is_labelled FROM image_rows",
    "CREATE TEMP TABLE annotations AS SELECT image, category, bbox.w AS w, bbox.h AS h "
    "FROM annotation_rows JOIN images USING (image_key)",
    "CREATE TEMP TABLE splits AS SELECT image, split FROM split_rows JOIN images USING (image_key)",
    "CREATE TEMP TABLE flags AS SELECT unnest(flags) AS rule FROM image_rows "
    "UNION ALL SELECT unnest(flags) FROM annotation_rows",
    "CREATE TEMP VIEW categories AS SELECT name, train_index FROM category_rows",
    "CREATE TEMP VIEW rejections AS SELECT entity, rule, upload_id FROM rejection_rows",
)


@contextmanager
def draft_relations(
    tables: DeltaStore, dataset: str, versions: Mapping[str, int], splits: pa.Table | pa.RecordBatchReader
) -> Iterator[LocalRelations]:
    """The relations of the files of a draft, read column by column. splits: image_key and split of all images."""
    images, annotations = (
        tables.scan(spec, dataset, versions[spec.name]) for spec in (silver.IMAGES, silver.ANNOTATIONS)
    )
    names = ("entity", "rule", "upload_id")
    sources: dict[str, Rows] = {
        "image": images,
        "annotation": annotations,
        "category": tables.table(silver.CATEGORIES, dataset, versions[silver.CATEGORIES.name]),
        "split": splits,
        "rejection": tables.arrow(silver.REJECTIONS, dataset, names, pc.field("closed_at").is_null()),
    }
    with database() as connection:
        for name, rows in sources.items():
            connection.register(f"{name}_rows", rows)
        for statement in _LOCAL:
            connection.execute(statement)
        yield LocalRelations(connection)
