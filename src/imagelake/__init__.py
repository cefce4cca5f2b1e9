"""imagelake: a medallion lakehouse for image datasets."""

from __future__ import annotations
