"""The suites somebody wrote for a dataset: `datasets/<D>.gx/*.json`, by what they are judged on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from imagelake.errors import ConfigError
from imagelake.quality.suites.expected import Suite
from imagelake.storage.base import Storage

MEASURES = "measures"
BEGINNINGS = (MEASURES, "silver.images", "silver.annotations", "silver.categories", "silver.rejections")
"""What the name of a file begins with: the measures of a draft, or the table whose rows it is about."""

_FILE = re.compile(rf"(?P<subject>{'|'.join(re.escape(name) for name in BEGINNINGS)})(?:[._-](?P<rest>[\w.-]*))?\.json")


@dataclass(frozen=True)
class OwnSuites:
    """A dataset's own suites by the beginning of their file's name."""

    suites: Sequence[tuple[str, Suite]] = ()

    def of(self, subject: str) -> tuple[Suite, ...]:
        """Those about the measures, or about a table."""
        return tuple(suite for name, suite in self.suites if name == subject)


def own_folder(dataset: str) -> str:
    """Where a dataset's own suites are, relative to the lake."""
    return f"datasets/{dataset}.gx/"


def own_suites(storage: Storage, dataset: str) -> OwnSuites:
    """The suites of a dataset, in the order of their files. ConfigError for a file that names nothing to judge.

    `measures.size.json` is the suite `measures.size.<D>`, `silver.images.json`, whose name is ours, is
    `silver.images.own.<D>`. Files that do not end in .json are left alone.
    """
    folder = own_folder(dataset)
    files = sorted(stat.path for stat in storage.list(folder) if stat.path.lower().endswith(".json"))
    suites = [_own_suite(dataset, path.removeprefix(folder), storage.read(path)) for path in files]
    names = [suite.name for _, suite in suites]
    twice = next((suite for _, suite in suites if names.count(suite.name) > 1), None)
    if twice is not None:
        raise ConfigError(f"{twice.file}: another file is the suite {twice.name} too", hint="rename one of the two")
    return OwnSuites(suites)


def _own_suite(dataset: str, file: str, data: bytes) -> tuple[str, Suite]:
    match = _FILE.fullmatch(_lower_suffix(file))
    path = f"{own_folder(dataset)}{file}"
    if match is None:
        raise ConfigError(
            f"{path} names nothing that a suite can be judged on",
            hint=f"its name begins with {', '.join(BEGINNINGS)}, for example silver.images.sizes.json",
        )
    return match["subject"], Suite(f"{match['subject']}.{match['rest'] or 'own'}.{dataset}", (), data, path)


def _lower_suffix(file: str) -> str:
    path = PurePosixPath(file)
    return f"{file.removesuffix(path.suffix)}{path.suffix.lower()}"
