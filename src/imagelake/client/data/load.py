"""`lake.load(REF, …)`: the rows of a selection as Arrow tables, and where the bytes of its images are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from imagelake.client.catalog import Target, digest_of
from imagelake.client.data.box_rows import box_rows
from imagelake.client.data.order import hash_order, members
from imagelake.client.data.sample_tables import (
    choose,
    choose_listed,
    image_rows,
    whole_annotations,
    whole_images,
)
from imagelake.client.data.samples import Samples, WholeTables
from imagelake.client.delta.arrow_columns import release
from imagelake.client.delta.blob_places import first_places
from imagelake.client.delta.tables import Tables
from imagelake.client.delta.version_rows import DRAFTS, check_live, fetch_version, live
from imagelake.client.refs import nearest
from imagelake.client.selection import Selection, in_sample, keys_digest
from imagelake.client.sql_text import select
from imagelake.errors import IntegrityError, NotFound, UsageError
from imagelake.storage.base import Storage
from imagelake.tables import bronze

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Source:
    """Where to load from: the lake's storage, and the version or draft."""

    storage: Storage
    target: Target


@dataclass(frozen=True, eq=False)
class ChosenImages:
    """The images of a selection: the reference to it, how many of them are unlabelled, their rows, in key order."""

    ref: str
    unlabelled: int
    rows: pa.Table


def load(
    tables: Tables,
    source: Source,
    selection: Selection,
    images: Collection[str] | None,
    matching: Callable[[str], Iterable[str]],
) -> Samples:
    """The samples of a selection. `matching` gives the image keys for a condition.

    NotFound when a split or an image key does not exist; IntegrityError when rows or bytes of the version are missing.
    """
    target = source.target
    fetch_version(tables, target, bronze.BLOBS)
    chosen = choose_images(tables, target, selection, images, matching)
    part = None if selection.part is None else members(hash_order(chosen.rows), selection.part)
    if part is not None:
        chosen = replace(chosen, rows=chosen.rows.take(sorted(set(part))))
    release(tables)
    places = image_places(tables, target, chosen.rows)
    release(tables)
    samples = Samples(
        ref=chosen.ref,
        class_indexes=_class_indexes(tables, target),
        unlabelled=chosen.unlabelled,
        oriented=selection.oriented,
        rows=chosen.rows,
        boxes=box_rows(tables, target, chosen.rows),
        places=places,
        storage=source.storage,
        target=target,
        whole=None if target.version else _whole(tables, target, chosen.rows),
        selection=selection,
    )
    if part is None:
        return samples
    numbers = {index: number for number, index in enumerate(sorted(set(part)))}
    return samples.take([numbers[index] for index in part])


def choose_images(
    tables: Tables,
    target: Target,
    selection: Selection,
    images: Collection[str] | None,
    matching: Callable[[str], Iterable[str]],
) -> ChosenImages:
    """The images of a selection, without their annotations; errors as of `load`."""
    import pyarrow.compute as pc

    for entity in DRAFTS:
        check_live(tables, target, entity)
    listed = _listed(selection, images)
    rows = image_rows(tables, target, None if listed is None else choose_listed(tables, listed))
    rows = _chosen(rows, selection, listed, matching)
    is_labelled = rows.column("is_labelled")
    unlabelled = rows.num_rows - pc.sum(is_labelled, min_count=0).as_py()
    if unlabelled and not selection.unlabelled:
        rows = rows.filter(is_labelled)
    return ChosenImages(_ref(tables, target, selection), unlabelled, rows)


def _listed(selection: Selection, images: Collection[str] | None) -> tuple[str, ...] | None:
    if images is None:
        if selection.images:
            raise UsageError("the reference was made with a list of images", hint="pass the same list as images=")
        return None
    return tuple(sorted(set(images)))


def _chosen(
    rows: pa.Table,
    selection: Selection,
    listed: tuple[str, ...] | None,
    matching: Callable[[str], Iterable[str]],
) -> pa.Table:
    """The rows that meet every condition, unlabelled ones too; of `listed` images they hold no other."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if listed is not None:
        _check_listed(rows, selection, listed)
    if selection.splits:
        splits = {split for split in pc.unique(rows.column("split")).to_pylist() if split}
        for split in selection.splits:
            if split not in splits:
                raise NotFound(f"there is no split {split!r} here", hint=nearest(split, splits, "splits"))
        rows = rows.filter(pc.is_in(rows.column("split"), value_set=pa.array(selection.splits, pa.string())))
    if selection.where is not None:
        keys = pa.array(matching(selection.where), pa.string())
        rows = rows.filter(pc.is_in(rows.column("image_key"), value_set=keys))
    if selection.sample is not None:
        hashes = rows.column("content_hash").to_pylist()
        rows = rows.filter(pa.array([in_sample(h, selection.sample) for h in hashes], pa.bool_()))
    return rows


def _check_listed(rows: pa.Table, selection: Selection, listed: tuple[str, ...]) -> None:
    missing = sorted({*listed} - {*rows.column("image_key").to_pylist()})
    if missing:
        raise NotFound(f"{len(missing)} of the images are not in this version, for example {missing[0]!r}")
    if selection.images != keys_digest(listed):
        raise IntegrityError("the list of images is not the one the reference was made with")


def _whole(tables: Tables, target: Target, rows: pa.Table) -> WholeTables:
    chosen = choose(tables, rows.column("image_key"))
    return WholeTables(whole_images(tables, target, chosen), whole_annotations(tables, target, chosen))


def _ref(tables: Tables, target: Target, selection: Selection) -> str:
    version = target.version
    if version is None:
        return f"{target.name}{selection}"
    return f"{target.dataset}@v{version.number}.{version.recipe}#{digest_of(tables, version)}{selection}"


def _class_indexes(tables: Tables, target: Target) -> dict[str, int]:
    source = live(tables, target, "category", ("name", "train_index"))
    rows = tables.query(f"SELECT {select(('name', 'train_index'))} FROM {source} WHERE train_index IS NOT NULL")
    return {r["name"]: r["train_index"] for r in rows}


def image_places(tables: Tables, target: Target, images: pa.Table) -> pa.Table:
    """Where the bytes of images are, as first_places gives it; IntegrityError when some are nowhere."""
    import pyarrow.compute as pc

    places = first_places(tables, target.dataset, images.column("content_hash"))
    lost = pc.indices_nonzero(pc.is_null(places.column("offset")))
    if len(lost):
        key = images.column("image_key")[lost[0].as_py()].as_py()
        raise IntegrityError(
            f"{target.name}: the bytes of {len(lost)} images have no place in the lake, for example {key!r}",
            hint=f"imagelake verify {target.name} names them; restore the lake from a copy",
        )
    return places
