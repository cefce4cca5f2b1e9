"""Random histories through model and product: any difference is a fault of one of them."""

from __future__ import annotations

import os
import secrets
import time

import pytest
from tests.model.explore import Explorer, describe, quick
from tests.model.histories import history

SEEDS = (*range(5019, 5027), 1000, 1001)
"""Histories that every run tries, as many as there is time for; more are added as they have been run."""

STEPS = 6
SHRINK_SECONDS = 60
SECONDS = int(os.environ.get("IMAGELAKE_MODEL_SECONDS", "60"))
NIGHTLY_SECONDS = int(os.environ.get("IMAGELAKE_MODEL_NIGHTLY_SECONDS", "7200"))


def explore(spark, folder, seeds, seconds):
    """The number of histories that fitted into the time; a difference fails with the fewest steps that show it."""
    explorer, started, count = Explorer(quick(spark), folder), time.monotonic(), 0
    for seed in seeds:
        if time.monotonic() - started > seconds:
            break
        steps = history(seed, STEPS)
        difference = explorer.difference(steps)
        if difference is not None:
            steps, difference = explorer.smallest(steps, difference, SHRINK_SECONDS)
            pytest.fail(describe(seed, steps, difference), pytrace=False)
        count += 1
    print(f"{count} histories of {STEPS} steps in {time.monotonic() - started:.0f} s, from seed {seeds[0]}")
    return count


@pytest.mark.spark
@pytest.mark.slow
def test_model_and_product_agree(spark, tmp_path):
    assert explore(spark, tmp_path, SEEDS, SECONDS) > 0


@pytest.mark.spark
@pytest.mark.nightly
def test_model_and_product_agree_on_histories_nobody_has_seen(spark, tmp_path):
    first = secrets.randbelow(1 << 40)
    assert explore(spark, tmp_path, range(first, first + 100_000), NIGHTLY_SECONDS) > 0
