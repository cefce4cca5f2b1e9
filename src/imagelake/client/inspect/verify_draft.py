"""Whether the newest version is the draft that it was made from: a publish compares what changed, this all rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from imagelake.client import catalog
from imagelake.client.catalog import Target
from imagelake.client.delta.tables import Tables
from imagelake.client.delta.version_rows import DRAFTS
from imagelake.core import digest
from imagelake.core.digest import SetDigest
from imagelake.tables import bronze


def draft_problems(tables: Tables, target: Target, sets: Mapping[str, SetDigest]) -> Iterator[str]:
    """A sentence for each entity of which draft and newest version differ, although no upload came since.

    sets: the digests of the version's rows. The draft is read before the uploads are: what a build writes meanwhile is
    of an upload that is then listed.
    """
    version = target.version
    if version is None or version.number != max(other.number for other in target.history.versions):
        return
    drafts = {entity: _stored_digest(tables, entity, target.dataset) for entity in DRAFTS}
    last = catalog.details(tables, version, ("last_sequence",))["last_sequence"]
    if last is None or _has_uploads_since(tables, target.dataset, last):
        return
    for entity, of_draft in drafts.items():
        if of_draft != sets[entity]:
            yield (
                f"the draft has other {entity} rows ({of_draft.count}) than this version ({sets[entity].count}), "
                "although no upload came after it"
            )


def _stored_digest(tables: Tables, entity: str, dataset: str) -> SetDigest:
    total = SetDigest()
    for batch in tables.batches(f"SELECT row_hash FROM {tables.relation(DRAFTS[entity], ('row_hash',), dataset)}"):
        total += digest.set_digest(value for value in batch.column(0).to_pylist() if value is not None)
    return total


def _has_uploads_since(tables: Tables, dataset: str, sequence: int) -> bool:
    uploads = tables.relation(bronze.UPLOADS, ("sequence",), dataset)
    return bool(tables.query(f"SELECT 1 FROM {uploads} WHERE sequence > {int(sequence)} LIMIT 1"))
