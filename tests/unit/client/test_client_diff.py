from __future__ import annotations

from typing import Any

import pytest
from deltalake import DeltaTable
from hypothesis import given
from hypothesis import strategies as st

import imagelake
from imagelake.client.delta.tables import Tables
from imagelake.client.diff.pairing import overlap, pair
from imagelake.client.sql_text import Row
from imagelake.errors import NotFound
from imagelake.tables import gold
from lakes import LakeMaker
from pet_lake import Pets


def rows(document: dict[str, Any], entity: str) -> list[tuple[Any, ...]]:
    return [(r["change"], r["what"], r["image_key"]) for r in document["rows"] if r["entity"] == entity]


def test_a_diff_counts_images_annotations_splits_and_categories(pets: Pets) -> None:
    assert pets.lake.diff("pets@v1", "pets@v2").as_json() == {
        "from": "pets@v1",
        "to": "pets@v2",
        "images": {"added": 1, "removed": 1, "changed": 0, "renamed": 0},
        "annotations": {"added": 1, "removed": 1, "changed": 1},
        "splits": {
            "test": {"added": 0, "removed": 1, "moved_in": 0, "moved_out": 0},
            "train": {"added": 1, "removed": 0, "moved_in": 0, "moved_out": 0},
        },
        "categories": {"added": ["bird"], "removed": []},
    }


def test_rows_say_what_changed_and_show_both_sides(pets: Pets) -> None:
    document = pets.lake.diff("pets@v1", "pets@v2", rows=True).as_json()
    assert rows(document, "image") == [("removed", [], "b.png"), ("added", [], "e.png")]
    assert rows(document, "annotation") == [
        ("changed", ["moved"], "a.png"),
        ("removed", [], "b.png"),
        ("added", [], "e.png"),
    ]
    moved = next(r for r in document["rows"] if r["change"] == "changed")
    assert moved["before"] == {"kind": "box", "category": "dog", "bbox": [4.0, 0.0, 2.0, 2.0], "source_id": "2"}
    assert moved["after"]["bbox"] == [4.0, 1.0, 2.0, 2.0]
    assert rows(document, "category") == [("added", [], None)]


def test_a_renamed_image_takes_its_annotations_and_its_split_along(maker: LakeMaker) -> None:
    maker.image("pets", "old.png", b"same", split="test")
    maker.box("pets", "old.png", "cat", (1, 1, 2, 2))
    maker.box("pets", "old.png", "dog", (5, 5, 2, 2))
    maker.deliver("pets")
    maker.publish("pets")
    maker.draft("pets").drop_image("old.png")
    maker.image("pets", "new.png", b"same", split="test")
    maker.box("pets", "new.png", "cat", (1, 1, 2, 2))
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()
    document = imagelake.open(str(maker.root)).diff("pets@v1", "pets@v2", rows=True).as_json()
    assert document["images"] == {"added": 0, "removed": 0, "changed": 0, "renamed": 1}
    assert document["annotations"] == {"added": 0, "removed": 1, "changed": 0}
    assert document["splits"] == {}
    renamed = document["rows"][0]
    assert (renamed["before"]["image_key"], renamed["after"]["image_key"]) == ("old.png", "new.png")


def test_new_bytes_under_a_key_are_a_change_of_bytes(pets: Pets) -> None:
    document = pets.lake.diff("pets@v2", "pets@v3", rows=True).as_json()
    assert document["images"] == {"added": 1, "removed": 0, "changed": 1, "renamed": 1}
    assert ("changed", ["bytes"], "a.png") in rows(document, "image")


def test_what_went_and_came_back_in_between_is_no_change(pets: Pets) -> None:
    document = pets.lake.diff("pets@v1", "pets@v3", rows=True).as_json()
    assert not [r for r in document["rows"] if r["image_key"] == "b.png"]


def test_backwards_is_the_opposite(pets: Pets) -> None:
    there = pets.lake.diff("pets@v1", "pets@v3").as_json()
    back = pets.lake.diff("pets@v3", "pets@v1").as_json()
    for entity in ("images", "annotations", "categories"):
        assert (there[entity]["added"], there[entity]["removed"]) == (back[entity]["removed"], back[entity]["added"])
        assert there[entity].get("changed") == back[entity].get("changed")


def test_a_version_and_itself_do_not_differ(pets: Pets) -> None:
    document = pets.lake.diff("pets@v2", "pets@v2", rows=True).as_json()
    assert document["rows"] == []
    assert document["splits"] == {}


def test_two_recipes_of_one_content_differ_in_moves_only(pets: Pets) -> None:
    document = pets.lake.diff("pets@v2", "pets@v2.2", rows=True).as_json()
    assert document["images"] == {"added": 0, "removed": 0, "changed": 0, "renamed": 0}
    assert document["splits"] == {
        "test": {"added": 0, "removed": 0, "moved_in": 3, "moved_out": 0},
        "train": {"added": 0, "removed": 0, "moved_in": 0, "moved_out": 2},
        "val": {"added": 0, "removed": 0, "moved_in": 0, "moved_out": 1},
    }
    assert rows(document, "split") == [("moved", ["split"], key) for key in ("c.png", "d.png", "e.png")]


def test_the_draft_can_be_either_side(pets: Pets) -> None:
    pets.maker.image("pets", "n.png", split=None)
    pets.maker.draft("pets").drop_image("c.png")
    pets.maker.deliver("pets")
    pets.maker.flush()
    there = pets.lake.diff("pets@v3", "pets@draft").as_json()
    assert there["images"] == {"added": 1, "removed": 1, "changed": 0, "renamed": 0}
    assert there["splits"] == {
        "train": {"added": 0, "removed": 1, "moved_in": 0, "moved_out": 0},
        "unassigned": {"added": 1, "removed": 0, "moved_in": 0, "moved_out": 0},
    }
    assert pets.lake.diff("pets@draft", "pets@v3").as_json()["splits"]["train"]["added"] == 1


def test_a_draft_that_was_just_published_does_not_differ(pets: Pets) -> None:
    document = pets.lake.diff("pets@v3", "pets@draft", rows=True).as_json()
    assert (document["rows"], document["splits"]) == ([], {})


def test_versions_of_two_datasets_are_compared_as_sets(pets: Pets) -> None:
    maker = pets.maker
    for key, row in pets.maker.draft("pets").images.items():
        maker.image("cats", key, pets.bytes.get({"a": "a2", "f": "d"}.get(key[0], key[0])), width=8, height=6)
        assert maker.draft("cats").images[key]["content_hash"] == row["content_hash"]
    maker.deliver("cats")
    maker.publish("cats")
    maker.flush()
    document = pets.lake.diff("pets@v3", "cats@v1").as_json()
    assert document["images"]["added"] == document["images"]["removed"] == 0
    assert document["images"]["changed"] == 1  # c.png is labelled with nothing there, and not labelled here
    assert document["annotations"] == {"added": 0, "removed": 4, "changed": 0}


def test_a_diff_opens_only_the_log_files_of_its_range(maker: LakeMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(6):
        maker.image("pets", f"{n}.png")
        maker.deliver("pets")
        maker.publish("pets")
        maker.flush()
    opened: list[int] = []
    relation = Tables.relation

    def spy(self: Tables, spec: Any, columns: Any, dataset: Any = None, prune: Any = None) -> str:
        if spec is gold.IMAGE_LOG:
            opened.append(len(self.files(spec, dataset, prune)))
        return relation(self, spec, columns, dataset, prune)

    monkeypatch.setattr(Tables, "relation", spy)
    assert imagelake.open(str(maker.root)).diff("pets@v4", "pets@v6").as_json()["images"]["added"] == 2
    assert opened == [2]


def test_an_unknown_version_is_not_found(pets: Pets) -> None:
    with pytest.raises(NotFound):
        pets.lake.diff("pets@v1", "pets@v9")


def box(key: str, x: float, category: str = "cat", source: str | None = None, **values: Any) -> Row:
    bounds = {"x": x, "y": 0.0, "w": 2.0, "h": 2.0}
    row = {"annotation_key": key, "image_key": "a", "kind": "box", "category": category, "bbox": bounds}
    row |= dict.fromkeys(("polygons", "rle_size", "rle_counts", "keypoints"))
    return row | {"source_id": source, "source_document": "d.json", **values}


def keyed(found: Any) -> list[tuple[str, str]]:
    return [(a["annotation_key"], b["annotation_key"]) for a, b in found]


def test_equal_source_ids_that_overlap_pair_before_better_overlap_does() -> None:
    gone = [box("a1", 0, source="1"), box("a2", 1.5, source="2")]
    come = [box("b1", 1, source="1"), box("b2", 0.1, source="2")]
    assert keyed(pair(gone, come)[0]) == [("a1", "b1"), ("a2", "b2")]


def test_ids_that_an_exporter_gave_anew_pair_nothing() -> None:
    gone = [box("a1", 0, source="1"), box("a2", 10, source="2"), box("a3", 50, source="3")]
    come = [box("b1", 10.5, source="1"), box("b2", 0.5, source="2"), box("b3", 80, source="3")]
    pairs, removed, added = pair(gone, come)
    assert keyed(pairs) == [("a1", "b2"), ("a2", "b1")]
    assert [r["annotation_key"] for r in (*removed, *added)] == ["a3", "b3"]


def test_equal_geometry_pairs_by_source_id_although_nothing_can_overlap() -> None:
    point = {"x": 5.0, "y": 5.0, "w": 0.0, "h": 0.0}
    gone = [box("a1", 0, bbox=point, source="1"), box("a2", 0, bbox=point)]
    come = [box("b1", 0, "dog", bbox=point, source="1"), box("b2", 0, "dog", bbox={**point, "x": 6.0}, source="2")]
    pairs, removed, _ = pair(gone, come)
    assert keyed(pairs) == [("a1", "b1")]
    assert [r["annotation_key"] for r in removed] == ["a2"]


def test_a_renumbered_export_changes_only_what_it_changed(maker: LakeMaker) -> None:
    maker.image("pets", "a.png", split="train")
    boxes_of = {1: (0, 0, 5, 5), 2: (20, 20, 5, 5), 3: (40, 40, 5, 5)}
    rows_of = [maker.box("pets", "a.png", "cat", b, source_id=str(i), source_document="d") for i, b in boxes_of.items()]
    maker.deliver("pets")
    maker.publish("pets")
    for row in rows_of:
        maker.draft("pets").drop_box(row)
    for i, b in {1: (20, 20, 5, 5), 2: (41, 40, 5, 5), 3: (60, 10, 4, 4)}.items():
        maker.box("pets", "a.png", "cat", b, source_id=str(i), source_document="d")
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()
    document = imagelake.open(str(maker.root)).diff("pets@v1", "pets@v2").as_json()
    assert document["annotations"] == {"added": 1, "removed": 1, "changed": 1}


def test_a_source_id_that_stands_twice_pairs_nothing() -> None:
    gone = [box("a1", 0, source="1"), box("a2", 10, source="1")]
    come = [box("b1", 10.5, source="1"), box("b2", 50, source="7")]
    pairs, removed, added = pair(gone, come)
    assert keyed(pairs) == [("a2", "b1")]
    assert [r["annotation_key"] for r in (*removed, *added)] == ["a1", "b2"]


def test_the_best_overlap_pairs_first() -> None:
    pairs, _, added = pair([box("a", 0)], [box("b", 1), box("c", 0.1)])
    assert keyed(pairs) == [("a", "c")]
    assert [r["annotation_key"] for r in added] == ["b"]


def test_annotations_of_another_kind_or_image_never_pair() -> None:
    assert pair([box("a", 0)], [box("b", 0, kind="polygon"), box("c", 0, image_key="z")])[0] == []


def test_whole_image_labels_pair_with_each_other() -> None:
    gone, come = box("a", 0, bbox=None, kind="class"), box("b", 0, "dog", bbox=None, kind="class")
    assert keyed(pair([gone], [come])[0]) == [("a", "b")]


def test_boxes_that_only_touch_do_not_overlap() -> None:
    assert overlap({"x": 0, "y": 0, "w": 2, "h": 2}, {"x": 2, "y": 0, "w": 2, "h": 2}) == 0
    assert overlap({"x": 0, "y": 0, "w": 2, "h": 2}, {"x": 1, "y": 0, "w": 2, "h": 2}) == pytest.approx(1 / 3)


boxes = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from(["cat", "dog"]), st.sampled_from([None, "1", "2", "3"])), max_size=7
)


@given(gone=boxes, come=boxes)
def test_pairing_loses_no_row_and_does_not_depend_on_their_order(gone: Any, come: Any) -> None:
    left = [box(f"a{i}", *values) for i, values in enumerate(gone)]
    right = [box(f"b{i}", *values) for i, values in enumerate(come)]
    pairs, removed, added = pair(left, right)
    assert sorted(r["annotation_key"] for r in (*(p[0] for p in pairs), *removed)) == [
        f"a{i}" for i in range(len(left))
    ]
    assert sorted(r["annotation_key"] for r in (*(p[1] for p in pairs), *added)) == [f"b{i}" for i in range(len(right))]
    assert pair(left[::-1], right[::-1]) == (pairs, removed, added)
    assert all(overlap(a["bbox"], b["bbox"]) > 0 for a, b in pairs)
    assert not [1 for a in removed for b in added if overlap(a["bbox"], b["bbox"]) > 0], "more could be paired"


@given(gone=boxes, come=boxes)
def test_ids_that_overlap_decide_in_both_directions(gone: Any, come: Any) -> None:
    left = [box(f"a{i}", x, category, str(i), image_key="a") for i, (x, category, _) in enumerate(gone)]
    right = [box(f"b{i}", x, category, str(i), image_key="a") for i, (x, category, _) in enumerate(come)]
    by_id = [
        (a["annotation_key"], b["annotation_key"])
        for a, b in zip(left, right, strict=False)
        if overlap(a["bbox"], b["bbox"]) > 0
    ]
    assert set(by_id) <= set(keyed(pair(left, right)[0]))
    assert set(by_id) <= {(a, b) for b, a in keyed(pair(right, left)[0])}


@given(boxes)
def test_ids_given_anew_change_no_pair(values: Any) -> None:
    """Rows of different places that keep their place: whatever ids an exporter gives them, each pairs with itself."""
    places = sorted({x for x, *_ in values})
    left = [box(f"a{i:02}", 10.0 * x, source=str(i)) for i, x in enumerate(places)]
    right = [box(f"b{i:02}", 10.0 * x, "dog", str(-i % len(places))) for i, x in enumerate(places)]
    assert sorted(keyed(pair(left, right)[0])) == [(f"a{i:02}", f"b{i:02}") for i in range(len(places))]


def test_the_log_grows_by_what_changed(pets: Pets) -> None:
    """The lakes these tests use are what the contract says: else they would prove nothing."""
    files = DeltaTable(str(pets.maker.root / gold.IMAGE_LOG.path)).get_add_actions(flatten=True)
    assert sorted(files.column("num_records").to_pylist()) == [2, 3, 4]
