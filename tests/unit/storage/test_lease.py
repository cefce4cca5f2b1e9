from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from imagelake.config.settings import LeaseSettings
from imagelake.errors import Conflict, Locked
from imagelake.storage.leases import lock_record
from imagelake.storage.leases.lease import Lease, acquire, holder_of
from imagelake.storage.leases.lease_record import Holder, this_process
from imagelake.storage.leases.process import Process, is_alive, machine_id, process
from imagelake.storage.local import LocalStorage

START = datetime(2026, 1, 2, tzinfo=timezone.utc)
SETTINGS = LeaseSettings(ttl_seconds=60, wait_seconds=60)
HOLD = """
import sys, time
from dataclasses import replace
from pathlib import Path
from imagelake.runs.context import system_clock
from imagelake.config.settings import LeaseSettings
from imagelake.storage.leases.lease import acquire
from imagelake.storage.leases.lease_record import this_process
from imagelake.storage.leases.process import process
from imagelake.storage.local import LocalStorage
settings = LeaseSettings(ttl_seconds=float(sys.argv[2]), wait_seconds=0)
holder = this_process("first")
holder = replace(holder, processes=(*holder.processes, *(process(int(pid)) for pid in sys.argv[3:])))
lease = acquire(LocalStorage(Path(sys.argv[1])), "pets", holder, settings, system_clock)
print("held", flush=True)
time.sleep(600)
"""


class Hands:
    """A clock that stands still until somebody sleeps or turns it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path)


@pytest.fixture
def clock() -> Hands:
    return Hands()


def elsewhere(run_id: str) -> Holder:
    return Holder(run_id, "otherhost", "other-boot/pid:[1]", (Process(4711, 99),))


def take(storage: LocalStorage, clock: Hands, holder: Holder, settings: LeaseSettings = SETTINGS) -> Lease:
    return acquire(storage, "pets", holder, settings, clock, clock.sleep)


def forget(lease: Lease) -> None:
    """End the lease as a killed process would: nothing renews it, nobody releases it."""
    lease._stop.set()
    lease._thread.join()


@contextmanager
def holding(storage: LocalStorage, ttl: float, *pids: int) -> Iterator[subprocess.Popen[str]]:
    arguments = [sys.executable, "-c", HOLD, str(storage.folder), str(ttl), *map(str, pids)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        try:
            yield child
        finally:
            child.kill()


def test_a_free_name_is_held_and_given_back(storage: LocalStorage, clock: Hands) -> None:
    assert holder_of(storage, "pets", clock) is None
    with take(storage, clock, this_process("r1")) as lease:
        lease.check()
        found = holder_of(storage, "pets", clock)
        assert found is not None
        assert (found.run_id, found.pid, found.since) == ("r1", os.getpid(), START)
        assert (lease.fence, lease.taken_over) == (1, False)
    assert holder_of(storage, "pets", clock) is None
    with pytest.raises(Locked, match="was released"):
        lease.check()
    lease.release()


def test_the_fence_rises_with_every_holder(storage: LocalStorage, clock: Hands) -> None:
    fences = []
    for number in range(5):
        with take(storage, clock, this_process(f"r{number}")) as lease:
            fences.append(lease.fence)
    assert fences == [1, 2, 3, 4, 5]


def test_different_names_do_not_meet(storage: LocalStorage, clock: Hands) -> None:
    with take(storage, clock, this_process("r1")), acquire(storage, "cars", this_process("r2"), SETTINGS, clock):
        pass


def test_a_name_that_stays_held_is_locked_and_names_its_holder(storage: LocalStorage, clock: Hands) -> None:
    patient = LeaseSettings(ttl_seconds=600, wait_seconds=30)
    with take(storage, clock, elsewhere("r1"), patient):
        with pytest.raises(
            Locked, match=r"pets is held by run r1 on otherhost \(process 4711\) since 2026-01-02T"
        ) as caught:
            take(storage, clock, this_process("r2"), patient)
        waited = (clock.now - START).total_seconds()
        assert 29 < waited < 30.001  # each sleep is rounded to microseconds
        assert caught.value.exit_code == 5
        assert caught.value.hint


def test_who_waits_gets_the_name_when_it_is_released(storage: LocalStorage, clock: Hands) -> None:
    first = take(storage, clock, elsewhere("r1"))

    def sleep(seconds: float) -> None:
        first.release()

    with acquire(storage, "pets", this_process("r2"), SETTINGS, clock, sleep) as second:
        assert (second.fence, second.taken_over) == (2, False)


def test_a_holder_elsewhere_is_taken_over_only_after_it_has_expired(storage: LocalStorage, clock: Hands) -> None:
    first = take(storage, clock, elsewhere("r1"))
    forget(first)
    with pytest.raises(Locked):
        take(storage, clock, this_process("r2"), LeaseSettings(ttl_seconds=60, wait_seconds=59))
    assert holder_of(storage, "pets", clock) is not None
    with take(storage, clock, this_process("r2")) as second:
        assert clock.now - START >= timedelta(seconds=60)
        assert (second.fence, second.taken_over) == (2, True)
        with pytest.raises(Locked, match="pets was taken over by run r2") as caught:
            first.check()
        assert caught.value.exit_code == 5
        first.release()
        second.check()


def test_check_renews_a_lease_that_is_about_to_expire(storage: LocalStorage, clock: Hands) -> None:
    with take(storage, clock, elsewhere("r1")) as lease:
        clock.sleep(400 * 86400)
        lease.check()
        assert holder_of(storage, "pets", clock) is not None


def test_the_lease_is_renewed_in_the_background(storage: LocalStorage) -> None:
    def clock() -> datetime:
        return datetime.now(timezone.utc)

    with acquire(storage, "pets", elsewhere("r1"), LeaseSettings(ttl_seconds=0.3, wait_seconds=0), clock):
        for _ in range(10):
            time.sleep(0.1)
            assert holder_of(storage, "pets", clock) is not None


def test_a_killed_holder_on_this_machine_is_taken_over_at_once(storage: LocalStorage) -> None:
    with holding(storage, 600) as child:
        child.send_signal(signal.SIGKILL)
        # not waited for: a zombie counts as ended
        start = time.monotonic()
        settings = LeaseSettings(ttl_seconds=600, wait_seconds=20)
        with acquire(storage, "pets", this_process("second"), settings, lambda: datetime.now(timezone.utc)) as lease:
            assert lease.taken_over
        assert time.monotonic() - start < 5


def test_a_killed_driver_is_waited_for_while_its_jvm_lives(storage: LocalStorage) -> None:
    with subprocess.Popen(["/bin/sleep", "600"]) as jvm, holding(storage, 600, jvm.pid) as child:
        child.kill()
        child.wait()
        ends = threading.Timer(1.5, jvm.kill)
        ends.start()
        start = time.monotonic()
        settings = LeaseSettings(ttl_seconds=600, wait_seconds=20)
        with acquire(storage, "pets", this_process("second"), settings, lambda: datetime.now(timezone.utc)) as lease:
            assert lease.taken_over
        assert 1.3 < time.monotonic() - start < 8


def test_a_paused_holder_is_taken_over_after_its_time_and_notices(storage: LocalStorage) -> None:
    with holding(storage, 1) as child:
        child.send_signal(signal.SIGSTOP)
        settings = LeaseSettings(ttl_seconds=60, wait_seconds=20)
        with acquire(storage, "pets", this_process("second"), settings, lambda: datetime.now(timezone.utc)) as lease:
            assert (lease.fence, lease.taken_over) == (2, True)
            child.send_signal(signal.SIGCONT)
            time.sleep(0.8)  # its heartbeat runs and must not take the name back
            lease.check()


def test_of_many_takers_one_holds_at_a_time(storage: LocalStorage) -> None:
    inside, most, fences = 0, 0, []
    settings = LeaseSettings(ttl_seconds=60, wait_seconds=60)

    def work(number: int) -> None:
        nonlocal inside, most
        for _ in range(5):
            with acquire(
                storage, "pets", this_process(f"r{number}"), settings, lambda: datetime.now(timezone.utc)
            ) as lease:
                inside += 1
                most = max(most, inside)
                fences.append(lease.fence)
                time.sleep(0.002)
                inside -= 1

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert fences == list(range(1, 21))


def test_a_process_that_got_the_number_of_a_dead_holder_does_not_hold(storage: LocalStorage, clock: Hands) -> None:
    here = this_process("r1")
    reused = replace(here, processes=(Process(os.getpid(), 1),))
    forget(take(storage, clock, reused))
    with take(storage, clock, this_process("r2")) as lease:
        assert lease.taken_over
        assert clock.now == START


def test_a_record_that_a_power_cut_damaged_is_replaced_under_a_high_fence(storage: LocalStorage, clock: Hands) -> None:
    storage.put("locks/pets.json", b"")
    assert holder_of(storage, "pets", clock) is None
    with take(storage, clock, this_process("r1")) as lease:
        assert lease.taken_over
        assert lease.fence > 1_000_000_000


def test_the_record_says_who_holds_the_name(storage: LocalStorage, clock: Hands) -> None:
    holder = this_process("r1")
    holder = replace(holder, processes=(*holder.processes, process(1)))
    with take(storage, clock, holder) as lease:
        data = json.loads(storage.read("locks/pets.json"))
        lease.check()
    assert data["run_id"] == "r1"
    assert [p["pid"] for p in data["pids"]] == [os.getpid(), 1]
    assert data["fence"] == 1
    assert data["expires"] > data["acquired"]


def test_a_process_stuck_while_changing_the_record_does_not_block_for_ever(
    storage: LocalStorage, clock: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_record, "PATIENCE_SECONDS", 0.1)
    stuck = lock_record.FileLockRecord(storage, "locks/pets")._exclusive()
    with stuck, pytest.raises(Conflict, match=r"locks/pets\.lock has been held"):
        take(storage, clock, this_process("r1"))


def test_a_lock_record_that_never_takes_a_record_ends_as_locked(
    storage: LocalStorage, clock: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_record.FileLockRecord, "swap", lambda *_: False)
    with pytest.raises(Locked, match="100 times in a row") as told:
        acquire(storage, "pets", this_process("r1"), LeaseSettings(), clock)
    assert "doctor" in str(told.value.hint)


def test_processes_are_told_apart_by_their_start() -> None:
    here = process(os.getpid())
    assert here.start_time is not None
    assert is_alive(here)
    assert not is_alive(replace(here, start_time=here.start_time + 1))
    assert is_alive(Process(here.pid, None))
    with subprocess.Popen(["/bin/true"]) as child:
        other = process(child.pid)
    assert not is_alive(other)
    assert machine_id() == machine_id()
