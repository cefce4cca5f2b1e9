"""What rows can be partitioned by: split, category, date, and buckets of the content hash."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from imagelake.client.delta.tables import Tables
from imagelake.client.refs import nearest
from imagelake.errors import UsageError
from imagelake.tables import bronze

_HASH = re.compile(r"^hash:([0-9]{1,3})\Z")
_BUCKETS = (2, 4, 8, 16, 32, 64, 128, 256)
_PLAIN = {
    "split": "{image}.split",
    "category": "{row}.category",
    "date": "landed.day",
}
_OF_ANNOTATIONS = frozenset(("category",))


@dataclass(frozen=True)
class PartitionKey:
    """A level of hive folders: its column, and the SQL of its value.

    The SQL sees `{row}`, the row itself, `{image}`, the row of its image, and `landed`, the day of the row's upload.
    """

    column: str
    value: str

    @property
    def splits_images(self) -> bool:
        """Whether images have it too: an image has no one category."""
        return self.column not in _OF_ANNOTATIONS


def partition_keys(names: str | Sequence[str]) -> tuple[PartitionKey, ...]:
    """The keys of a list such as `split,category`, outermost first; UsageError for one there is not, or is twice."""
    listed = names.split(",") if isinstance(names, str) else names
    keys = tuple(_key(str(each).strip()) for each in listed)
    columns = [key.column for key in keys]
    for column in columns:
        if columns.count(column) > 1:
            raise UsageError(f"--partition-by names {column} {columns.count(column)} times", hint="each key once")
    return keys


def landed_days(tables: Tables, dataset: str) -> str:
    """SQL, in brackets, for the day (UTC) on which each upload landed: `delivery`, its sequence number, and `day`."""
    uploads = tables.relation(bronze.UPLOADS, ("sequence", "state", "at"), dataset)
    return (
        f"(SELECT sequence AS delivery, strftime(min(\"at\"), '%Y-%m-%d') AS day FROM {uploads} "
        "WHERE state = 'landed' GROUP BY sequence)"
    )


def _key(text: str) -> PartitionKey:
    if text in _PLAIN:
        return PartitionKey(text, _PLAIN[text])
    match = _HASH.match(text)
    if match and int(match[1]) in _BUCKETS:
        # the first bits of the hash: 16 buckets are its first digit
        bits = "('0x' || left({image}.content_hash, 2))::INTEGER"
        return PartitionKey("hash", f"({bits} * {match[1]} // 256)::VARCHAR")
    if text == "hash" or text.startswith("hash:"):
        raise UsageError(f"--partition-by {text}: {', '.join(map(str, _BUCKETS))} buckets", hint="for example hash:16")
    hint = nearest(text, (*_PLAIN, "hash:16"), "keys")
    raise UsageError(f"--partition-by {text!r}: rows have no such key", hint=hint)
