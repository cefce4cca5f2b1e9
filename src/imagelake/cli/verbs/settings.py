"""The verb set: settings of a dataset."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated

import typer

from imagelake.cli import options
from imagelake.cli.flags import lake_of, load_settings
from imagelake.cli.plain import safe
from imagelake.cli.shell import emit

if TYPE_CHECKING:
    from rich.console import Console

    from imagelake.config.settings_change import SettingChange


def set_settings(
    context: typer.Context,
    dataset: options.Dataset,
    assignments: Annotated[
        list[str], typer.Argument(metavar="KEY=VALUE…", help="Such as storage=packages or gate.min_images=10.")
    ],
) -> int:
    """Change settings of a dataset, which live in the lake: checked, then written. What is different is shown."""
    from imagelake.config.settings_change import change_settings
    from imagelake.core.upload_paths import check_dataset_id
    from imagelake.quality.settings_check import check_settings
    from imagelake.runs.context import system_clock
    from imagelake.storage.leases.lease import acquire
    from imagelake.storage.leases.lease_record import this_process
    from imagelake.storage.open_lake import open_lake

    storage = open_lake(*lake_of(context.obj.flags)).storage
    holder, lease = this_process(uuid.uuid4().hex), load_settings(context.obj.flags).lease
    with acquire(storage, check_dataset_id(dataset), holder, lease, system_clock):
        changes = change_settings(storage, dataset, assignments, check_settings)
    document = {
        "dataset": dataset,
        "changes": [{"key": each.key, "before": each.before, "after": each.after} for each in changes],
    }
    emit(context.obj, document, lambda to: _show(to, dataset, changes))
    return 0


def _show(to: Console, dataset: str, changes: tuple[SettingChange, ...]) -> None:
    if not changes:
        to.print(f"{dataset}: nothing is different")
    for change in changes:
        to.print(f"{dataset}: {change.key}: {safe(str(change.before))} → {safe(str(change.after))}", soft_wrap=True)
    if any(change.key == "storage" for change in changes):
        to.print("  next: imagelake maintain --only pack converts what is there", soft_wrap=True)
