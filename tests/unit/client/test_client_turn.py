"""Pixels, boxes, outlines, keypoints and masks turn together, and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from imagelake.errors import IntegrityError
from imagelake.geometry.orientation import Orientation
from imagelake.geometry.run_lengths import read_runs, write_runs

orientations = st.integers(1, 8)
sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))
eighths = st.integers(-80, 160).map(lambda n: n / 8)


def shown(image: Image.Image, orientation: int) -> Image.Image:
    """What Pillow makes of an image with that orientation in its EXIF."""
    copy = image.copy()
    copy.getexif()[0x0112] = orientation
    return ImageOps.exif_transpose(copy)


@given(orientation=orientations, size=sizes)
def test_pixels_turn_as_pillow_turns_them(orientation: int, size: tuple[int, int]) -> None:
    image = Image.frombytes("L", size, bytes(range(size[0] * size[1])))
    turned = Orientation(orientation, *size).image(image)
    assert turned.size == Orientation(orientation, *size).size
    assert turned.tobytes() == shown(image, orientation).tobytes()


@given(orientation=orientations, size=sizes, data=st.data())
def test_a_box_covers_the_same_pixels_after_turning(orientation: int, size: tuple[int, int], data: Any) -> None:
    width, height = size
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    w, h = data.draw(st.integers(1, width - x)), data.draw(st.integers(1, height - y))
    image = Image.new("L", size)
    image.paste(255, (x, y, x + w, y + h))
    left, top, wide, high = Orientation(orientation, *size).box((x, y, w, h))
    assert shown(image, orientation).getbbox() == (left, top, left + wide, top + high)


@given(orientation=orientations, size=sizes, x=eighths, y=eighths, w=eighths, h=eighths)
def test_turning_back_gives_the_same_numbers(
    orientation: int, size: tuple[int, int], x: float, y: float, w: float, h: float
) -> None:
    turn = Orientation(orientation, *size)
    assert turn.back.back == turn
    assert turn.back.size == size
    assert turn.back.box(turn.box((x, y, w, h))) == (x, y, w, h)
    assert turn.back.polygon(turn.polygon((x, y, w, h))) == (x, y, w, h)
    assert turn.back.keypoints(turn.keypoints((x, y, 2.0, 0.0, 0.0, 0.0))) == (x, y, 2.0, 0.0, 0.0, 0.0)


@given(orientation=orientations, size=sizes, x=eighths, y=eighths, w=eighths, h=eighths)
def test_a_box_and_its_outline_turn_into_the_same_place(
    orientation: int, size: tuple[int, int], x: float, y: float, w: float, h: float
) -> None:
    turn = Orientation(orientation, *size)
    left, top, wide, high = turn.box((x, y, abs(w), abs(h)))
    outline = turn.polygon((x, y, x + abs(w), y, x + abs(w), y + abs(h), x, y + abs(h)))
    assert (min(outline[::2]), min(outline[1::2])) == (left, top)
    assert (max(outline[::2]), max(outline[1::2])) == (left + wide, top + high)


@given(orientation=orientations, x=st.floats(0, 1e4), y=st.floats(0, 1e4), w=st.floats(0, 1e4), h=st.floats(0, 1e4))
def test_a_turned_box_keeps_its_sides_exactly(orientation: int, x: float, y: float, w: float, h: float) -> None:
    turned = Orientation(orientation, 4000, 3000).box((x, y, w, h))
    assert sorted(turned[2:]) == sorted((w, h))


def test_keypoints_nobody_labelled_stay_at_zero() -> None:
    assert Orientation(3, 10, 10).keypoints((0, 0, 0, 1, 1, 2)) == (0, 0, 0, 9, 9, 2)


@given(orientation=orientations, size=sizes, data=st.data())
def test_a_mask_turns_with_the_pixels(orientation: int, size: tuple[int, int], data: Any) -> None:
    pixels = data.draw(st.binary(min_size=size[0] * size[1], max_size=size[0] * size[1]))
    image = Image.frombytes("L", size, bytes(b & 1 for b in pixels))
    assert Orientation(orientation, *size).mask(encoded(image)) == encoded(shown(image, orientation))


def encoded(image: Image.Image) -> str:
    """A mask's run lengths, column by column, written down plainly."""
    runs, last = [0], 0
    for x in range(image.width):
        for y in range(image.height):
            value = image.getpixel((x, y))
            if value != last:
                runs.append(0)
                last = value
            runs[-1] += 1
    return write_runs(runs)


@given(st.lists(st.integers(0, 2**31), min_size=1))
def test_run_lengths_are_read_as_they_are_written(runs: list[int]) -> None:
    assert read_runs(write_runs(runs)) == runs


def test_known_masks_are_read_as_the_coco_tools_write_them() -> None:
    assert write_runs([6, 1, 40, 4, 5, 4, 5, 4, 21]) == "61X13mN000`0"
    assert read_runs("61X13mN000`0") == [6, 1, 40, 4, 5, 4, 5, 4, 21]


def test_a_mask_of_another_size_is_an_integrity_error() -> None:
    with pytest.raises(IntegrityError, match="covers 4 pixels"):
        Orientation(6, 3, 3).mask(write_runs([4]))
