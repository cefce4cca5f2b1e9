from __future__ import annotations

import math
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelake.geometry import boxes, masks, orientation, polygons, run_lengths

HALVES = st.integers(-200_000, 200_000).map(lambda n: n / 2)
MASKS = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(
    lambda side: st.lists(st.booleans(), min_size=side[0] * side[1], max_size=side[0] * side[1]).map(
        lambda bits: np.array(bits, np.uint8).reshape(side)
    )
)

# How a viewer turns raw pixels to show them, by EXIF orientation (EXIF 2.3, tag 0x0112): the 0th row and column of
# the stored image are shown at the top left (1), top right (2), bottom right (3), bottom left (4), left top (5),
# right top (6), right bottom (7), left bottom (8).
SHOW = {
    1: lambda raw: raw,
    2: np.fliplr,
    3: lambda raw: np.rot90(raw, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda raw: np.rot90(raw, -1),
    7: lambda raw: np.transpose(np.rot90(raw, 2)),
    8: np.rot90,
}


def encoded(mask: np.ndarray) -> str:
    """The mask as compressed runs, counted pixel by pixel down its columns."""
    counts, value = [0], 0
    for pixel in mask.T.reshape(-1).tolist():
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return run_lengths.write_runs(counts)


def test_the_area_of_a_polygon_does_not_depend_on_its_direction() -> None:
    triangle = (0.0, 0.0, 4.0, 0.0, 4.0, 3.0)
    assert polygons.polygon_area(triangle) == 6.0
    assert polygons.polygon_area((4.0, 3.0, 4.0, 0.0, 0.0, 0.0)) == 6.0
    assert polygons.polygon_bounds(triangle) == (0.0, 0.0, 4.0, 3.0)


@given(st.tuples(HALVES, HALVES, HALVES, HALVES))
def test_voc_corners_come_back_exactly(corners: tuple[float, float, float, float]) -> None:
    assert boxes.bbox_to_voc(boxes.voc_to_bbox(*corners)) == corners


def test_voc_corners_count_pixels_from_one_and_belong_to_the_object() -> None:
    assert boxes.voc_to_bbox(1, 1, 640, 480) == (0, 0, 640, 480)
    assert boxes.voc_to_bbox(7, 9, 7, 9) == (6, 8, 1, 1)


@given(st.lists(st.integers(0, 1 << 30), max_size=40))
def test_run_lengths_come_back_from_text(counts: list[int]) -> None:
    assert run_lengths.read_runs(run_lengths.write_runs(counts)) == counts


@pytest.mark.parametrize(
    ("counts", "text"),
    [([24], "h0"), ([4, 2, 18], "42b0"), ([0, 5, 1, 5, 1], "05100"), ([6, 1, 40, 4, 37, 5], "61X13M1"), ([], "")],
)
def test_run_lengths_are_written_as_the_coco_tools_write_them(counts: list[int], text: str) -> None:
    assert run_lengths.write_runs(counts) == text
    assert run_lengths.read_runs(text) == counts


@pytest.mark.parametrize("text", ["~", "é", "P", "4P", "/", "oooooooooo0", "\x00", "O"])
def test_text_that_is_no_run_lengths_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"run length"):
        masks.rle_area(text)


@given(st.text(max_size=30))
def test_any_text_is_decoded_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert masks.rle_area(text) >= 0


@given(MASKS)
def test_area_and_box_of_a_mask_are_those_of_its_pixels(mask: np.ndarray) -> None:
    text = encoded(mask)
    ys, xs = np.nonzero(mask)
    assert masks.rle_area(text) == len(xs)
    box = masks.rle_bounds(text, *mask.shape)
    if not len(xs):
        assert box == (0.0, 0.0, 0.0, 0.0)
    else:
        assert box == (xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1)


@given(MASKS, st.sampled_from(sorted(SHOW)))
def test_a_shown_mask_turns_into_the_raw_one(mask: np.ndarray, orientation: int) -> None:
    shown = SHOW[orientation](mask)
    size, counts = masks.rle_to_raw(shown.shape, encoded(shown), orientation)
    assert (size, counts) == (list(mask.shape), encoded(mask))


@pytest.mark.parametrize(
    ("size", "counts"), [((4, 6), "h01"), ((0, 0), ""), ((1 << 20, 1 << 20), "0"), ((-4, -6), "h0")]
)
def test_a_mask_of_another_size_is_refused_before_a_pixel_is_made(size: tuple[int, int], counts: str) -> None:
    with pytest.raises(ValueError, match="mask of"):
        masks.rle_to_raw(size, counts, 6)


def test_no_number_makes_areas_and_bounds_raise() -> None:
    far = (0.0, 0.0, 1e308, 0.0, 1e308, 1e308)
    assert math.isinf(polygons.polygon_area(far))
    assert polygons.polygon_bounds(far) == (0.0, 0.0, 1e308, 1e308)


@given(st.tuples(*[st.floats(-50, 500)] * 2, *[st.floats(0, 500)] * 2), st.integers(1, 8), *[st.integers(1, 400)] * 2)
def test_a_box_is_turned_to_raw_pixels_as_orientation_turns_it_back(
    box: boxes.Box, tag: int, width: int, height: int
) -> None:
    shown = orientation.Orientation(tag, width, height).back
    assert orientation.raw_box(box, tag, width, height) == pytest.approx(shown.box(box), abs=1e-9)
    assert tuple(orientation.raw_points(box[:2], tag, width, height)) == shown.point(*box[:2])
