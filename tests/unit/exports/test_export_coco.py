"""`--format coco`: what a COCO upload says comes out again, and other programs read it."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from pycocotools.coco import COCO
from uploaded import Labels, images_of, labels_of, put, records_of, unzipped
from zoo import zoo

from folder_tree import FolderTree
from imagelake.client import lake as client
from imagelake.client.lake import Lake
from imagelake.exports.layouts import coco
from imagelake.formats.coco import records as reading
from imagelake.formats.records import Issue
from imagelake.geometry.run_lengths import write_runs
from lakes import LakeMaker

GOLDEN = Path(__file__).parents[2] / "golden" / "coco"


def documents(out: Path) -> dict[str, Any]:
    return {path.name: json.loads(path.read_text("ascii")) for path in sorted((out / "annotations").glob("*.json"))}


def exported_labels(out: Path) -> Labels:
    records = records_of("coco", FolderTree(out))
    assert not [record for record in records if isinstance(record, Issue)]
    warnings = {w for record in records for w in getattr(record, "warnings", ())}
    assert warnings <= {"annotation.crowd_polygon"}
    return labels_of(records)


def labelled_only(labels: Labels) -> Labels:
    """As they come back: an image in two kinds of documents, or without kinds, is none that the format can tell."""
    images = {key: {**image, "kinds": ()} for key, image in labels.images.items() if image["kinds"]}
    return Labels(images, labels.categories)


def complete(labels: Labels) -> Labels:
    """With the sizes and areas that the lake fills in, and without boxes that are none, which it refuses."""
    for image in labels.images.values():
        image["annotations"] = [annotation for annotation in image["annotations"] if annotation["bbox"] is not None]
        width, height = image["size"]
        image["size"] = (width or 640, height or 480)
        for annotation in image["annotations"]:
            if annotation["area"] is None:
                annotation["area"] = annotation["bbox"][2] * annotation["bbox"][3]
    return labels


GOLDEN_CASES = sorted(
    path.name
    for path in GOLDEN.iterdir()
    if any(
        record["type"] == "AnnotationRecord"
        for record in json.loads((path / "expected.json").read_text()).get("records", ())
    )
)


@pytest.mark.parametrize("case", GOLDEN_CASES)
def test_a_golden_upload_comes_out_as_it_went_in(case: str, maker: LakeMaker, tmp_path: Path) -> None:
    before = complete(labels_of(records_of("coco", FolderTree(GOLDEN / case / "upload"))))
    put(maker, "d", before, {}).get("d", tmp_path / "out", format="coco")
    after = exported_labels(tmp_path / "out")
    splits = {key: image["split"] for key, image in after.images.items()}
    assert all(
        splits[key] == image["split"] for key, image in before.images.items() if image["split"] and key in splits
    )
    for labels in (before, after):
        for image in labels.images.values():
            image["split"] = None  # an image without a split is given one by publishing
    assert labelled_only(after).images == labelled_only(before).images
    assert after.categories.keys() == before.categories.keys()
    used = {name: value for name, value in before.categories.items() if name in after.categories}
    assert after.categories == used


@pytest.mark.parametrize("name", ["chess-coco", "facemask-coco"])
def test_a_real_upload_comes_out_as_it_went_in(name: str, maker: LakeMaker, tmp_path: Path, shared_data: Path) -> None:
    tree = unzipped(shared_data / f"{name}.zip")
    before, contents = labels_of(records_of("coco", tree)), images_of(tree)
    exported = put(maker, "d", before, contents).get("d", tmp_path / "out", format="coco")
    after = exported_labels(tmp_path / "out")
    assert labelled_only(after) == labelled_only(before)
    assert exported.losses == {}
    assert {p.read_bytes() for p in (tmp_path / "out").glob("*/*") if p.suffix != ".json"} == set(contents.values())
    for path in (tmp_path / "out" / "annotations").iterdir():
        assert len(loaded(path).anns) == sum(
            len(image["annotations"]) for image in before.images.values() if f"_{image['split']}." in path.name
        )


def loaded(path: Path) -> COCO:
    with redirect_stdout(io.StringIO()):
        return COCO(str(path))


def animals(maker: LakeMaker) -> Lake:
    """One image of everything that COCO can say."""
    draft = maker.draft("d")
    draft.category("animal", train_index=None)
    draft.category(
        "cat", train_index=0, supercategory="animal", attributes='{"keypoints":["nose","tail"],"skeleton":[[1,2]]}'
    )
    draft.category('"\n</script>=1', train_index=1)
    maker.image("d", "x/b.png", b"b", split="train", attributes='{"license":3,"date_captured":"2020-01-01"}')
    maker.image("d", "a.png", b"a", split="val", orientation=6)
    maker.image("d", "n.png", b"n", split="val", labelled=[])
    maker.box("d", "x/b.png", "cat", (1, 2, 3.5, 4), attributes='{"attributes":{"occluded":true},"score":0.5,"id":7}')
    polygons = [[0.0, 0.0, 4.0, 0.0, 4.0, 3.0], [5.0, 5.0, 9.0, 5.0, 9.0, 9.5]]
    maker.box("d", "x/b.png", "cat", (0, 0, 9, 9.5), kind="polygon", polygons=polygons, area=15.0)
    counts = write_runs([0, 48 * 2, 48 * 62])
    maker.box("d", "a.png", "cat", (0, 0, 2, 48), kind="rle", rle_size=[48, 64], rle_counts=counts, is_crowd=True)
    maker.box("d", "a.png", '"\n</script>=1', (1, 1, 8, 8), keypoints=[2.0, 3.0, 2.0, 0.0, 0.0, 0.0])
    maker.box("d", "a.png", "cat", None, kind="class")
    maker.keep("d", [b"a", b"b", b"n"])
    maker.deliver("d")
    maker.publish("d", settings='{"title":"Animals","licence":"CC-BY-4.0"}')
    maker.flush()
    return client.open(str(maker.root))


def test_a_document_says_all_that_the_lake_knows(maker: LakeMaker, tmp_path: Path) -> None:
    exported = animals(maker).get("d", tmp_path / "out", format="coco")
    by_name = documents(tmp_path / "out")
    assert set(by_name) == {"instances_train.json", "instances_val.json"}
    train, val = by_name["instances_train.json"], by_name["instances_val.json"]
    assert train["images"] == [
        {"id": 1, "file_name": "x/b.png", "width": 64, "height": 48, "license": 3, "date_captured": "2020-01-01"}
    ]
    by_type = {("segmentation" in a): a for a in train["annotations"]}
    assert by_type[False]["bbox"] == [1, 2, 3.5, 4]
    assert by_type[False]["attributes"] == {"occluded": True}
    assert by_type[False]["score"] == 0.5
    assert by_type[True]["segmentation"] == [[0, 0, 4, 0, 4, 3], [5, 5, 9, 5, 9, 9.5]]
    assert by_type[True]["area"] == 15
    assert [a["id"] for a in train["annotations"]] == [1, 2]
    assert [image["file_name"] for image in val["images"]] == ["a.png"], "nobody labelled n.png"
    crowd = next(a for a in val["annotations"] if a["iscrowd"])
    assert crowd["segmentation"] == {"size": [48, 64], "counts": write_runs([0, 96, 48 * 62])}
    points = next(a for a in val["annotations"] if "keypoints" in a)
    assert (points["keypoints"], points["num_keypoints"]) == ([2, 3, 2, 0, 0, 0], 1)
    assert train["categories"] == val["categories"]
    assert train["categories"] == [
        {"id": 1, "name": "cat", "supercategory": "animal", "keypoints": ["nose", "tail"], "skeleton": [[1, 2]]},
        {"id": 2, "name": '"\n</script>=1', "supercategory": ""},
    ]
    assert train["info"]["description"] == "Animals"
    assert train["info"]["version"] == "1.1"
    assert [licence["name"] for licence in train["licenses"]] == ["CC-BY-4.0"]
    assert exported.unlabelled == 1
    assert any("EXIF turns 1 images" in note for note in exported.notes)


def test_what_the_format_cannot_hold_is_counted(maker: LakeMaker, tmp_path: Path) -> None:
    exported = animals(maker).get("d", tmp_path / "out", format="coco")
    written = sum(len(document["annotations"]) for document in documents(tmp_path / "out").values())
    lost = {what: count for what, count in exported.losses.items() if "annotations" in what}
    assert written + sum(lost.values()) == exported.annotations
    assert sorted(exported.losses) == [
        "attributes named like fields of COCO",
        "class annotations: the format holds boxes, polygons, masks and keypoints",
        "root categories, which no object has: trainers would count them as classes",
    ]


def test_pycocotools_reads_boxes_polygons_and_masks(maker: LakeMaker, tmp_path: Path) -> None:
    animals(maker).get("d", tmp_path / "out", format="coco")
    val = loaded(tmp_path / "out/annotations/instances_val.json")
    (crowd,) = val.loadAnns(val.getAnnIds(iscrowd=True))
    mask = val.annToMask(crowd)
    assert mask.shape == (48, 64)
    assert mask[:, :2].all()
    assert mask.sum() == 96
    train = loaded(tmp_path / "out/annotations/instances_train.json")
    (polygon,) = [a for a in train.anns.values() if "segmentation" in a]
    assert 10 < train.annToMask(polygon).sum() < 20
    assert train.getCatIds(catNms=["cat"]) == [1]


def test_a_reference_may_ask_for_the_shown_image(maker: LakeMaker, tmp_path: Path) -> None:
    lake = zoo(maker)
    exported = lake.get("zoo@v1?oriented=1", tmp_path / "out", format="coco", split="val")
    document = documents(tmp_path / "out")["instances_val.json"]
    (turned,) = [image for image in document["images"] if image["file_name"] == "turned.png"]
    assert (turned["width"], turned["height"]) == (6, 8), "8 x 6 pixels are stored"
    (sample,) = [s for s in lake.load("zoo", oriented=True, split="val") if s.key == "turned.png"]
    written = [a for a in document["annotations"] if a["image_id"] == turned["id"]]
    assert [tuple(a["bbox"]) for a in written] == [a.bbox for a in sample.annotations]
    (mask,) = [a["segmentation"] for a in written if "segmentation" in a]
    assert mask["size"] == [8, 6]
    assert any("as it is shown" in note for note in exported.notes)


def test_every_image_lies_where_its_document_says(maker: LakeMaker, tmp_path: Path) -> None:
    animals(maker).get("d", tmp_path / "out", format="coco", unlabelled=True)
    for name, document in documents(tmp_path / "out").items():
        split = name.removeprefix("instances_").removesuffix(".json")
        for image in document["images"]:
            stem = image["file_name"].rpartition("/")[2][0]
            assert (tmp_path / "out" / split / image["file_name"]).read_bytes() == stem.encode()


def test_names_that_one_disk_takes_for_one_are_told_apart(maker: LakeMaker, tmp_path: Path) -> None:
    for key in ("A.png", "a.png"):
        maker.image("d", key, key.encode(), split="train")
    maker.keep("d", [b"A.png", b"a.png"])
    maker.deliver("d")
    maker.publish("d")
    maker.flush()
    exported = client.open(str(maker.root)).get("d", tmp_path / "out", format="coco")
    names = [image["file_name"] for image in documents(tmp_path / "out")["instances_train.json"]["images"]]
    assert len({name.lower() for name in names}) == 2
    assert {(tmp_path / "out/train" / name).read_bytes() for name in names} == {b"A.png", b"a.png"}
    assert any("another file name" in note for note in exported.notes)


def test_a_draft_is_exported_with_images_that_have_no_split(maker: LakeMaker, tmp_path: Path) -> None:
    maker.image("d", "a.png", b"a")
    maker.box("d", "a.png", "cat", (0, 0, 1, 1))
    maker.keep("d", [b"a"])
    maker.deliver("d")
    maker.flush()
    client.open(str(maker.root)).get("d@draft", tmp_path / "out", format="coco")
    by_name = documents(tmp_path / "out")
    assert len(by_name) == 1
    (document,) = by_name.values()
    assert len(document["annotations"]) == 1


def test_the_fields_kept_from_attributes_are_those_the_reader_takes() -> None:
    assert coco._IMAGE == reading.IMAGE_FIELDS
    assert coco._CATEGORY == reading.CATEGORY_FIELDS
    assert coco._ANNOTATION == reading.ANNOTATION_FIELDS
