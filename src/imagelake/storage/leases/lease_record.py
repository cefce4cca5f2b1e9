"""The content of `locks/<name>.json`: the holder, when its lease began and ends, and the fence."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from imagelake.storage.leases.process import Process, is_alive, machine_id, process


@dataclass(frozen=True)
class Holder:
    """A run and the processes that write for it; `machine` tells where their ends can be seen, `host` is for people."""

    run_id: str
    host: str
    machine: str | None
    processes: tuple[Process, ...]


@dataclass(frozen=True)
class LeaseRecord:
    """One acquisition. Times are aware datetimes; a released record stays for its fence.

    `maybe_paused`: an earlier holder was taken over while it may have been alive, and nobody has fenced it off since.
    """

    holder: Holder
    fence: int
    acquired: datetime
    expires: datetime
    released: bool = False
    maybe_paused: bool = False


def this_process(run_id: str) -> Holder:
    """The holder that is this very process."""
    return Holder(run_id, socket.gethostname(), machine_id(), (process(os.getpid()),))


def is_free(record: LeaseRecord, now: datetime) -> bool:
    """True when released, expired, or all its processes are seen to have ended.

    A driver that was killed leaves its JVM behind for seconds; the name is free when both are gone.
    """
    if record.released or now >= record.expires:
        return True
    return has_ended(record.holder)


def has_ended(holder: Holder) -> bool:
    """True when all processes of a holder are seen to have ended; what runs on another machine cannot be seen."""
    return holder.machine is not None and holder.machine == machine_id() and not any(map(is_alive, holder.processes))


def encode_record(record: LeaseRecord) -> bytes:
    """The record as JSON; equal records give equal bytes."""
    holder = record.holder
    data = {
        "run_id": holder.run_id,
        "host": holder.host,
        "machine": holder.machine,
        "pids": [asdict(p) for p in holder.processes],
        "fence": record.fence,
        "acquired": record.acquired.isoformat(),
        "expires": record.expires.isoformat(),
        "released": record.released,
        "suspect": record.maybe_paused,
    }
    return json.dumps(data, indent=1).encode() + b"\n"


def decode_record(data: bytes) -> LeaseRecord | None:
    """The record, or None when a power cut has left a damaged file."""
    try:
        fields: dict[str, Any] = json.loads(data)
        first, *others = (Process(p["pid"], p["start_time"]) for p in fields["pids"])
        return LeaseRecord(
            Holder(fields["run_id"], fields["host"], fields["machine"], (first, *others)),
            fields["fence"],
            datetime.fromisoformat(fields["acquired"]),
            datetime.fromisoformat(fields["expires"]),
            fields["released"],
            fields.get("suspect", False),
        )
    except (ValueError, KeyError, TypeError):
        return None
