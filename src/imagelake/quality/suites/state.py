"""Whether a dataset's silver has changed since its whole tables were judged. Needs no Spark."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from imagelake.config.dataset_settings import settings_path
from imagelake.quality.suites.own import own_folder
from imagelake.storage.base import Storage
from imagelake.tables import silver
from imagelake.tables.delta.active_files import dataset_files
from imagelake.tables.spec import TableSpec

SUITES_VERSION = 1
"""Rises when our suites ask for something else: every dataset is then judged anew."""

TABLES: tuple[TableSpec, ...] = (silver.IMAGES, silver.ANNOTATIONS, silver.CATEGORIES, silver.REJECTIONS)
"""The tables that have a suite."""


def silver_states(storage: Storage, datasets: Iterable[str] | None = None) -> Mapping[str, str]:
    """What whole-table suites would judge, as a hash by dataset: of every dataset that has rows, or of these.

    It changes with the files of the dataset in the silver tables, with its settings, and with its own suites.
    """
    files = {spec.name: dataset_files(storage, spec) for spec in TABLES}
    names = {name for of_table in files.values() for name in of_table} if datasets is None else set(datasets)
    states = {}
    for name in sorted(names):
        parts = [str(SUITES_VERSION)]
        for table, of_dataset in files.items():
            parts += [table, *(of_dataset[name].paths if name in of_dataset else ())]
        parts += [f"{path} {digest}" for path, digest in _said(storage, name)]
        states[name] = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return states


def _said(storage: Storage, dataset: str) -> Iterable[tuple[str, str]]:
    """Settings and own suites, with the hash of their text."""
    own = sorted(stat.path for stat in storage.list(own_folder(dataset)))
    settings = settings_path(dataset)
    for path in [*([settings] if storage.stat(settings) is not None else ()), *own]:
        yield path, hashlib.sha256(storage.read(path)).hexdigest()
