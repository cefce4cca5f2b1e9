"""The Great Expectations project of a dataset in the lake: `reports/gx/<D>/`, worked on in a folder of this machine."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from imagelake.errors import ImagelakeError
from imagelake.quality.expectations.data_docs import keep_offline
from imagelake.storage.base import Storage

log = logging.getLogger(__name__)

KEPT = 30
"""Results of a suite that stay; their pages in Data Docs go with the older ones."""

_RESULTS = "gx/uncommitted/validations"
_PAGES = "gx/uncommitted/data_docs/local_site/validations"

T = TypeVar("T")


def project_path(dataset: str) -> str:
    """Where a dataset's project is, relative to the lake."""
    return f"reports/gx/{dataset}"


def docs_path(dataset: str) -> str:
    """The first page of a dataset's Data Docs, relative to the lake."""
    return f"{project_path(dataset)}/gx/uncommitted/data_docs/local_site/index.html"


def in_project(storage: Storage, dataset: str, work: Callable[[Path], T]) -> tuple[T, tuple[str, ...]]:
    """What the work in the dataset's project gives, and notices.

    A project that cannot be worked with (a file that was half written, say) is made anew: its results are for looking
    at, and must not keep anybody from publishing. When it does not work in an empty folder either, that is raised.
    """

    def done(folder: Path) -> T:
        result = work(folder)
        keep_offline(folder, f"Data Docs of {dataset}")
        return result

    with opened(storage, dataset) as folder:
        before = any(folder.iterdir())
        try:
            return done(folder), ()
        except ImagelakeError:
            raise
        except Exception as problem:
            if not before:
                raise
            log.warning("%s cannot be worked with", project_path(dataset), exc_info=True)
            shutil.rmtree(folder)
            folder.mkdir()
            result = done(folder)
            reason = f"{type(problem).__name__}: {str(problem).strip().partition(chr(10))[0]}"
            return result, (f"{project_path(dataset)} was damaged ({reason}) and is made anew, without older results",)


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
