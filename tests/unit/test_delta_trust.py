"""Tables are opened side by side, each with the authorities of its own lake."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

import pytest

from imagelake.storage.base import Storage
from imagelake.tables.delta import delta_log

SECONDS = 20


@dataclass(frozen=True)
class Lake:
    """As much of a storage as it takes to open a table."""

    ca_bundle: str | None
    root: str = "s3://bucket"

    def delta_options(self) -> dict[str, str]:
        return {}


@pytest.fixture(autouse=True)
def _others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/of/others.pem")


def _open(lake: Lake) -> Any:
    return delta_log.delta_table(cast(Storage, lake), "tables/t")


def test_tables_of_one_lake_are_opened_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(3, timeout=SECONDS)

    def opened(_: str, storage_options: dict[str, str]) -> str:
        together.wait()
        return os.environ["SSL_CERT_FILE"]

    monkeypatch.setattr(delta_log, "DeltaTable", opened)
    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(_open, [Lake("/of/lake.pem")] * 3)) == {"/of/lake.pem"}
    assert os.environ["SSL_CERT_FILE"] == "/of/others.pem"


def test_each_lake_is_opened_with_its_own_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(_: str, storage_options: dict[str, str]) -> str:
        before = os.environ["SSL_CERT_FILE"]
        threading.Event().wait(0.001)
        assert os.environ["SSL_CERT_FILE"] == before
        return before

    monkeypatch.setattr(delta_log, "DeltaTable", opened)
    lakes = [Lake(f"/of/{number % 3}.pem") for number in range(60)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(_open, lakes)) == [lake.ca_bundle for lake in lakes]
    assert os.environ["SSL_CERT_FILE"] == "/of/others.pem"
