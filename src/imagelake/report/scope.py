"""What a page is about: one version or draft, as temporary tables that every section counts in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from imagelake.client import catalog
from imagelake.client.catalog import Target
from imagelake.client.delta.tables import Tables
from imagelake.client.delta.version_rows import DRAFTS, check_count, count, live
from imagelake.client.sql_text import Row, any_of, select, text, texts
from imagelake.config.dataset_settings import load_dataset_settings
from imagelake.errors import IntegrityError
from imagelake.storage.base import Storage
from imagelake.tables import ops

_IMAGE = ("image_key", "content_hash", "width", "height", "orientation", "labelled", "flags")
_JUDGED = ("verdict", "measure", "value", "least", "most", "setting", "holds", "message", "at", "rule", "severity")
_NO_SPLIT = "no split"
_FIRST_RECIPE = 1


@dataclass(frozen=True)
class Totals:
    """Annotations by class, and images by split."""

    classes: Mapping[str, int]
    splits: Mapping[str, int]


@dataclass(frozen=True)
class ReportScope:
    """A version or draft of a lake; its rows stay in DuckDB, and only samples of them come to Python."""

    tables: Tables
    storage: Storage
    target: Target

    @cached_property
    def images(self) -> str:
        """A table: id, image_key, content_hash, shown width and height, orientation, labelled, flags, split, draw.

        `draw` orders images by a hash of their key, so that a sample stays the same from version to version.
        IntegrityError when the version has not the rows its version row promises.
        """
        rows = live(self.tables, self.target, "image", _IMAGE)
        splits = live(self.tables, self.target, "split", ("image_key", "split"))
        table = self.tables.once(
            "_report_images",
            "SELECT (row_number() OVER ())::INTEGER AS id, image_key, content_hash, "
            "CASE WHEN orientation >= 5 THEN height ELSE width END AS width, "
            "CASE WHEN orientation >= 5 THEN width ELSE height END AS height, coalesce(orientation, 1) AS orientation, "
            f"labelled, flags, coalesce(s.split, {text(_NO_SPLIT)}) AS split, md5_number_lower(image_key) AS draw "
            f"FROM {rows} AS i LEFT JOIN {splits} AS s USING (image_key)",
        )
        check_count(self.target, "image", self.one(f"SELECT count(*) AS n FROM {table}")["n"])
        return table

    @cached_property
    def annotations(self) -> str:
        """A table: image (an id of `images`), class (an id of `classes`, or null), w, h, share, flags.

        Width and height are the box's, turned as its image is shown; `share` is the part of the image it covers.
        """
        rows = live(self.tables, self.target, "annotation", ("image_key", "category", "bbox", "flags"))
        table = self.tables.once(
            "_report_annotations",
            "SELECT i.id AS image, c.id AS class, "
            "CASE WHEN i.orientation >= 5 THEN a.bbox.h ELSE a.bbox.w END::FLOAT AS w, "
            "CASE WHEN i.orientation >= 5 THEN a.bbox.w ELSE a.bbox.h END::FLOAT AS h, "
            "(a.bbox.w * a.bbox.h / greatest(i.width::DOUBLE * i.height, 1))::FLOAT AS share, "
            f"CASE WHEN len(a.flags) > 0 THEN a.flags END AS flags FROM {rows} AS a "
            f"JOIN {self.images} AS i USING (image_key) LEFT JOIN {self.classes} AS c ON c.name = a.category",
        )
        check_count(self.target, "annotation", self.one(f"SELECT count(*) AS n FROM {table}")["n"])
        return table

    @cached_property
    def classes(self) -> str:
        """A table: id, name of every category; numbers are grouped faster than names."""
        names = list(self.categories)
        return self.tables.once(
            "_report_classes", "SELECT unnest($1::VARCHAR[]) AS name, unnest(range(len($1))) ::INTEGER AS id", [names]
        )

    @cached_property
    def classes_of_images(self) -> str:
        """A table: class, image, how many annotations of the class it has."""
        return self.tables.once(
            "_report_classes_of_images", f"SELECT class, image, count(*) AS n FROM {self.annotations} GROUP BY ALL"
        )

    @cached_property
    def annotated(self) -> str:
        """A table: image, how many annotations it has; images without any are left out."""
        return self.tables.once(
            "_report_annotated", f"SELECT image, count(*) AS n FROM {self.annotations} GROUP BY image"
        )

    @cached_property
    def flags(self) -> dict[str, tuple[int, int]]:
        """Rule to the number of images and of annotations that carry its flag."""
        flags = " UNION ALL ".join(
            f"SELECT unnest(flags) AS rule, {number} AS entity FROM {table} WHERE len(flags) > 0"
            for number, table in enumerate((self.images, self.annotations))
        )
        rows = self.tables.query(
            "SELECT rule, count(*) FILTER (WHERE entity = 0) AS images, count(*) FILTER (WHERE entity = 1) AS "
            f"annotations FROM ({flags}) GROUP BY rule"
        )
        return {row["rule"]: (row["images"], row["annotations"]) for row in rows}

    @cached_property
    def categories(self) -> dict[str, int | None]:
        """Category name to training index, in that order; None for a root category."""
        rows = live(self.tables, self.target, "category", ("name", "train_index"))
        category_rows = self.tables.query(f"SELECT name, train_index FROM {rows} ORDER BY train_index NULLS LAST, name")
        check_count(self.target, "category", len(category_rows))
        return {r["name"]: r["train_index"] for r in category_rows}

    def name_of(self, class_id: int | None) -> str | None:
        """The name of a class by its id in `classes`."""
        return None if class_id is None else list(self.categories)[class_id]

    @cached_property
    def splits(self) -> tuple[str, ...]:
        """The splits images lie in: train, val, test first, then the others by name."""
        names = {r["split"] for r in self.tables.query(f"SELECT DISTINCT split FROM {self.images}")}
        first = [name for name in ("train", "val", "test") if name in names]
        return (*first, *sorted(names - set(first)))

    @cached_property
    def totals(self) -> Totals:
        """Counted from the tables above; annotations without a class are left out."""
        classes = self.tables.query(f"SELECT class, sum(n)::BIGINT AS n FROM {self.classes_of_images} GROUP BY class")
        splits = self.tables.query(f"SELECT split, count(*) AS n FROM {self.images} GROUP BY split")
        names = {row["class"]: self.name_of(row["class"]) for row in classes}
        return Totals(
            {name: row["n"] for row in classes if (name := names[row["class"]]) is not None},
            {row["split"]: row["n"] for row in splits},
        )

    def splits_of(self, keys: Sequence[str]) -> dict[str, str]:
        """Image key to its split."""
        if not keys:
            return {}
        rows = self.tables.query(f"SELECT image_key, split FROM {self.images} WHERE image_key IN ({texts(keys)})")
        return {row["image_key"]: row["split"] for row in rows}

    @cached_property
    def row(self) -> Row:
        """Further columns of the version's row; empty for a draft."""
        if self.target.version is None:
            return {}
        columns = ("parent", "digest", "quality", "settings", "upload_ids", "note", "author", "at", "last_sequence")
        return catalog.details(self.tables, self.target.version, (*columns, "run_id", "changes", "recipe_spec"))

    @cached_property
    def judged(self) -> catalog.Version | None:
        """The version whose gate counts: of another split recipe that of the same content; None for a draft."""
        version = self.target.version
        if version is None or _document(self.row["quality"]):
            return version
        return self.target.history.find(version.number, _FIRST_RECIPE) or version

    @cached_property
    def quality(self) -> dict[str, Any]:
        """The verdict in the row of the judged version; empty for a draft, and where none was recorded."""
        if self.judged is None:
            return {}
        row = self.row if self.judged == self.target.version else self._details(self.judged, ("quality",))
        return _document(row["quality"])

    @cached_property
    def judgement(self) -> list[Row]:
        """Rows of ops.quality, a measure or suite each: of the judged version; of a draft the last ones, if any.

        What was judged before the newest version was made is no draft any more. One judgement's rows share their time.
        """
        columns, order = ("publish_id", *_JUDGED), "setting IS NULL, measure"
        if self.judged is not None:
            prune, of = any_of("publish_id", [self.judged.publish_id]), text(self.judged.publish_id)
            source = self.tables.relation(ops.QUALITY, columns, self.target.dataset, prune)
            return self.tables.query(f"SELECT {select(_JUDGED)} FROM {source} WHERE publish_id = {of} ORDER BY {order}")
        source = self.tables.relation(ops.QUALITY, columns, self.target.dataset)
        newest = self.target.history.newest
        since = "true" if newest is None else f'"at" > {_moment(self._details(newest, ("at",))["at"])}'
        last = f'SELECT max("at") FROM {source} WHERE {since}'
        return self.tables.query(f'SELECT {select(_JUDGED)} FROM {source} WHERE "at" = ({last}) ORDER BY {order}')

    @cached_property
    def settings(self) -> str:
        """The dataset's settings as JSON: those a version was made with, of a draft those of now."""
        if self.target.version is None:
            return load_dataset_settings(self.storage, self.target.dataset).model_dump_json()
        return str(self.row["settings"] or "{}")

    def _details(self, version: catalog.Version, columns: tuple[str, ...]) -> Row:
        return catalog.details(self.tables, version, columns)

    def one(self, query: str) -> Row:
        """The one row of a query."""
        return self.tables.query(query)[0]


def check_rows(tables: Tables, target: Target) -> None:
    """IntegrityError when a version has not the rows its version row promises."""
    for entity in DRAFTS:
        check_count(target, entity, count(tables, target, entity))


def version_of(scope: ReportScope) -> catalog.Version:
    """The version of a scope that is no draft."""
    if scope.target.version is None:
        raise IntegrityError(f"{scope.target.name} is no version")
    return scope.target.version


def _document(text: str | None) -> dict[str, Any]:
    """A JSON object, empty for none."""
    return dict(json.loads(text or "null") or {})


def _moment(at: datetime) -> str:
    """A time in UTC, as SQL."""
    return f"TIMESTAMP {text(str(at.replace(tzinfo=None)))}"
