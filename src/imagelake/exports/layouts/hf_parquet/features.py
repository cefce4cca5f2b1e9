"""The columns of an `hf` export, declared once: for Arrow, for the metadata in the files, for the dataset card.

`Sequence` is what every release of `datasets` reads; releases from 4 on write `List`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class _Column:
    """A column: `depth` lists around values of `dtype`, or around the numbers of classes when that is CLASS."""

    name: str
    dtype: str
    depth: int = 0


CLASS = "class"

_ROW = (
    _Column("image_key", "string"),
    _Column("content_hash", "string"),
    _Column("width", "int32"),
    _Column("height", "int32"),
    _Column("labelled", "string", 1),
    _Column("attributes", "string"),
    _Column("classes", CLASS, 1),
)
_OBJECTS = (
    _Column("bbox", "float64", 2),
    _Column("category", CLASS, 1),
    _Column("kind", "string", 1),
    _Column("area", "float64", 1),
    _Column("is_crowd", "bool", 1),
    _Column("polygons", "float64", 3),
    _Column("mask_size", "int32", 2),
    _Column("mask_counts", "string", 1),
    _Column("keypoints", "float64", 2),
    _Column("attributes", "string", 1),
)


def arrow_schema(classes: Sequence[str]) -> pa.Schema:
    """The schema, with the features in its metadata as `datasets` looks for them."""
    import pyarrow as pa

    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    objects = pa.struct([(column.name, _arrow(column)) for column in _OBJECTS])
    fields = [("image", image), *((column.name, _arrow(column)) for column in _ROW), ("objects", objects)]
    metadata = {"huggingface": json.dumps({"info": {"features": features(classes)}})}
    return pa.schema(fields, metadata=metadata)


def features(classes: Sequence[str]) -> dict[str, Any]:
    """The features as the metadata of a Parquet file spells them."""
    return {
        "image": {"_type": "Image"},
        **{column.name: _feature(column, classes) for column in _ROW},
        "objects": {column.name: _feature(column, classes) for column in _OBJECTS},
    }


def card_features(classes: Sequence[str]) -> list[dict[str, Any]]:
    """The features as a dataset card spells them."""
    return [
        {"name": "image", "dtype": "image"},
        *(_card_feature(column, classes) for column in _ROW),
        {"name": "objects", "struct": [_card_feature(column, classes) for column in _OBJECTS]},
    ]


def _arrow(column: _Column) -> Any:
    import pyarrow as pa

    kind = pa.int64() if column.dtype == CLASS else pa.type_for_alias(column.dtype)
    for _ in range(column.depth):
        kind = pa.list_(kind)
    return kind


def _feature(column: _Column, classes: Sequence[str]) -> dict[str, Any]:
    is_class = column.dtype == CLASS
    feature: dict[str, Any] = {"names": list(classes), "_type": "ClassLabel"} if is_class else {"dtype": column.dtype}
    feature.setdefault("_type", "Value")
    for _ in range(column.depth):
        feature = {"feature": feature, "_type": "Sequence"}
    return feature


def _card_feature(column: _Column, classes: Sequence[str]) -> dict[str, Any]:
    """Of lists of values the innermost one names the type itself."""
    label = {"class_label": {"names": {str(index): name for index, name in enumerate(classes)}}}
    inner: Any = label if column.dtype == CLASS else column.dtype
    for _ in range(column.depth):
        inner = {"sequence": inner}
    return {"name": column.name, **(inner if isinstance(inner, dict) else {"dtype": inner})}
