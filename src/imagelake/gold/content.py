"""The rows that a draft or version consists of, as frames."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame


@dataclass(frozen=True)
class VersionContent:
    """The rows a version consists of."""

    images: DataFrame
    annotations: DataFrame
    categories: DataFrame
