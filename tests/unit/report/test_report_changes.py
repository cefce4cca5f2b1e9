"""What changed: counted as `diff` counts, shown before and after."""

from __future__ import annotations

import pytest
from html_of import Element, read
from lakes_of_pictures import picture

from imagelake.client import lake as client
from imagelake.report import difference_report
from lakes import LakeMaker
from pet_lake import Pets


def counts(page: Element) -> dict[str, list[str]]:
    (table,) = (t for t in page.all("table") if t.one("caption").text.startswith("From "))
    return {row.one("th").text: [c.text for c in row.all("td")] for row in table.one("tbody").all("tr")}


def groups(page: Element) -> dict[str, list[str]]:
    """Group title to the keys shown; the count stands behind the title."""
    section = page.one("section", id="changes")
    titles = [h.text for h in section.all("h3") if h.text != "Drift"]
    return {
        title: [f.one(class_="name").text for f in box.all("figure")]
        for title, box in zip(titles, section.all(class_="pairs"), strict=True)
    }


@pytest.mark.parametrize(("before", "after"), [("v1", "v2"), ("v2", "v3"), ("v1", "v3"), ("v3", "v1"), ("v1", "draft")])
def test_counts_are_those_of_diff(pets: Pets, before: str, after: str) -> None:
    ends = f"pets@{before}", f"pets@{after}"
    diff = pets.lake.diff(*ends)
    expected = {
        plural: [str(diff.count(entity, c)) for c in ("added", "removed", "changed", "renamed")]
        for entity, plural in (("image", "images"), ("annotation", "annotations"), ("category", "classes"))
    }
    for plural in ("annotations", "classes"):
        expected[plural][3] = ""
    page = read(pets.lake.report("..".join(ends)).html)
    assert counts(page) == expected


def test_the_parent_is_compared_with(pets: Pets) -> None:
    page = read(pets.lake.report("pets@v2").html)
    assert counts(page) == counts(read(pets.lake.report("pets@v1..pets@v2").html))
    assert groups(page) == {"Labels changed 1": ["a.png"], "Images added 1": ["e.png"], "Images removed 1": ["b.png"]}


def test_another_recipe_of_a_version_moves_images_only(pets: Pets) -> None:
    page = read(pets.lake.report("pets@v2..pets@v2.2").html)
    (table,) = (t for t in page.all("table") if t.one("caption").text.startswith("Images in another split"))
    moved = [[c.text for c in r.all("td")] for r in table.one("tbody").all("tr")]
    assert moved == [["train", "test", "2"], ["val", "test", "1"]]
    assert all(value in ("0", "") for row in counts(page).values() for value in row)


@pytest.mark.parametrize(
    ("before", "after"), [("v1", "v2"), ("v2", "v3"), ("v3", "v1"), ("v2", "v2.2"), ("v1", "draft")]
)
def test_drift_is_that_of_the_rows(pets: Pets, before: str, after: str) -> None:
    query = "select {0}, count(*) from {1} where dataset = 'pets' and {0} is not null group by all"

    def counts_of(end: str, column: str, view: str) -> dict[str, int]:
        return dict(pets.lake.sql(query.format(column, view), at=f"pets@{end}").as_json()["rows"])

    drift = pets.lake.report(f"pets@{before}..pets@{after}").as_json()["drift"]
    for what, column, view in (("classes", "category", "annotations"), ("splits", "split", "images")):
        ends = [counts_of(end, column, view) for end in (before, after)]
        assert {r["name"]: (r["before"], r["after"]) for r in drift[what] if r["before"] or r["after"]} == {
            name: tuple(end.get(name, 0) for end in ends) for name in {*ends[0], *ends[1]}
        }
        for number, side in enumerate(("share_before", "share_after")):
            total = sum(ends[number].values())
            assert all(r[side] == ends[number].get(r["name"], 0) / total for r in drift[what])


def test_new_and_vanished_classes_are_named(maker: LakeMaker) -> None:
    _moved_box(maker)
    page = client.open(str(maker.root)).report("pets@v1..pets@v2").as_json()["drift"]
    assert (page["new_classes"], page["vanished_classes"]) == ([], [])
    draft = maker.draft("pets")
    for row in [r for r in draft.annotations.values() if r["category"] == "dog"]:
        draft.drop_box(row)
    maker.box("pets", "b.png", "cow", (1, 1, 9, 9))
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()
    lake = client.open(str(maker.root))
    drift = lake.report("pets@v3").as_json()["drift"]
    assert (drift["new_classes"], drift["vanished_classes"]) == (["cow"], ["dog"])
    assert "New: cow. Vanished: dog." in read(lake.report("pets@v3").html).one("section", id="changes").text


def test_equal_versions_differ_in_nothing(pets: Pets) -> None:
    report = pets.lake.report("pets@v2..pets@v2")
    assert report.verdict == "From pets@v2 to pets@v2: nothing changed."
    assert "Nothing that is shown here differs" in report.html


def test_what_went_is_dashed_before_and_what_came_is_solid_after(maker: LakeMaker) -> None:
    _moved_box(maker)
    page = read(client.open(str(maker.root)).report("pets@v1..pets@v2").html)
    assert groups(page) == {"Labels changed 1": ["a.png"], "Pictures changed 1": ["b.png"]}
    before, after = page.all("figure", class_="pair")[0].all("svg")
    assert [p.attributes["d"].startswith("M5.0 5.0") for p in before.all("path", class_="removed")] == [True]
    assert [p.attributes["d"].startswith("M9.0 5.0") for p in after.all("path", class_="added")] == [True]
    assert [len(s.all("path", class_="other")) for s in (before, after)] == [1, 1], "the other box stays"
    names = [s.one("use").attributes["href"] for s in page.all("figure", class_="pair")[1].all("svg")]
    assert names[0] != names[1], "other bytes, another picture"


def test_many_changed_rows_are_counted_without_pairing(maker: LakeMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    _moved_box(maker)
    monkeypatch.setattr(difference_report, "MOST_PAIRED", 1)
    page = read(client.open(str(maker.root)).report("pets@v2").html)
    assert counts(page) == {"images": ["0", "0", "1", ""], "annotations": ["1", "1", "not paired", ""]}


def test_a_retired_parent_is_not_looked_at(maker: LakeMaker) -> None:
    _moved_box(maker)
    maker.state("pets", 1, "retired")
    maker.flush()
    page = read(client.open(str(maker.root)).report("pets@v2").html)
    assert page.all("section", id="changes") == []


def _moved_box(maker: LakeMaker) -> None:
    """v1: two boxes on a, one image b. v2: a box of a moved, b has other bytes of the same size."""
    datas = [picture((n, n, 90)) for n in range(3)]
    maker.image("pets", "a.png", datas[0])
    maker.image("pets", "b.png", datas[1])
    old = maker.box("pets", "a.png", "cat", (5, 5, 10, 10), source_id="1", source_document="x.json")
    maker.box("pets", "a.png", "dog", (30, 5, 10, 10), source_id="2", source_document="x.json")
    maker.keep("pets", datas)
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()
    maker.draft("pets").drop_box(old)
    maker.box("pets", "a.png", "cat", (9, 5, 10, 10), source_id="1", source_document="x.json")
    maker.image("pets", "b.png", datas[2])
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()


def test_what_changed_is_drawn_even_in_a_crowd(maker: LakeMaker) -> None:
    data = picture((1, 2, 3))
    maker.image("pets", "a.png", data)
    boxes = [maker.box("pets", "a.png", "cat", (n % 50, n // 50, 3, 3)) for n in range(300)]
    maker.keep("pets", [data])
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()
    last = max(boxes, key=lambda row: str(row["annotation_key"]))
    maker.draft("pets").drop_box(last)
    maker.box("pets", "a.png", "rare", (40, 40, 7, 7))
    maker.deliver("pets")
    maker.flush()
    page = read(client.open(str(maker.root)).report("pets@draft").html)
    before, after = page.one("section", id="changes").all("svg", role="img")
    assert (len(before.all("path", class_="removed")), len(after.all("path", class_="added"))) == (1, 1)
    rare = next(s for s in page.one("section", id="contact").all("svg", role="img") if "of class rare" in str(s))
    assert len(rare.all("path", class_="focus")) == 1
