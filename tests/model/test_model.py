"""The contract by examples: what the model says of ordinary situations. Of the product only the digest is used."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import replace

import pytest
from tests.model.digest import content_digest
from tests.model.draft import Settings
from tests.model.histories import history
from tests.model.matching import match
from tests.model.model import GATE, NOT_FOUND, USAGE, Dataset, Exit
from tests.model.uploads import Document, Entry, Image, Label, Lines, Other, Record, Upload, image_keys, records

from imagelake.core import digest

CATEGORIES = (("cat", None), ("dog", None))
GOOD, FLAT = (1.0, 1.0, 8.0, 8.0), (1.0, 1.0, 0.0, 8.0)


def image(content, width=40, height=30, orientation=1, problem=None):
    return Image(content, width, height, orientation, problem)


def boxes(listed, attributes=()):
    """A document that lists images by name, each with boxes of these shapes."""
    entries = tuple(Entry(name, None, attributes) for name in listed)
    labels = tuple(Label(n, "box", "cat", s) for n, shapes in enumerate(listed.values()) for s in shapes)
    return Document(entries, labels, CATEGORIES)


def dogs(listed):
    document = boxes(listed)
    labels = tuple(replace(label, category="dog") for label in document.labels)
    return replace(document, labels=labels, categories=(("dog", None),))


def polygons(listed):
    labels = tuple(Label(n, "polygon", "cat", s) for n, shapes in enumerate(listed.values()) for s in shapes)
    return Document(tuple(Entry(name) for name in listed), labels, CATEGORIES)


def upload(files, source="a.zip", mode="append", again=False):
    return Upload(tuple(sorted(files.items())), source, mode, again)


def counts(rows):
    return {fate: rows[fate] for fate in ("accepted", "unchanged", "rejected", "removed") if rows[fate]}


def rules(dataset):
    return sorted(r.rule for r in dataset.draft.rejections.values())


def shapes(dataset, key, kind="box"):
    return sorted(row.box for row in dataset.draft.labels.get((key, kind), Counter()).elements())


@pytest.mark.parametrize(
    ("paths", "draft", "keys"),
    [
        (["images/a.jpg", "train/b.jpg"], [], ["a.jpg", "b.jpg"]),
        (["train/a.jpg", "val/a.jpg"], [], ["train/a.jpg", "val/a.jpg"]),
        (["val/a.jpg"], ["train/a.jpg", "val/a.jpg"], ["val/a.jpg"]),
        (["train/images/a.jpg", "images/train/a.jpg"], [], ["train/images/a.jpg", "images/train/a.jpg"]),
        (["a.jpg", "train/a.jpg"], [], ["a.jpg", "train/a.jpg"]),
        (["cam1/1.jpg", "cam2/1.jpg"], [], ["cam1/1.jpg", "cam2/1.jpg"]),
    ],
)
def test_keys(paths, draft, keys):
    assert list(image_keys(paths, draft).values()) == keys


def listed(name, document="labels.json", **more):
    return Record(document, more.pop("position", 0), name, more.pop("kinds", frozenset({"box"})), **more)


@pytest.mark.parametrize(
    ("record", "paths", "draft", "expected"),
    [
        (listed("1.jpg", "cam2/labels.json"), ["cam1/1.jpg", "cam2/1.jpg"], [], ("found", "cam2/1.jpg")),
        (listed("1.jpg"), ["cam1/1.jpg", "cam2/1.jpg"], [], ("ambiguous", None)),
        (listed("n.jpg"), ["images/n.jpg", "images/copy/n.jpg"], [], ("found", "n.jpg")),
        (listed("cam2/1.jpg"), ["cam1/1.jpg"], [], ("missing", None)),
        (listed("cam2/1.jpg"), [], ["cam1/1.jpg"], ("missing", None)),
        (listed("1.jpg"), [], ["cam1/1.jpg"], ("missing", None)),
        (listed("1.jpg"), ["cam1/1.jpg"], [], ("found", "cam1/1.jpg")),
        (listed("a.jpg", split="val"), ["train/a.jpg", "val/a.jpg"], [], ("found", "val/a.jpg")),
        (listed("data/cam1/1.jpg"), ["cam1/1.jpg", "1.jpg"], [], ("found", "cam1/1.jpg")),
        (listed("cam1/1.jpg"), ["x/cam1/1.jpg"], [], ("found", "x/cam1/1.jpg")),
        (listed("train/a.jpg"), [], ["a.jpg"], ("found", "a.jpg")),
        (listed("/home/ann/1.jpg"), ["cam1/1.jpg"], [], ("found", "cam1/1.jpg")),
        (listed("/home/ann/1.jpg"), [], ["1.jpg"], ("missing", None)),
        (listed("2", by_stem=True, kinds=frozenset()), ["2.jpg"], [], ("found", "2.jpg")),
        (listed("1.jpg", form="save"), ["cam1/1.jpg"], [], ("missing", None)),
    ],
)  # fmt: skip
def test_matching(record, paths, draft, expected):
    (m,) = match([record], image_keys(paths, draft), draft, by_name=False)
    assert (m.status, m.key) == expected


def test_of_two_records_that_mean_one_image_the_better_rank_wins_and_equals_are_defects():
    paths = image_keys(["1.jpg"], [])
    better = match([listed("1.jpg"), listed("data/1.jpg", position=1)], paths, [], by_name=False)
    assert [m.status for m in better] == ["found", "duplicate"]
    equal = match([listed("1.jpg"), listed("1.jpg", position=1)], paths, [], by_name=False)
    assert [m.status for m in equal] == ["duplicate", "duplicate"]


def test_labels_of_a_second_camera_are_not_put_on_the_first_ones_images():
    d = Dataset()
    d.deliver(upload({"cam1/1.jpg": image("a"), "cam1/2.jpg": image("b"), "l.json": boxes({"cam1/1.jpg": [GOOD]})}))
    d.deliver(upload({"x.json": boxes({"cam2/1.jpg": [(2.0, 2.0, 3.0, 3.0)]})}, "b.json"))
    assert shapes(d, "cam1/1.jpg") == [GOOD]
    assert rules(d) == ["annotation.image_unknown", "image.file_missing"]


def test_a_devkit_has_splits_by_its_lists_and_masks_are_no_images():
    files = {
        "JPEGImages/1.jpg": image("a"), "JPEGImages/2.jpg": image("b"), "SegmentationClass/1.png": image("c"),
        "Annotations/1.xml": Document((Entry("1.jpg"),), (Label(0, "box", "cat", GOOD),), form="voc"),
        "ImageSets/Main/train.txt": Lines(("1", "77")), "ImageSets/Main/val.txt": Lines(("2",)),
    }  # fmt: skip
    d = Dataset()
    delivered = d.deliver(upload(files))
    assert {k: r.split for k, r in d.draft.images.items()} == {"1.jpg": "train", "2.jpg": "val"}
    assert rules(d) == ["split.member_unknown"]
    assert counts(delivered.images) == {"accepted": 2}
    assert delivered.warnings["file.mask"] == 1


def test_every_file_is_counted_and_fares_as_its_image_does():
    files = {
        "1.jpg": image("a"), "2.jpg": image("b", problem="image.unreadable"), "SegmentationClass/1.png": image("c"),
        "x.json": boxes({"1.jpg": [GOOD]}), "y.json": Document(broken=True), "ImageSets/Main/train.txt": Lines(("1",)),
        "README.md": Other(), "notes.txt": Other(), "more.txt": Other("", "file.crc_mismatch"),
    }  # fmt: skip
    d = Dataset()
    first = d.deliver(upload(files)).files
    assert first == Counter(accepted=4, unchanged=0, rejected=3, ignored=2)
    assert d.deliver(upload(files)).files == Counter(accepted=0, unchanged=4, rejected=3, ignored=2)
    again = d.deliver(upload({**files, "x.json": boxes({"1.jpg": [FLAT]})}, "b.zip")).files
    assert (again["accepted"], again["unchanged"], again.total()) == (3, 1, len(files))
    assert d.remove(["1.jpg"]).files == Counter(accepted=1)


def test_images_matched_by_their_base_names_alone_are_counted_where_they_change():
    d = Dataset()
    names = {"/home/ann/1.jpg": [GOOD], "cam2/2.jpg": [GOOD], "3.jpg": [GOOD]}
    files = {f"cam2/{n}.jpg": image(f"c{n}") for n in (1, 2, 3)}
    assert d.deliver(upload({**files, "x.json": boxes(names)})).matched_by_name == 2
    moved = {f"cam1/{n}.jpg": image(f"c{n}") for n in (1, 2, 3)}
    assert d.deliver(upload({**moved, "y/x.json": boxes(names)}, "b.zip")).matched_by_name == 2
    d.settings = Settings(match_by_name=True)
    d.remove([f"cam1/{n}.jpg" for n in (1, 2, 3)])
    line = (1.0, 1.0, 5.0, 1.0, 1.0, 5.0)
    assert d.deliver(upload({"z.json": polygons({"3.jpg": [line]})}, "c.json")).matched_by_name == 1
    assert d.deliver(upload({"z.json": polygons({"3.jpg": [line, line]})}, "d.json")).matched_by_name == 0


def test_waiting_labels_the_newest_delivery_wins_and_twice_the_same_is_not_doubled():
    d = Dataset()
    first, second = boxes({"1.jpg": [GOOD]}), boxes({"1.jpg": [(2.0, 2.0, 4.0, 4.0)]})
    d.deliver(upload({"x.json": first}, "a.json"))
    assert d.deliver(upload({"x.json": first}, "b.json")).state == "unchanged"
    d.deliver(upload({"y.json": second}, "c.json"))
    assert len(d.draft.rejections) == 2
    d.deliver(upload({"1.jpg": image("a")}))
    assert shapes(d, "1.jpg") == [(2.0, 2.0, 4.0, 4.0)]
    assert d.draft.rejections == {}


def test_replace_drops_what_waited():
    d = Dataset()
    d.deliver(upload({"x.json": boxes({"1.jpg": [GOOD]})}, "a.json"))
    d.deliver(upload({"2.jpg": image("b")}, mode="replace"))
    d.deliver(upload({"1.jpg": image("a")}, "b.zip"))
    assert shapes(d, "1.jpg") == []
    assert d.draft.images["1.jpg"].labelled == frozenset()


def test_an_upload_of_polygons_leaves_boxes_alone():
    d = Dataset()
    d.deliver(upload({"1.jpg": image("a"), "x.json": boxes({"1.jpg": [GOOD]})}))
    d.deliver(upload({"x.json": polygons({"1.jpg": [(1.0, 1.0, 5.0, 1.0, 1.0, 5.0)]})}, "b.json"))
    assert shapes(d, "1.jpg") == [GOOD]
    assert d.draft.images["1.jpg"].labelled == {"box", "polygon"}


def test_refused_labels_make_no_negative_and_are_flagged_where_some_are_good():
    d = Dataset()
    d.deliver(
        upload({"1.jpg": image("a"), "2.jpg": image("b"), "x.json": boxes({"1.jpg": [FLAT], "2.jpg": [FLAT, GOOD]})})
    )
    assert {k: sorted(r.labelled) for k, r in d.draft.images.items()} == {"1.jpg": [], "2.jpg": ["box"]}
    assert [d.draft.labels_rejected(k) for k in ("1.jpg", "2.jpg")] == [False, True]
    d.deliver(upload({"y.json": boxes({"2.jpg": [GOOD, (3.0, 3.0, 2.0, 2.0)]})}, "b.json"))
    assert not d.draft.labels_rejected("2.jpg")


def test_new_bytes_are_refused_unless_updating():
    d = Dataset()
    d.deliver(upload({"1.jpg": image("a"), "x.json": boxes({"1.jpg": [GOOD]})}))
    other = {"1.jpg": image("b"), "x.json": boxes({"1.jpg": [(2.0, 2.0, 2.0, 2.0)]})}
    d.deliver(upload(other, "b.zip"))
    assert rules(d) == ["annotation.image_rejected", "image.key_taken"]
    d.deliver(upload(other, "b.zip", "update"))
    assert (d.draft.images["1.jpg"].content, shapes(d, "1.jpg"), rules(d)) == ("b", [(2.0, 2.0, 2.0, 2.0)], [])


@pytest.mark.parametrize(("new", "left"), [(image("b", 50, 50), 0), (image("b", 40, 30, 6), 0), (image("b"), 1)])
def test_labels_go_with_a_picture_of_another_size_and_stay_flagged_on_one_of_the_same(new, left):
    d = Dataset()
    d.deliver(upload({"1.jpg": image("a"), "x.json": boxes({"1.jpg": [GOOD]})}))
    delivered = d.deliver(upload({"1.jpg": new}, mode="update"))
    row = d.draft.images["1.jpg"]
    assert (len(shapes(d, "1.jpg")), row.bytes_changed, bool(row.labelled)) == (left, left == 1, left == 1)
    assert (delivered.annotations["removed"], delivered.warnings["image.labels_dropped"]) == (1 - left, 1 - left)


def test_a_full_sync_is_applied_whenever_the_draft_differs_from_it():
    d = Dataset()
    a = upload({"1.jpg": image("a")}, mode="replace")
    d.deliver(a)
    d.deliver(upload({"2.jpg": image("b")}, "b.zip"))
    assert d.deliver(a).state == "built"
    assert sorted(d.draft.images) == ["1.jpg"]
    assert d.deliver(a).state == "unchanged"


def test_superseded_where_something_was_added_to_an_empty_set_and_not_where_nothing_was_touched():
    d = Dataset()
    nothing, other = (
        upload({"1.jpg": image("a"), "x.json": boxes({"1.jpg": []})}),
        upload({"9.jpg": image("z")}, "z.zip"),
    )
    d.deliver(nothing)
    d.deliver(other)
    assert d.deliver(nothing).state == "unchanged"
    d.deliver(upload({"y.json": boxes({"1.jpg": [GOOD]})}, "b.json"))
    assert d.deliver(nothing).state == "superseded"
    assert d.deliver(other).state == "unchanged"
    assert d.deliver(replace(nothing, again=True)).state == "built"
    assert shapes(d, "1.jpg") == []


def test_a_rejection_closes_by_its_own_key_or_the_same_lineage():
    d = Dataset()
    orphan = Document((Entry("1.jpg"),), (Label(None, "box", "cat", GOOD),), CATEGORIES)
    d.deliver(upload({"1.jpg": image("a"), "x.json": orphan}))
    d.deliver(upload({"x.json": boxes({"1.jpg": []})}, "other.zip"))
    assert rules(d) == ["annotation.image_orphan"]
    d.deliver(upload({"1.jpg": image("a"), "x.json": boxes({"1.jpg": [GOOD]})}))
    assert rules(d) == []


def test_a_damaged_member_is_a_rejection_and_all_documents_broken_refuse_the_upload():
    d = Dataset()
    files = {
        "1.jpg": image("a"),
        "2.jpg": image("b", problem="image.unreadable"),
        "README.md": Other("", "file.crc_mismatch"),
    }
    d.deliver(upload({**files, "x.json": boxes({"1.jpg": [GOOD], "2.jpg": [GOOD]}), "y.json": Document(broken=True)}))
    expected = ["annotation.image_rejected", "document.invalid_json", "file.crc_mismatch", "image.unreadable"]
    assert rules(d) == expected
    assert d.deliver(upload({**files, "y.json": Document(broken=True)})).state == "rejected"
    assert rules(d) == expected


def test_saves_of_one_image_add_up_and_belong_to_its_key():
    d = Dataset()
    d.deliver(upload({"a/1.jpg": image("a"), "b/1.jpg": image("b"), "x.json": boxes({"a/1.jpg": [GOOD]})}))
    d.save("a/1.jpg", ("polygon",), (Label(0, "polygon", "cat", (1.0, 1.0, 5.0, 1.0, 1.0, 5.0)),))
    d.save("a/1.jpg", ("box",), ())
    d.fold_saves()
    assert d.draft.images["a/1.jpg"].labelled == {"box", "polygon"}
    assert (shapes(d, "a/1.jpg"), len(shapes(d, "a/1.jpg", "polygon"))) == ([], 1)


def test_unknown_keys_are_not_removed_without_a_word():
    d = Dataset()
    d.deliver(upload({"1.jpg": image("a")}))
    with pytest.raises(Exit) as end:
        d.remove(["1.jpg", "2.jpg"])
    assert end.value.code == NOT_FOUND
    assert d.remove(["1.jpg", "2.jpg"], ignore_missing=True).images["removed"] == 1
    assert d.remove([]) is None


def test_a_category_keeps_its_index_and_a_parent_without_annotations_has_none():
    d = Dataset()
    declared = (("animal", None), ("cat", "animal"), ("own", "own"))
    document = Document((Entry("1.jpg"),), (Label(0, "box", "cat", GOOD),), declared)
    d.deliver(upload({"1.jpg": image("a"), "x.json": document}))
    assert d.draft.categories == {"animal": (None, None), "cat": ("animal", 0), "own": ("own", 1)}


def publishable(count=20, split=None, attributes=lambda n: ()):
    folder = f"{split}/" if split else "images/"
    names = {f"{folder}{n}.jpg": n for n in range(count)}
    labels = tuple(Label(n, "box", "cat", GOOD) for n in range(count))
    document = Document(tuple(Entry(name, None, attributes(n)) for name, n in names.items()), labels, CATEGORIES)
    return {**{name: image(f"c{n}") for name, n in names.items()}, "x.json": document}


def test_recipe_1_goes_on_as_it_began():
    d = Dataset()
    d.deliver(upload(publishable(10, attributes=lambda n: (("patient", f"p{n % 3}"),))))
    shares = (("train", 0.5), ("val", 0.5))
    assert d.publish(shares, "patient") == ("published", "v1")
    d.deliver(upload(publishable(20, attributes=lambda n: (("patient", f"p{n % 3}"),)), "b.zip"))
    assert d.publish() == ("published", "v2")
    splits = d.versions[-1].splits
    assert {key: splits[key] for key in d.versions[0].splits} == d.versions[0].splits
    assert all(len({splits[f"{n}.jpg"] for n in range(p, 20, 3)}) == 1 for p in range(3))
    for options in ({"fractions": (("train", 1.0),)}, {"group_by": "content"}, {"stratify": True}):
        with pytest.raises(Exit) as end:
            d.publish(**options)
        assert end.value.code == USAGE


def test_a_group_attribute_that_no_image_has_is_a_mistake():
    d = Dataset()
    d.deliver(upload(publishable(2)))
    with pytest.raises(Exit) as end:
        d.publish(group_by="pateint")
    assert (end.value.code, d.versions) == (USAGE, [])


def test_an_unpublished_image_takes_the_newest_uploaded_split_and_a_published_one_keeps_its_own():
    d = Dataset()
    d.deliver(upload(publishable(2, "train")))
    d.deliver(upload(publishable(2, "val"), "b.zip"))
    d.publish()
    assert set(d.versions[0].splits.values()) == {"val"}
    delivered = d.deliver(upload(publishable(2, "test"), "c.zip"))
    assert delivered.warnings["split.contradicts"] == 2
    assert d.draft_splits() == {"0.jpg": "val", "1.jpg": "val"}


def test_stratify_fills_all_splits_also_one_by_one():
    d = Dataset()
    for n in range(1, 31):
        d.deliver(upload(publishable(n), f"{n}.zip"))
        d.publish(stratify=n == 1)
    splits = list(d.versions[-1].splits.values())
    assert (splits.count("train"), splits.count("val"), splits.count("test")) == (24, 3, 3)


def test_the_same_bytes_lie_in_one_split_and_join_their_groups():
    d = Dataset()
    files = publishable(8, attributes=lambda n: (("video", f"v{n}"),))
    d.deliver(upload({path: image("blank") if isinstance(f, Image) else f for path, f in files.items()}))
    d.publish(group_by="video")
    assert len(set(d.versions[0].splits.values())) == 1


def test_another_recipe_of_a_version_is_said_and_named():
    d = Dataset()
    d.deliver(upload(publishable(4)))
    d.publish()
    shares = (("a", 0.5), ("b", 0.5))
    assert d.add_recipe(1, shares, alias="half") == ("published", "v1.2")
    assert d.add_recipe(1, shares, alias="same") == ("unchanged", "v1.2")
    assert d.aliases == {"half": "v1.2", "same": "v1.2"}


def test_six_of_six_bad_boxes_do_not_pass_the_gate():
    d = Dataset(Settings())
    d.deliver(upload({f"{n}.jpg": image(f"c{n}") for n in range(6)}))
    d.deliver(upload({"x.json": boxes({f"{n}.jpg": [FLAT] for n in range(6)})}, "b.json"))
    with pytest.raises(Exit) as end:
        d.publish()
    assert end.value.code == GATE


def test_what_the_gate_refuses_can_be_forced():
    d = Dataset(Settings(max_unannotated=0.5))
    d.deliver(upload({f"{n}.jpg": image(f"c{n}") for n in range(3)}))
    with pytest.raises(Exit) as end:
        d.publish()
    assert end.value.code == GATE
    assert d.publish(force=True) == ("published", "v1")


def test_classes_that_come_are_counted_from_the_second_version_on():
    d = Dataset(Settings(max_class_changes=0))
    d.deliver(upload(publishable(2)))
    assert d.publish() == ("published", "v1")
    d.deliver(upload({"new.jpg": image("new"), "y.json": dogs({"new.jpg": [GOOD]})}, "b.json"))
    with pytest.raises(Exit) as end:
        d.publish()
    assert end.value.code == GATE


def test_nothing_new_is_no_version():
    d = Dataset()
    d.deliver(upload(publishable(2)))
    assert [d.publish(), d.publish()] == [("published", "v1"), ("unchanged", "v1")]


def test_the_digest_is_that_of_the_product():
    d = Dataset()
    files = publishable(3, attributes=lambda n: (("patient", f"p{n}"),))
    d.deliver(upload(files))
    d.deliver(upload({"y.json": polygons({"1.jpg": [(1.0, 1.0, 5.0, 1.0, 1.0, 5.0)]})}, "b.json"))
    images = [
        digest.image_hash(
            {
                "image_key": key, "content_hash": r.content, "width": r.width, "height": r.height,
                "orientation": r.orientation, "labelled": sorted(r.labelled),
                "attributes": digest.canonical_json(dict(r.attributes)),
            }
        )
        for key, r in d.draft.images.items()
    ]  # fmt: skip
    labels = [
        digest.annotation_hash(
            {
                "image_key": key, "kind": kind, "category": a.category,
                "bbox": dict(zip("xywh", a.box, strict=True)), "polygons": a.polygon and [a.polygon],
                "rle_size": None, "rle_counts": None, "keypoints": None, "is_crowd": False, "attributes": None,
            }
        )
        for (key, kind), rows in d.draft.labels.items()
        for a in rows.elements()
    ]  # fmt: skip
    categories = [
        digest.category_hash({"name": name, "supercategory": parent, "train_index": place})
        for name, (parent, place) in d.draft.categories.items()
    ]
    sets = [digest.set_digest(hashes) for hashes in (images, labels, categories)]
    assert content_digest(d.draft) == digest.content_digest(*sets)


def test_documents_label_for_the_kinds_they_hold():
    empty = records({"x.json": boxes({"1.jpg": []})})
    mixed = records({"x.json": Document((Entry("1.jpg"),), (Label(None, "polygon", "cat", None),), CATEGORIES)})
    assert [r.kinds for r in (*empty, *mixed)] == [{"box"}, {"polygon"}]


def test_a_longer_end_of_a_name_is_the_better_one():
    paths = image_keys(["cam1/1.jpg", "x/2.jpg"], [])
    both = [listed("a/cam1/1.jpg"), listed("b/a/cam1/1.jpg", position=1)]
    assert [m.status for m in match(both, paths, [], by_name=False)] == ["found", "duplicate"]


@pytest.mark.parametrize(
    ("document", "name", "waits_for"),
    [
        ("labels.json", "train/images/1.jpg", "train/1.jpg"),
        ("cam2/labels.json", "1.jpg", "cam2/1.jpg"),
        ("annotations/a.json", "1.jpg", "1.jpg"),
    ],
)
def test_the_name_that_an_unknown_image_is_waited_for_by(document, name, waits_for):
    assert listed(name, document).waits_for == waits_for


def test_labels_of_two_cameras_wait_apart():
    d = Dataset()
    d.deliver(upload({"cam1/l.json": boxes({"1.jpg": [GOOD]}), "x.txt": Other()}, "a.zip"))
    d.deliver(upload({"cam2/l.json": boxes({"1.jpg": [(2.0, 2.0, 3.0, 3.0)]}), "x.txt": Other()}, "b.zip"))
    assert [r.record.waits_for for r in d.draft.rejections.values() if r.entity == "image"] == [
        "cam1/1.jpg",
        "cam2/1.jpg",
    ]


def test_two_waiting_names_of_one_image_are_a_defect_when_it_arrives():
    d = Dataset()
    d.deliver(upload({"x.json": boxes({"1.jpg": [GOOD], "./1.jpg": [GOOD]})}, "a.json"))
    d.deliver(upload({"1.jpg": image("a")}))
    assert rules(d) == ["annotation.image_ambiguous"] * 2 + ["image.duplicate_file_name"] * 2
    assert shapes(d, "1.jpg") == []


def test_what_waits_says_what_its_newest_delivery_says_and_keeps_its_place_beside_newer_labels():
    d = Dataset()
    for patient in ("p1", "p2"):
        document = boxes({"1.jpg": [GOOD]}, (("patient", patient),))
        d.deliver(upload({"x.json": document, "y.txt": Other(patient)}, f"{patient}.zip"))
    other = (2.0, 2.0, 3.0, 3.0)
    d.deliver(upload({"1.jpg": image("a"), "z.json": boxes({"1.jpg": [other]})}))
    assert (d.draft.images["1.jpg"].attributes, shapes(d, "1.jpg")) == ((("patient", "p2"),), [other])


def test_labels_that_are_all_refused_before_their_image_comes_make_no_negative():
    d = Dataset()
    d.deliver(upload({"x.json": boxes({"1.jpg": [None], "2.jpg": []})}, "a.json"))
    d.deliver(upload({"1.jpg": image("a"), "2.jpg": image("b")}))
    assert [sorted(d.draft.images[key].labelled) for key in ("1.jpg", "2.jpg")] == [[], ["box"]]
    assert rules(d) == ["annotation.bbox_not_finite"]


def test_documents_speak_of_the_image_that_their_upload_has_though_it_is_refused():
    d = Dataset()
    d.deliver(upload({"1.jpg": image("a"), "x.json": boxes({"1.jpg": []}, (("patient", "p1"),))}))
    d.deliver(upload({"1.jpg": image("b"), "x.json": boxes({"1.jpg": []}, (("patient", "p2"),))}, "b.zip"))
    assert d.draft.images["1.jpg"].attributes == (("patient", "p1"),)
    damaged = {"1.jpg": image("b", problem="image.unreadable"), "2.jpg": image("c")}
    d.deliver(upload({**damaged, "x.json": boxes({"1.jpg": [], "2.jpg": []})}, "c.zip", "replace"))
    assert list(d.draft.images) == ["2.jpg"]


def test_whatever_is_delivered_the_rows_hold_together():
    for seed in range(150):
        d = Dataset()
        for step in history(seed, 5):
            if step.verb in ("run", "landing"):
                for one in step.uploads:
                    d.deliver(one)
                hold_together(d.draft)
                with contextlib.suppress(Exit):
                    d.publish()
        for version in d.versions:
            splits = {}
            for key, split in version.splits.items():
                splits.setdefault(version.content.images[key].content, set()).add(split)
            assert all(len(found) == 1 for found in splits.values()), seed


def hold_together(draft):
    for (key, kind), rows in draft.labels.items():
        for row in rows.elements():
            owner = draft.images[key]
            assert kind in owner.labelled
            assert row.box is None or (min(row.box[:2]) >= 0 and row.box[0] + row.box[2] <= owner.width)
            assert row.box is None or row.box[1] + row.box[3] <= owner.height
