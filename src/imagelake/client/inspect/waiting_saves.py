"""How many saves of a labelling tool wait: objects below labels/ that no upload has brought yet."""

from __future__ import annotations

from collections.abc import Iterable

from imagelake.client.delta.tables import Tables
from imagelake.client.inspect.upload_states import LABELS, furthest
from imagelake.client.sql_text import any_of, texts
from imagelake.storage import label_paths
from imagelake.storage.base import Storage
from imagelake.tables import bronze


def waiting_saves(tables: Tables, storage: Storage, dataset: str | None = None) -> dict[str, int]:
    """The number of waiting saves by dataset, of one or of all; datasets without any are left out.

    To be asked before anything else of `tables`: a save that is brought and removed meanwhile must not count.
    """
    folder = label_paths.ROOT if dataset is None else label_paths.dataset_folder(dataset)
    saves: dict[str, set[str]] = {}
    for stat in storage.list(f"{folder}/"):
        _, name, save = stat.path.split("/", 2)
        saves.setdefault(name, set()).add(save)
    counts = {name: len(paths - _uploaded(tables, name)) for name, paths in sorted(saves.items())}
    return {name: count for name, count in counts.items() if count}


def waiting_in(tables: Tables, storage: Storage, datasets: Iterable[str]) -> int:
    """The number of saves that wait in any of these datasets; `tables` as for `waiting_saves`."""
    return sum(waiting_saves(tables, storage, dataset).get(dataset, 0) for dataset in datasets)


def _uploaded(tables: Tables, dataset: str) -> set[str]:
    """`<key hash>/<name>` of the saves that uploads brought. Only that: a lake may have moved, and URIs with it.

    A rejected upload brought nothing: its saves are delivered again.
    """
    columns = ("attempt_id", "format", "state")
    uploads = tables.query(
        f"SELECT attempt_id FROM {furthest(tables, columns, dataset)} "
        f"WHERE format = '{LABELS}' AND state <> 'rejected' AND attempt_id IS NOT NULL"
    )
    attempts = [row["attempt_id"] for row in uploads]
    if not attempts:
        return set()
    files = tables.relation(bronze.FILES, ("attempt_id", "source"), dataset, any_of("attempt_id", attempts))
    rows = tables.query(f"SELECT source FROM {files} WHERE attempt_id IN ({texts(attempts)}) AND source IS NOT NULL")
    return {"/".join(row["source"].rsplit("/", 2)[1:]) for row in rows}
