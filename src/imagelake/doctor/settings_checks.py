"""What `imagelake doctor` looks at in the settings of the lake's datasets."""

from __future__ import annotations

from collections.abc import Iterator

from imagelake.doctor.check import Check
from imagelake.quality.settings_check import dataset_problems
from imagelake.storage.base import Storage

_FOLDER = "datasets/"


def settings_checks(storage: Storage) -> Iterator[Check]:
    """A line for each setting that is wrong, naming its dataset; one line when none is."""
    paths = (status.path.removeprefix(_FOLDER) for status in storage.list(_FOLDER))
    datasets = sorted(path.removesuffix(".yaml") for path in paths if path.endswith(".yaml") and "/" not in path)
    wrong = [(dataset, problem) for dataset in datasets for problem in dataset_problems(storage, dataset)]
    for dataset, problem in wrong:
        yield Check("settings", False, f"{dataset}: {problem.message}", problem.hint)
    if not wrong:
        count = "1 dataset" if len(datasets) == 1 else f"{len(datasets)} datasets"
        yield Check("settings", True, f"those of {count} are valid")
