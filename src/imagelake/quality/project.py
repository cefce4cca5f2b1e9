"""The Great Expectations project of a dataset in the lake: `reports/gx/<D>/`, worked on in a folder of this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imagelake.storage.base import Storage

KEPT = 30
"""Results of a suite that stay; their pages in Data Docs go with the older ones."""

_RESULTS = "gx/uncommitted/validations"
_PAGES = "gx/uncommitted/data_docs/local_site/validations"
_OWN = ".json"


def project_path(dataset: str) -> str:
    """Where a dataset's project is, relative to the lake."""
    return f"reports/gx/{dataset}"


def docs_path(dataset: str) -> str:
    """The first page of a dataset's Data Docs, relative to the lake."""
    return f"{project_path(dataset)}/gx/uncommitted/data_docs/local_site/index.html"


def own_suites(storage: Storage, dataset: str) -> dict[str, bytes]:
    """The suites somebody wrote for a dataset, as JSON by file name: `datasets/<D>.gx/*.json`."""
    folder = f"datasets/{dataset}.gx/"
    files = sorted(stat.path for stat in storage.list(folder))
    return {path.removeprefix(folder): storage.read(path) for path in files if path.lower().endswith(_OWN)}


@contextmanager
def opened(storage: Storage, dataset: str) -> Iterator[Path]:
    """A copy of the project to work on; what has changed in it is put back in the end, also after an error.

    The oldest results are left behind.
    """
    root = project_path(dataset)
    with tempfile.TemporaryDirectory(prefix="imagelake-gx-") as name:
        folder = Path(name)
        before = {stat.path.removeprefix(f"{root}/"): stat.path for stat in storage.list(f"{root}/")}
        contents = {relative: storage.read(path) for relative, path in before.items()}
        for relative in _without_oldest(contents):
            target = folder / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(contents[relative])
        try:
            yield folder
        finally:
            after = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
            for relative, data in after.items():
                if contents.get(relative) != data:
                    storage.put(f"{root}/{relative}", data)
            storage.delete_all(before[relative] for relative in before if relative not in after)


def _without_oldest(files: dict[str, bytes]) -> list[str]:
    """The files but for results that have KEPT newer ones of their suite, and the pages of these."""
    results: dict[str, list[str]] = {}
    for path in files:
        if path.startswith(f"{_RESULTS}/") and path.endswith(".json"):
            suite, _, _ = path.rpartition("/")[0].rpartition("/")  # …/<suite>/<run>/<time>/<batch>.json
            results.setdefault(suite, []).append(path)
    old = {path for own in results.values() for path in sorted(own)[: max(0, len(own) - KEPT + 1)]}
    pages = {f"{_PAGES}{path.removeprefix(_RESULTS).removesuffix('.json')}.html" for path in old}
    return [path for path in files if path not in old and path not in pages]
