"""Where a refused annotation was meant to be."""

from __future__ import annotations

import pytest

from imagelake.geometry.orientation import Orientation
from imagelake.report.checks.refused_box import refused_box

UPRIGHT = Orientation(1, 200, 100)
TURNED = Orientation(6, 200, 100)  # shown 100 wide and 200 high
VOC = "<object><name>cat</name><bndbox><xmin>10</xmin><ymin>20</ymin><xmax> 40 </xmax><ymax>20</ymax></bndbox></object>"


@pytest.mark.parametrize(
    ("message", "raw", "turn", "box"),
    [
        ("box x=10.0 y=-2.5 w=0.0 h=1.0E7: width", None, UPRIGHT, (10, -2.5, 0, 1e7)),
        ("box x=0.0 y=0.0 w=20.0 h=10.0 lies outside", "{}", TURNED, (90, 0, 10, 20)),
        ("", '{"bbox": [1, "2", 3.5, 0]}', UPRIGHT, (1, 2, 3.5, 0)),
        ("", VOC, UPRIGHT, (10, 20, 30, 0)),
        ("", "0 0.5 0.5 0.2 0.4", UPRIGHT, (80, 30, 40, 40)),
        ("", "0 0.5 0.5 0.2 0.4 0.9", UPRIGHT, (80, 30, 40, 40)),
        ("", "0 0.5 0.5 0.2 0.4", TURNED, (40, 60, 20, 80)),
        ("", "3 0.1 0.2 0.3 0.2 0.3 0.9", UPRIGHT, (20, 20, 40, 70)),
    ],
)
def test_a_box_is_read_from_message_or_payload(message, raw, turn, box) -> None:
    assert refused_box(message, raw, turn) == pytest.approx(box)


@pytest.mark.parametrize(
    "raw",
    [
        None,
        "",
        "{}",
        '{"bbox": [1, 2, 3]}',
        '{"bbox": [1, 2, 3, NaN]}',
        '{"bbox": [1, 2, 3, 1e999]}',
        '{"bbox": [1, 2, 3, true]}',
        '{"bbox": [1, 2, 3, null]}',
        '{"bbox": [1, 2, 3, 4',
        '{"bbox": ["x", 2, 3, 4]}',
        "<object><bndbox><xmin>1</xmin></bndbox></object>",
        "0 0.5 nan 0.2 0.4",
        "0 0.5 0.5",
        "0 a b c d",
        "[" * 50_000,
        "{" * 50_000,
        '{"bbox": ' + "[" * 50_000,
    ],
)
def test_what_is_no_box_is_none(raw) -> None:
    assert refused_box("image id 7 is not in its document", raw, UPRIGHT) is None
