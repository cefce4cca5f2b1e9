"""What the page counts is what an independent count of the same rows gives."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from html_of import Element, read
from lakes_of_pictures import picture

from imagelake.client import catalog
from imagelake.client import lake as client
from imagelake.client.delta.tables import Tables
from imagelake.client.refs import parse_ref
from imagelake.report.scope import ReportScope
from imagelake.report.statistics.duplicates import grouped, groups_of_keys
from lake_draft import Draft
from lakes import LakeMaker
from report_statistics import Box, Picture, counted, said

CLASSES = ("cat", "dog", "bird", "never", "rare")


@pytest.fixture(scope="module")
def lake_and_draft(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Draft]:
    """120 images of four sizes, some turned, some with equal bytes, unlabelled, labelled with nothing, flagged."""
    maker, draw = LakeMaker(tmp_path_factory.mktemp("counts") / "lake"), random.Random(7)
    data = [picture((n, 0, 0)) for n in range(100)]
    for name in CLASSES:
        maker.draft("pets").category(name)
    for n in range(120):
        width, height = draw.choice([(64, 48), (640, 480), (300, 900), (3000, 2000)])
        key, labelled = f"{n:03d}.png", draw.choice([["box"], ["box"], ["box"], [], None])
        flags = draw.choice([[], ["image.mode"], ["image.mode", "image.small"]])
        values = {"split": draw.choice(["train", "val"]), "orientation": draw.choice([1, 1, 6]), "flags": flags}
        maker.image("pets", key, data[n % 100], width=width, height=height, labelled=labelled, **values)
        for _ in range(draw.randrange(5) if labelled else 0):
            box = (draw.randrange(20), 2, draw.randrange(1, 40), draw.randrange(1, 40))
            maker.box("pets", key, draw.choice(CLASSES[:3]), box, flags=draw.choice([[], ["annotation.box_tiny"]]))
    _outlying(maker)
    maker.keep("pets", data)
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()
    return maker.root, maker.draft("pets")


def _outlying(maker: LakeMaker) -> None:
    """Changes a few of the images: one of another size by far, a box of another size, one with many, a rare class."""
    draft = maker.draft("pets")
    first, second = [k for k, r in draft.images.items() if r["labelled"] and r["orientation"] == 1][:2]
    draft.images[first] |= {"width": 90_000, "height": 70_000}
    maker.box("pets", first, "cat", (5, 5, 4_000, 2))
    for n in range(60):
        maker.box("pets", second, "dog", (n, 1, 20, 20 + n % 3))
    maker.box("pets", second, "rare", (1, 1, 20, 20))


@pytest.fixture(scope="module")
def page(lake_and_draft: tuple[Path, Draft]) -> Element:
    return read(client.open(str(lake_and_draft[0])).report("pets").html)


def rows(page: Element, caption: str) -> list[list[str]]:
    """The cells of the body of the table whose caption begins so; bars are left out."""
    (table,) = (t for t in page.all("table") if t.one("caption").text.startswith(caption))
    return [
        [c.text for c in row.children if c.tag in ("th", "td") and c.attributes.get("class") != "bar"]
        for row in table.one("tbody").all("tr")
    ]


def test_classes_by_split(page: Element, lake_and_draft: tuple[Path, Draft]) -> None:
    draft = lake_and_draft[1]
    splits = {k: r["split"] for k, r in draft.splits[1].items()}
    by_split = Counter((a["category"], splits[a["image_key"]]) for a in draft.annotations.values())
    images = Counter({(a["category"], a["image_key"]) for a in draft.annotations.values()})
    expected = {
        name: [
            str(index),
            str(sum(of == name for of, _ in images)),
            str(by_split[name, "train"] + by_split[name, "val"]),
            str(by_split[name, "train"]),
            str(by_split[name, "val"]),
        ]
        for index, name in enumerate(CLASSES)
    }
    assert {r[0]: r[1:] for r in rows(page, "Annotations of each class")} == expected
    assert "1 without an example: never." in page.text


def test_statistics_are_those_of_an_independent_count(lake_and_draft: tuple[Path, Draft]) -> None:
    root, draft = lake_and_draft
    splits = {k: r["split"] for k, r in draft.splits[1].items()}
    turned = {k: r["orientation"] == 6 for k, r in draft.images.items()}
    pictures = [
        Picture(k, *((r["height"], r["width"]) if turned[k] else (r["width"], r["height"])), r["content_hash"],
                splits[k], bool(r["labelled"]))
        for k, r in draft.images.items()
    ]  # fmt: skip
    boxes = [
        Box(a["image_key"], a["category"], *((b["h"], b["w"]) if turned[a["image_key"]] else (b["w"], b["h"])))
        for a in draft.annotations.values()
        for b in [a["bbox"]]
    ]
    expected = counted(pictures, boxes, (), CLASSES)
    assert said(client.open(str(root)), "pets") == expected
    assert expected["missing"], "rare is in one split"
    assert expected["imbalance"][1], "dog is 50 times as frequent as rare"
    assert all(expected["outliers"][name][0] for name in ("image_size", "image_width", "box_width"))
    assert expected["outliers"]["annotations_per_image"][0] == 1


def test_what_stands_out_is_said_and_named(page: Element, lake_and_draft: tuple[Path, Draft]) -> None:
    draft = lake_and_draft[1]
    huge = next(k for k, r in draft.images.items() if r["width"] == 90_000)
    findings = page.one("ul", class_="findings").text
    assert "to 1, above 50: dog has " in findings
    assert "1 missing in a split: rare in " in findings
    farthest = {r[0]: r[4] for r in rows(page, "Values far from the others")}
    assert farthest["Image size (root of width by height)"].startswith(huge)
    assert farthest["Box width"] == huge


def test_groups_that_something_else_found_are_counted_and_sampled(lake_and_draft: tuple[Path, Draft]) -> None:
    root, draft = lake_and_draft
    lake, splits = client.open(str(root)), {k: r["split"] for k, r in draft.splits[1].items()}
    tables = Tables(lake.storage)
    scope = ReportScope(tables, lake.storage, catalog.resolve(tables, parse_ref("pets")))
    in_train, in_val = ([k for k, s in splits.items() if s == split] for split in ("train", "val"))
    groups = [in_train[:3], [in_train[5], in_val[0]], [in_val[1], "not in this version"], in_val[2:9]]
    found = grouped(scope, ("near", "Nearly the same", "alike"), groups_of_keys(scope, "near", groups))
    assert (found.groups, found.images, found.across_splits) == (3, 12, 1)
    assert [row["splits"] for row in found.rows] == [["train", "val"], ["val"], ["train"]], "across splits first"
    assert [len(row["keys"]) for row in found.rows] == [2, 4, 3]


def test_splits_and_labels(page: Element, lake_and_draft: tuple[Path, Draft]) -> None:
    draft = lake_and_draft[1]
    splits = {k: r["split"] for k, r in draft.splits[1].items()}
    images, labelled = Counter(splits.values()), Counter(splits[k] for k, r in draft.images.items() if r["labelled"])
    annotations = Counter(splits[a["image_key"]] for a in draft.annotations.values())
    expected = [
        [s, str(images[s]), f"{100 * images[s] / 120:.1f} %", str(labelled[s]), str(annotations[s])]
        for s in ("train", "val")
    ]
    assert rows(page, "Images and annotations of each split") == expected
    having = {a["image_key"] for a in draft.annotations.values()}
    nothing = sum(bool(r["labelled"]) and k not in having for k, r in draft.images.items())
    assert [r[1] for r in rows(page, "Images by how")] == [
        str(len(having)),
        str(nothing),
        str(120 - len(having) - nothing),
    ]


def test_sizes_are_those_of_the_shown_images(page: Element, lake_and_draft: tuple[Path, Draft]) -> None:
    shown = Counter(
        f"{r['height']} by {r['width']}" if r["orientation"] == 6 else f"{r['width']} by {r['height']}"
        for r in lake_and_draft[1].images.values()
    )
    assert {r[0]: int(r[1]) for r in rows(page, "Most frequent image sizes")} == dict(shown)
    longest = Counter(max(r["width"], r["height"]) for r in lake_and_draft[1].images.values())
    histogram = {r[0]: int(r[1]) for r in rows(page, "Image size")}
    assert histogram["64 to 128"] == longest[64]
    assert histogram["512 to 1024"] == longest[640] + longest[900]
    assert sum(histogram.values()) == 120


def test_boxes_and_annotations_of_an_image(page: Element, lake_and_draft: tuple[Path, Draft]) -> None:
    boxes = [a["bbox"]["w"] * a["bbox"]["h"] for a in lake_and_draft[1].annotations.values()]
    areas = [int(r[1]) for r in rows(page, "Box area")]
    assert areas == [sum(b < 1024 for b in boxes), sum(1024 <= b < 9216 for b in boxes), sum(b >= 9216 for b in boxes)]
    assert sum(int(r[1]) for r in rows(page, "Box size in its image")) == len(boxes)
    counts = Counter(a["image_key"] for a in lake_and_draft[1].annotations.values())
    per_image = Counter(counts.get(k, 0) for k, r in lake_and_draft[1].images.items() if r["labelled"])
    shown = {r[0]: int(r[1]) for r in rows(page, "Annotations of an image")}
    assert {label: n for label, n in shown.items() if n} == {
        "0": per_image[0],
        "1": per_image[1],
        "2": per_image[2],
        "3 to 5": sum(per_image[n] for n in (3, 4, 5)),
        "51 to 100": 1,
    }


def test_equal_bytes_stand_side_by_side(page: Element) -> None:
    section = page.one("section", id="duplicates")
    assert "40 images are in groups of files that are byte for byte the same; none of the groups" in section.text
    groups = section.all(class_="group")
    assert len(groups) == 12
    for group in groups:
        first, second = (f.one("use").attributes["href"] for f in group.all("figure"))
        assert first == second, "the same bytes are in the page once"
        assert len({f.one(class_="name").text for f in group.all("figure")}) == 2


def test_every_check_that_fired_is_in_the_table(page: Element, lake_and_draft: tuple[Path, Draft]) -> None:
    draft = lake_and_draft[1]
    flags = Counter(f for r in draft.images.values() for f in r["flags"])
    tiny = sum(a.get("flags") == ["annotation.box_tiny"] for a in draft.annotations.values())
    expected = {
        "image.mode": ["warn", "0", str(flags["image.mode"]), "0"],
        "image.small": ["warn", "0", str(flags["image.small"]), "0"],
        "annotation.box_tiny": ["warn", "0", "0", str(tiny)],
    }
    assert {r[0]: r[1:5] for r in rows(page, "3 rules fired")} == expected


def test_the_contact_sheet_has_every_class_and_split(page: Element, lake_and_draft: tuple[Path, Draft]) -> None:
    draft, sheet = lake_and_draft[1], page.one("section", id="contact")
    splits = {k: r["split"] for k, r in draft.splits[1].items()}
    having = Counter((splits[k], c) for c, k in {(a["category"], a["image_key"]) for a in draft.annotations.values()})
    titles = [h.text for h in sheet.all("h3")]
    assert titles == ["cat", "dog", "bird", "rare", "images labelled with nothing", "unlabelled images"]
    strips = [[h.text for h in s.all("h4")] for s in sheet.all(class_="strips")]
    for name, shown in zip(CLASSES[:3], strips[:3], strict=True):
        assert shown == [f"{split} {having[split, name]} images" for split in ("train", "val")]
    assert all(len(s.all("figure")) == 6 for s in sheet.all(class_="strip")[:6])
    first = sheet.all("figure")[0]
    assert first.all("path", class_="focus"), "annotations of the class stand out"
