"""Faults put into the product on purpose are found: otherwise histories without a difference would say nothing."""

from __future__ import annotations

import shutil

import pytest
from tests.model.faults import FAULTS, PACKAGE, ROOT, Fault, finds, put_in

each_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)


@each_fault
def test_the_product_has_the_text_that_a_fault_replaces(fault: Fault, tmp_path):
    copy = tmp_path / fault.path
    copy.parent.mkdir(parents=True)
    shutil.copy(ROOT / PACKAGE / fault.path, copy)
    put_in(fault, tmp_path)
    assert fault.new in copy.read_text()
    assert fault.seed is not None, "no history has found it yet"


@pytest.mark.spark
@pytest.mark.nightly
@each_fault
def test_a_history_finds_each_fault(fault: Fault):
    assert fault.seed is not None
    assert finds(fault, fault.seed, steps=6)
