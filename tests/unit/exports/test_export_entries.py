"""Images with their annotations, slice by slice, are those that samples give one by one."""

from __future__ import annotations

import pytest

from imagelake.client import lake
from imagelake.exports import entries as module
from imagelake.exports.entries import Entry, entries, entry
from imagelake.geometry.run_lengths import write_runs
from lakes import LakeMaker


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 3)


@pytest.mark.parametrize("oriented", [False, True])
def test_entries_are_the_samples_in_their_space(maker: LakeMaker, small_slices: None, oriented: bool) -> None:
    for n in range(8):
        key = f"{n}.png"
        maker.image("d", key, key.encode(), width=9, height=4, orientation=n + 1, attributes='{"n":1}')
        for left in range(n % 4):
            maker.box("d", key, "cat", (left, 1, 2, 3), keypoints=[1.0, 1.0, 2.0], attributes='{"a":[1]}')
    polygon = [[0.0, 0.0, 3.0, 0.0, 3.0, 2.0]]
    maker.box("d", "5.png", "dog", (0, 0, 3, 2), kind="polygon", polygons=polygon, source_id="7")
    mask = write_runs([0, 4, 32])
    maker.box("d", "6.png", "dog", (0, 0, 1, 4), kind="rle", rle_size=[4, 9], rle_counts=mask, is_crowd=True)
    maker.keep("d", [f"{n}.png".encode() for n in range(8)])
    maker.deliver("d")
    maker.publish("d")
    maker.flush()
    samples = lake.open(str(maker.root)).load("d", oriented=oriented)
    expected = [
        (s.key, s.split, s.width, s.height, s.labelled, s.attributes, s.annotations, s.turn.tag) for s in samples
    ]

    def shown(e: Entry) -> tuple[object, ...]:
        return (e.key, e.split, e.width, e.height, e.labelled, e.attributes, e.annotations, e.orientation)

    assert [shown(e) for e in entries(samples)] == expected
    assert [shown(entry(samples, index)) for index in range(len(samples))] == expected
    assert [e.index for e in entries(samples)] == list(range(8))
