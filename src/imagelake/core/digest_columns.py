"""Row hashes of whole columns: of each row the very bytes that `digest` makes of it, encoded column by column."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from imagelake.core import digest

_COUNT = struct.Struct("<I")

Columns = Mapping[str, pa.Array]


def annotation_hashes(columns: Columns, geometry: Sequence[bytes]) -> list[bytes]:
    """`digest.annotation_hash` of each row, from columns of silver.annotations and their `geometry_column`."""
    crowds = [digest.integer_field(9, int(bool(value))) for value in columns["is_crowd"].to_pylist()]
    rows = zip(
        _distinct(columns["image_key"], lambda value: digest.text_field(1, value)),
        _distinct(columns["kind"], lambda value: digest.text_field(2, value)),
        _distinct(columns["category"], lambda value: digest.text_field(3, value)),
        geometry,
        crowds,
        _distinct(columns["attributes"], lambda value: digest.json_field(10, value)),
        strict=True,
    )
    return hashes(digest.ANNOTATION_DOMAIN + b"".join(fields) for fields in rows)


def hashes(rows: Any) -> list[bytes]:
    """sha256 (32 bytes) of each of some bytes."""
    return [hashlib.sha256(data).digest() for data in rows]


def geometry_column(columns: Columns) -> list[bytes]:
    """`digest.geometry_bytes` of each row, from columns of silver.annotations."""
    fields = (
        _boxes(columns["bbox"]),
        _parts(columns["polygons"]),
        _each(columns["rle_size"], lambda value: digest.floats_field(6, value)),
        _each(columns["rle_counts"], lambda value: digest.text_field(7, value)),
        _each(columns["keypoints"], lambda value: digest.floats_field(8, value)),
    )
    present = [field for field in fields if field is not None]
    if not present:
        return [b""] * len(columns["bbox"])
    return present[0] if len(present) == 1 else [b"".join(row) for row in zip(*present, strict=True)]


def _distinct(column: pa.Array, encode: Callable[[Any], bytes]) -> list[bytes]:
    """Each value encoded, equal ones once."""
    values = column.to_pylist()
    encoded = {value: encode(value) for value in set(values)}
    return [encoded[value] for value in values]


def _each(column: pa.Array, encode: Callable[[Any], bytes]) -> list[bytes] | None:
    """Each value encoded; None for a column of nulls, which says nothing."""
    return None if column.null_count == len(column) else [encode(value) for value in column.to_pylist()]


def _boxes(column: pa.StructArray) -> list[bytes] | None:
    if column.null_count == len(column):
        return None
    sides = np.stack([column.field(side).to_numpy(zero_copy_only=False) for side in "xywh"], axis=1)
    data = _doubles(sides)
    fields = [digest.field(4, data[begin : begin + 32]) for begin in range(0, len(data), 32)]
    if column.null_count:
        fields = [field if valid else b"" for field, valid in zip(fields, column.is_valid().to_pylist(), strict=True)]
    return fields


def _parts(column: pa.ListArray) -> list[bytes] | None:
    """Polygons: each part is the count of its numbers, and the numbers."""
    if column.null_count == len(column):
        return None
    parts = column.flatten()
    numbers = parts.flatten()
    if parts.null_count or numbers.null_count:
        raise TypeError("a polygon without numbers, or with a number that is null, has no canonical form")
    data = _doubles(numbers.to_numpy(zero_copy_only=False))
    encoded, begin = [], 0
    for count in parts.value_lengths().to_pylist():
        end = begin + 8 * count
        encoded.append(_COUNT.pack(count) + data[begin:end])
        begin = end
    fields, place = [], 0
    for count in column.value_lengths().to_pylist():
        if count is None:
            fields.append(b"")
            continue
        fields.append(digest.field(5, b"".join(encoded[place : place + count])))
        place += count
    return fields


def _doubles(values: Any) -> bytes:
    """Binary64 little-endian: adding 0.0 turns -0.0 into 0.0."""
    data: bytes = (values + 0.0).astype("<f8").tobytes()
    return data
