"""The one adapter to Ray Data (2.52 or later): read tasks as a Datasource. Ray is imported when one is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from imagelake.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Task:
    """What a worker of Ray reads: a function that it may pickle, and how many rows and bytes it gives, about."""

    read: Callable[[], Iterable[pa.Table]]
    rows: int
    bytes: int


def datasource(name: str, tasks: Sequence[Task]) -> Any:
    """A Datasource for `ray.data.read_datasource`, called `name`. ConfigError without ray."""
    try:
        from ray.data import Datasource, ReadTask
        from ray.data.block import BlockMetadata
    except ImportError:
        raise ConfigError("ray is not installed", hint='pip install "ray[data]>=2.52"') from None

    def metadata(task: Task) -> Any:
        values = {"num_rows": task.rows, "size_bytes": task.bytes}
        return BlockMetadata(**{field.name: values.get(field.name) for field in fields(BlockMetadata)})

    class TaskDatasource(Datasource):  # type: ignore[misc]
        def get_name(self) -> str:
            return name

        def estimate_inmemory_data_size(self) -> int:
            return sum(task.bytes for task in tasks)

        def get_read_tasks(
            self, parallelism: int, per_task_row_limit: int | None = None, data_context: object = None
        ) -> list[Any]:
            return [ReadTask(task.read, metadata(task), per_task_row_limit=per_task_row_limit) for task in tasks]

    return TaskDatasource()
