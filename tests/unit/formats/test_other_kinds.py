"""Labels of tools that no reader takes are named; nothing that only looks a little like labels is."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from imagelake.errors import UploadRejected
from imagelake.formats.base import Unread
from imagelake.formats.detect import choose
from imagelake.formats.trees import DictTree
from imagelake.formats.unread import kinds as other_kinds
from imagelake.formats.unread.kinds import other_labels

PICTURES = {"train/a.jpg": b"", "train/b.jpg": b""}


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def archive() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as made:
        made.writestr("annotations.json", "{}")
    return data.getvalue()


LABELME = {
    "version": "5.4.1",
    "flags": {},
    "shapes": [{"label": "cat", "points": [[1, 2], [3, 4]]}],
    "imagePath": "a.jpg",
}
STUDIO = [{"id": 1, "data": {"image": "/data/a.jpg"}, "annotations": [{"result": []}]}]
CREATE_ML = [
    {"image": "a.jpg", "annotations": [{"label": "cat", "coordinates": {"x": 1, "y": 2, "width": 3, "height": 4}}]}
]
VIA = {"a.jpg1234": {"filename": "a.jpg", "size": 1234, "regions": [{"shape_attributes": {"name": "rect"}}]}}
SAMPLES: dict[str, tuple[str, bytes]] = {
    "LabelMe": ("train/a.json", as_json(LABELME)),
    "LabelMe with its picture inside first": ("a.json", as_json({"imageData": "A" * 9000, **LABELME})),
    "Label Studio": ("export.json", as_json(STUDIO)),
    "Label Studio, small": ("project-1.json", as_json([{"image": 1, "data": {}, "completions": []}])),
    "CreateML": ("_annotations.createml.json", as_json(CREATE_ML)),
    "VIA": ("via_region_data.json", as_json(VIA)),
    "VIA project": ("via_project.json", as_json({"_via_settings": {}, "_via_img_metadata": VIA})),
    "VoTT": ("8f2-asset.json", as_json({"asset": {"name": "a.jpg"}, "regions": [], "version": "2.2.0"})),
    "VoTT export": (
        "vott-json-export/p-export.json",
        as_json({"name": "p", "assets": {"1": {"regions": [], "asset": 1}}}),
    ),
    "Supervisely": ("ds/ann/a.jpg.json", as_json({"size": {}, "objects": [{"classTitle": "cat"}], "tags": []})),
    "Darwin": ("a.json", as_json({"dataset": "x", "annotations": [{"bounding_box": {}}], "image": {}})),
    "Datumaro": ("annotations/default.json", as_json({"info": {}, "categories": {}, "items": [{"annotations": []}]})),
    "Labelbox": ("export.ndjson", as_json({"data_row": {"id": "c"}, "projects": {}})),
    "Cityscapes": ("gtFine/a_polygons.json", as_json({"imgHeight": 4, "imgWidth": 4, "objects": [{"label": "road"}]})),
    "BDD100K": ("bdd.json", as_json([{"name": "a.jpg", "labels": [{"box2d": {"x1": 1}}]}])),
    "SageMaker manifest": ("output.manifest", as_json({"source-ref": "s3://b/a.jpg", "cats": {}})),
    "Hugging Face metadata": ("train/metadata.jsonl", as_json({"file_name": "a.jpg", "objects": {}})),
    "Hugging Face metadata, csv": ("train/metadata.csv", b"file_name,text\na.jpg,a cat\n"),
    "GeoJSON": ("a.geojson", as_json({"type": "FeatureCollection", "features": [{"geometry": {}}]})),
    "CVAT XML": (
        "annotations.xml",
        b'<?xml version="1.0"?><annotations><version>1.1</version><image id="0"/></annotations>',
    ),
    "dlib imglab XML": ("training.xml", b"<dataset><name>x</name><images><image file='a.jpg'/></images></dataset>"),
    "CSV of boxes, TensorFlow": (
        "_annotations.csv",
        b"filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,4,4,cat,1,1,2,2\n",
    ),
    "CSV of boxes, Open Images": ("boxes.csv", b"ImageID,Source,LabelName,XMin,XMax,YMin,YMax\n0a1,x,/m/01,0,1,0,1\n"),
    "CSV of boxes, RetinaNet": ("annotations.csv", b"train/a.jpg,1,1,2,2,cat\n"),
    "CSV of boxes, a tuple": ("train.csv", b'image_id,width,height,bbox,source\nb6,4,4,"[1, 2, 3, 4]",x\n'),
    "CSV of classes, Kaggle": ("train.csv", b"id,label\n0a1b,cat\n"),
    "CSV of classes, one hot": ("_classes.csv", b"filename, cat, dog\na.jpg, 1, 0\n"),
    "CSV of classes, semicolons": ("labels.csv", b"image;species\r\na.jpg;cat\r\n"),
    "CSV of classes, tabs": ("labels.tsv", b"path\tclass\na.jpg\tcat\n"),
    "CSV of classes, headless": ("labels.csv", b"a.jpg,cat\n"),
    "CSV of boxes in UTF-16": ("b.csv", "filename,class,xmin,ymin,xmax,ymax\na.jpg,cat,1,1,2,2\n".encode("utf-16")),
    "TFRecord": ("cats.tfrecord", b"\0"),
    "Parquet": ("train.parquet", b"PAR1"),
    "an archive": ("annotations.json", archive()),
    "an archive by name": ("labels.tar.gz", b"\x1f\x8b"),
    "an archive of a document": ("instances.json.gz", b"\x1f\x8b"),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_labels_of_other_tools_are_named_and_their_pictures_are_not_taken_alone(name: str) -> None:
    path, data = SAMPLES[name]
    tree = DictTree({**PICTURES, path: data})
    (unread,) = other_labels(tree, frozenset())
    assert unread.path == path
    assert name.startswith(unread.kind)
    with pytest.raises(UploadRejected) as caught:
        choose(tree, None)
    assert caught.value.rule == "format.unsupported"
    assert path in caught.value.message
    assert unread.kind in caught.value.message
    assert "--format images" in str(caught.value.hint)
    alone = choose(tree, "images")
    assert (alone.reader, alone.unread) == ("images", (unread,))


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("package.json", b'{"name": "x", "version": "1", "files": []}'),
        ("info.json", b'{"features": 3, "license": "MIT"}'),
        ("stats.csv", b"epoch,loss\n1,0.5\n"),
        ("weather.csv", b"id,temperature\n1,20\n"),
        ("pom.xml", b"<project/>"),
        ("README.csv", b"filename,class\na.jpg,cat\n"),
        ("notes.txt", b"two pictures\n"),
        ("checkpoint.pt", b"PK\x03\x04"),
        ("model.onnx", b"\x08"),
        ("config.yaml", b"lr: 0.1\nlabel: x\n"),
        ("Makefile", b"all:\n\techo a.jpg\n"),
        ("one.csv", b"filename\na.jpg\n"),
    ],
)
def test_other_files_are_no_labels(path: str, data: bytes) -> None:
    tree = DictTree({**PICTURES, path: data})
    assert other_labels(tree, frozenset()) == ()
    assert choose(tree, None).reader == "imagefolder" if "/" in path else "images"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("gt.mat", "MATLAB"),
        ("gt.npy", "NumPy"),
        ("gt.npz", "NumPy"),
        ("gt.pkl", "pickle"),
        ("gt.h5", "HDF5"),
        ("annotations.XLSX", "a spreadsheet"),
        ("labels.ods", "a spreadsheet"),
        ("labels.sqlite", "a database"),
        ("lmdb/data.mdb", "LMDB"),
        ("train.feather", "Arrow"),
        ("train.rec", "RecordIO"),
        ("train.idx", "RecordIO"),
        ("label_map.pbtxt", "a label map"),
        ("raw.zip", "an archive"),
        ("originals.tar.gz", "an archive"),
        ("train-labels.idx1-ubyte", "IDX"),
        ("train-images-idx3-ubyte", "IDX"),
    ],
)
def test_files_that_may_hold_labels_are_named_and_refuse_nothing(path: str, kind: str) -> None:
    for pictures, reader in (
        ({"a.jpg": b"", "b.jpg": b""}, "images"),
        ({"x/a.jpg": b"", "y/b.jpg": b""}, "imagefolder"),
    ):
        choice = choose(DictTree({**pictures, path: b"PK\x03\x04"}), None)
        assert choice.reader == reader
        assert [(u.path, u.kind, u.is_certain) for u in choice.unread] == [(path, kind, False)]
        assert choice.as_json()["unread"]["files"] == 1


def test_a_refusal_names_what_may_be_labels_after_what_certainly_is() -> None:
    with pytest.raises(UploadRejected) as caught:
        choose(DictTree({**PICTURES, "a.mat": b"MATLAB", "export.json": as_json(STUDIO)}), None)
    assert caught.value.message == (
        "labels that no reader takes: 1 file looks like Label Studio (export.json): not supported yet; "
        "1 file looks like MATLAB (a.mat): may hold labels; not supported yet"
    )


def test_the_pictures_of_class_folders_can_be_taken_without_their_labels_and_classes() -> None:
    tree = DictTree({"x/a.jpg": b"", "y/b.jpg": b"", "export.json": as_json(STUDIO)})
    with pytest.raises(UploadRejected) as caught:
        choose(tree, None)
    assert "--format images, or --format imagefolder" in str(caught.value.hint)
    assert [choose(tree, name).reader for name in ("images", "imagefolder")] == ["images", "imagefolder"]
    assert (
        choose(tree, "images").unread == choose(tree, "imagefolder").unread == (Unread("export.json", "Label Studio"),)
    )


def test_a_table_of_classes_beside_class_folders_is_a_remark() -> None:
    table = b"class id,filepaths,labels,data set\n0,train/cats/a.jpg,cats,train\n1,train/dogs/b.jpg,dogs,train\n"
    choice = choose(DictTree({"train/cats/a.jpg": b"", "train/dogs/b.jpg": b"", "pets.csv": table}), None)
    assert (choice.reader, [file.path for file in choice.unread]) == ("imagefolder", ["pets.csv"])


def test_labels_beside_a_format_that_is_read_are_a_remark() -> None:
    coco = {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [], "categories": []}
    choice = choose(DictTree({**PICTURES, "coco.json": as_json(coco), "train/a.json": as_json(LABELME)}), None)
    assert choice.reader == "coco"
    assert choice.unread == (Unread("train/a.json", "LabelMe"),)
    kinds = choice.as_json()["unread"]
    assert kinds == {"files": 1, "kinds": ["1 file looks like LabelMe (train/a.json): not supported yet"]}


def test_ten_of_many_are_named_and_the_others_counted() -> None:
    files = {f"ann/{n:03}.json": as_json(LABELME) for n in range(25)}
    (kind,) = choose(DictTree({**PICTURES, **files}), "images").as_json()["unread"]["kinds"]
    assert kind.startswith("25 files look like LabelMe (ann/000.json, ")
    assert "ann/009.json and 15 more)" in kind


def test_after_the_budget_files_are_judged_by_their_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_kinds, "BUDGET", 300)
    files = {f"ann/{n:03}.json": as_json(LABELME) for n in range(9)} | {"other/x.json": as_json(LABELME)}
    unread = other_labels(DictTree(files), frozenset())
    assert [file.path for file in unread] == [f"ann/{n:03}.json" for n in range(9)]
