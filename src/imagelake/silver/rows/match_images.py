"""Which image a record speaks of, by the names it may go by: the first rank that any image answers to decides.

 0 the upload: a path or key is the document's folder and the name    1 the upload: a path or key is the name
 2 the upload: the name is the short key of an image in the record's split
 3 the upload: a path or key ends with the name, which has a folder    4 the name ends with a path or key, longest first
 5 the draft: the name's key is an image key
 6 the upload: a bare name, or one of another machine, is the base name of one image
 7 the draft: the same, where the dataset says `match: name`

Of two names of one document that mean one image the more exact one counts, and the other has no image; of two equally
exact ones neither has.

Each rank is a join of names on both sides, never of images with images: a thousand cameras may count from 1. Ranks from
3 on are only asked for records that the first three leave over.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from imagelake.core import upload_paths
from imagelake.formats.voc.images import ANNOTATION_FOLDERS
from imagelake.silver.image_frames import Row, map_rows
from imagelake.storage.label_paths import NAME as SAVE_NAME
from imagelake.tables.frames import checkpointed

FOUND, MISSING, AMBIGUOUS, DUPLICATE = "found", "missing", "ambiguous", "duplicate"

_FOLDER, _NAME, _IN_SPLIT, _TAIL, _HEAD, _DRAFT, _BASE, _DRAFT_BASE = 0, 1, 2, 30, 40, 500, 600, 700
_LAST_EXACT = _IN_SPLIT
_ID = ("doc", "ref", "position")
_STEM = ".stem"
"""The end of the name of a space whose names have no suffix."""

_ASKED = "asked array<struct<rank:int,space:string,name:string>>, waits_for string"
_TELLS_KIND = frozenset((*ANNOTATION_FOLDERS, "labels", "label"))
"""Folders that tell documents from images, and nothing about which image."""


def match(records: DataFrame, uploaded: DataFrame, draft: DataFrame, by_name: bool) -> DataFrame:
    """Image records with `image_key`, `status` (found, missing, ambiguous or duplicate), `by_name`, `waits_for`.

    records: doc, ref, position, document, file, by_stem, absolute, split, kinds, …; uploaded: `with_keys` of the
    upload's images; draft: image_key of the draft's images. `waits_for` is the name an unknown image is waited for by.
    """
    narrow = records.select(*_ID, "document", "file", "by_stem", "absolute", "split", F.size("kinds").alias("kinds"))
    asked = checkpointed(map_rows(narrow, _ASKED, partial(_asked, by_name=by_name)))
    questions = asked.select(*_ID, "split", "kinds", F.explode("asked").alias("q")).select(
        *_ID, "split", "kinds", "q.*"
    )
    ranked = checkpointed(_best(questions.where(F.col("rank") <= _LAST_EXACT), _exact(uploaded)))
    rest = asked.select(*_ID).join(ranked, [*_ID], "left_anti")
    if not rest.isEmpty():
        listed = ranked.where((F.col("kinds") > 0) & (F.col("n") == 1)).select("image_key").distinct()
        later = questions.where(F.col("rank") > _LAST_EXACT).join(rest, [*_ID], "left_semi")
        ranked = ranked.unionByName(_best(later, _loose(uploaded, listed, draft, by_name)))
    answers = _unshared(ranked)
    return (
        records.join(asked.select(*_ID, "waits_for"), [*_ID], "left")
        .join(answers, [*_ID], "left")
        .withColumn("status", F.coalesce("status", F.lit(MISSING)))
        .withColumn("by_name", F.coalesce("by_name", F.lit(False)))
        .withColumn("image_key", F.when(F.col("status") == FOUND, F.col("image_key")))
    )


def draft_names(row: Row) -> list[str]:
    """The image keys that a record's name may stand for in the draft, in their order; by stem, without suffix.

    Equal ones keep their places: by them names of one document are compared, and the one that is less taken apart wins.
    """
    if SAVE_NAME.fullmatch(row["document"].rpartition("/")[2]):
        return [row["file"]]
    names = [(name, upload_paths.take_apart(name)) for name in (_beside(row), row["file"]) if name is not None]
    return [key for name, parts in names for key in (name, parts.split_key, parts.key)]


def _asked(row: Row, by_name: bool) -> Row:
    """By stem, a name that looks like that of an image may be whole all the same: `photo.webp` of `photo.webp.jpg`."""
    spaces = [_STEM] if row["by_stem"] else [""]
    if row["by_stem"] and upload_paths.is_image_name(row["file"]):
        spaces = ["", _STEM]
    questions = [
        {"rank": rank, "space": space + suffix, "name": name}
        for rank, space, name in _questions(row, by_name)
        for suffix in spaces
    ]
    return {"asked": questions, "waits_for": waited_name(row)}


def _questions(row: Row, by_name: bool) -> Iterator[tuple[int, str, str]]:
    file, beside = row["file"], _beside(row)
    parts = file.split("/")
    if not SAVE_NAME.fullmatch(row["document"].rpartition("/")[2]):  # a save names its image by key: no other will do
        if beside is not None:
            yield _FOLDER, "full", beside
        yield _NAME, "full", file
        if row["split"] is not None:
            yield _IN_SPLIT, "split", f"{row['split']}/{file}"
        if len(parts) > 1:
            yield _TAIL, "tail", file
        for place in range(1, len(parts)):
            yield _HEAD + place, "full", "/".join(parts[place:])
        if row["absolute"] or "/" not in upload_paths.take_apart(file).key:
            yield _BASE, "base", parts[-1]
            if by_name:
                yield _DRAFT_BASE, "draft base", parts[-1]
    if not row["absolute"]:
        for place, name in enumerate(draft_names(row)):
            yield _DRAFT + place, "draft", name


def _beside(row: Row) -> str | None:
    """The name in the folder of its document, where that lists names as they are from there, as COCO does.

    Readers of other formats say themselves which folder an image is in.
    """
    folder, _, name = row["document"].rpartition("/")
    return f"{folder}/{row['file']}" if folder and name.lower().endswith(".json") and not row["absolute"] else None


def waited_name(row: Row) -> str:
    """The name with the folders that say which image is meant: with those of a document that lists by bare names."""
    name = row["file"]
    if row["document"].lower().endswith(".json") and not row["absolute"]:
        folders = row["document"].split("/")[:-1]
        telling = [f for f in folders if f.lower() not in _TELLS_KIND and not upload_paths.is_role_folder(f)]
        name = "/".join([*telling, name])
    return upload_paths.take_apart(name).split_key


def _exact(uploaded: DataFrame) -> DataFrame:
    """What the upload's images answer to at the first ranks: space, name, image_key, split, grade."""
    full = _names(uploaded, "full", F.array_distinct(F.array("path", "image_key")))
    in_split = F.when(F.col("split").isNotNull(), F.array(F.concat_ws("/", "split", "short_key")))
    return _stems(full.unionByName(_names(uploaded, "split", in_split)))


def _loose(uploaded: DataFrame, listed: DataFrame, draft: DataFrame, by_name: bool) -> DataFrame:
    """What images answer to at the later ranks; images in role folders, then listed ones have the better grade."""
    marks = listed.withColumn("_listed", F.lit(True))
    graded = uploaded.join(marks, "image_key", "left").withColumn(
        "_grade",
        F.when(F.col("in_role"), 0).otherwise(2) + F.when(F.col("_listed"), 0).otherwise(1),
    )
    full = _names(uploaded, "full", F.array_distinct(F.array("path", "image_key")))
    tails = F.array_distinct(F.concat(_tails(F.col("path")), _tails(F.col("image_key"))))
    tail = _names(graded, "tail", tails).withColumn("grade", F.col("_grade"))
    base = _names(uploaded, "base", F.array(_base(F.col("path"))))
    there = draft.select("image_key").withColumn("split", F.lit(None).cast("string"))
    draft_names = _names(
        there.join(uploaded.select("image_key"), "image_key", "left_anti"), "draft", F.array("image_key")
    )
    names = [full, tail, base, draft_names]
    if by_name:
        names.append(_names(there, "draft base", F.array(_base(F.col("image_key")))))
    offered = names[0]
    for more in names[1:]:
        offered = offered.unionByName(more.select(*offered.columns))
    return _stems(offered)


def _names(images: DataFrame, space: str, names: Column) -> DataFrame:
    columns = [c for c in ("_grade",) if c in images.columns]
    return images.select(
        F.lit(space).alias("space"),
        F.explode(names).alias("name"),
        "image_key",
        "split",
        F.lit(0).alias("grade"),
        *columns,
    )


def _stems(offered: DataFrame) -> DataFrame:
    """The names, and as names of another space those without suffix."""
    stem = F.regexp_replace("name", r"\.[^./]*$", "")
    bare = offered.withColumns({"space": F.concat("space", F.lit(_STEM)), "name": stem})
    return offered.unionByName(bare)


def _best(questions: DataFrame, offered: DataFrame) -> DataFrame:
    """The best answer to each record: rank, image_key, and `n`, how many images are as good.

    Offers are counted by name first, so that a name of many images costs no more than a name of one.
    """
    offers = offered.groupBy("space", "name", F.col("split").alias("_split"), "grade").agg(
        F.min("image_key").alias("image_key"), F.count_distinct("image_key").alias("n")
    )
    stem = F.col("space").endswith(_STEM)  # a whole name is more exact
    other_split = F.when(F.col("split").isNull() | F.col("split").eqNullSafe(F.col("_split")), 0).otherwise(1)
    by_record = Window.partitionBy(*_ID)
    return (
        questions.join(offers, ["space", "name"])
        .withColumn("_place", F.struct("rank", stem.alias("stem"), other_split.alias("other"), "grade"))
        .withColumn("_first", F.min("_place").over(by_record))
        .where(F.col("_place") == F.col("_first"))
        .groupBy(*_ID)
        .agg(
            F.first("rank").alias("rank"),
            F.first("kinds").alias("kinds"),
            F.min("image_key").alias("image_key"),
            F.sum("n").alias("n"),
        )
    )


def _unshared(ranked: DataFrame) -> DataFrame:
    """Status by record; of the records of one document that match the same image, the others are DUPLICATE."""
    labels = F.col("kinds") > 0
    rival = Window.partitionBy("doc", "image_key", labels, F.col("n") > 1)  # an ambiguous name claims no image
    claims = ranked.withColumn("_first", F.min("rank").over(rival)).withColumn(
        "_equal", F.sum(F.when(F.col("rank") == F.col("_first"), 1).otherwise(0)).over(rival)
    )
    status = (
        F.when(F.col("n") > 1, AMBIGUOUS)
        .when((F.col("rank") > F.col("_first")) | (labels & (F.col("_equal") > 1)), DUPLICATE)
        .otherwise(FOUND)
    )
    return claims.select(*_ID, "image_key", status.alias("status"), (F.col("rank") >= _BASE).alias("by_name"))


def _base(path: Column) -> Column:
    return F.element_at(F.split(path, "/"), -1)


def _tails(path: Column) -> Column:
    """The ends of a path that begin with a folder, without the whole of it."""
    parts = F.split(path, "/")
    places = F.sequence(F.lit(2), F.size(parts) - 1)
    return F.when(
        F.size(parts) > 2, F.transform(places, lambda at: F.array_join(F.slice(parts, at, F.size(parts)), "/"))
    ).otherwise(F.array().cast("array<string>"))
