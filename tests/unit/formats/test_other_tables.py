"""Texts and CSV whose rows name images are labels; lists of images, and what is only about pictures, are none."""

from __future__ import annotations

import pytest

from imagelake.errors import UploadRejected
from imagelake.formats.detect import choose
from imagelake.formats.trees import DictTree
from imagelake.formats.unread.kinds import other_labels
from imagelake.formats.unread.tables import TEXT_TABLE

PICTURES = dict.fromkeys(("val/images/val_0.JPEG", "val/images/IMG 1.jpg", "val/images/000012.jpg"), b"")

TEXTS: dict[str, tuple[str, str]] = {
    "Tiny-ImageNet": ("val/val_annotations.txt", "val_0.JPEG\tn01\t0\t32\t44\t62\n"),
    "boxes of a class": ("val/n01_boxes.txt", "val_0.JPEG\t0\t0\t62\t62\n"),
    "attributes below two lines": ("list_attr.txt", "3\nArched Bald\n000012.jpg -1  1\nval_0.JPEG 1 -1\n"),
    "rows of stems": ("boxes.lst", "000012 0 32 44 62\nval_0 1 1 2 2\n"),
    "commas and a blank in the name": ("notes.txt", "IMG 1.jpg, cat\nval_0.JPEG, dog\n"),
    "a header": ("notes.txt", "filename,class\nval_0.JPEG,cat\n"),
    "quotes": ("x.list", '"val_0.JPEG" "cat"\n'),
    "absolute names": ("all.txt", "/data/me/val_0.JPEG 1\n"),
    "back slashes": ("all.txt", "D:\\me\\val_0.JPEG 1\n"),
    "names in capitals": ("all.txt", "VAL_0.jpeg 1\n"),
    "captions": ("Flickr8k.token.txt", "val_0.JPEG#0\tA dog runs over the grass .\n"),
    "captions below a header": ("captions.txt", "image,caption\nval_0.JPEG,A dog runs over the grass\n"),
    "WIDER FACE": (
        "wider.txt",
        "0--Parade/val_0.JPEG\n2\n449 330 122 149 0 0\n1 2 3 4 0 0\n000012.jpg\n0\n0 0 0 0 0 0\n",
    ),
    "FDDB": ("FDDB-fold-01.txt", "2002/08/val_0\n1\n123.58 85.54 1.26 269.69 161.78 1\n"),
    "numbers of classes in a flat list": ("train_list.txt", "images/val_0.JPEG 0\nimages/000012.jpg 1\n"),
    "names of classes in a list": ("train.txt", "val_0.JPEG cat\n"),
    "MXNet": ("train.lst", "0\t1.0\tval/val_0.JPEG\n1\t0.0\t000012.jpg\n"),
    "no suffix": ("list_bbox", "val_0.JPEG 1 2 3 4\n"),
    ".ann": ("boxes.ann", "val_0.JPEG 1 2 3 4\n"),
}


def uploaded(path: str, data: str | bytes, pictures: dict[str, bytes] = PICTURES) -> DictTree:
    return DictTree({**pictures, path: data.encode() if isinstance(data, str) else data})


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_of_rows_that_begin_with_images_is_labels(name: str) -> None:
    path, text = TEXTS[name]
    for data in (text.encode(), b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(), text.encode("utf-16")):
        with pytest.raises(UploadRejected) as caught:
            choose(uploaded(path, data), None)
        assert caught.value.rule == "format.unsupported"
        assert f"1 file looks like {TEXT_TABLE} ({path})" in caught.value.message


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("images.txt", "1 001.Cat/val_0.JPEG\n2 001.Cat/000012.jpg\n"),
        ("rgb.txt", "# time file\n1305.79 rgb/val_0.JPEG\n"),
        ("geo.txt", "EPSG:4326\nval_0.JPEG -91.99 46.84 198.6\n000012.jpg -91.98 46.84 198.7\n"),
        ("pictures.txt", "val_0.JPEG https://photos.example/1\n"),
        ("hashes.txt", "val_0.JPEG d41d8cd98f00b204e9800998ecf8427e\n"),
        ("taken.txt", "val_0.JPEG 2024-05-01 12:00:00\n"),
        ("filelist.txt", "val_0.JPEG 48213\n"),
        ("notes.txt", "val_0.JPEG taken on the way home\n"),
        ("notes.txt", "Taken on Monday by the river\nval_0.JPEG is blurry\n"),
        ("boxes.txt", "elsewhere_1.jpg 1 2 3 4\nelsewhere_2.jpg 1 2 3 4\n"),
    ],
)
def test_a_text_about_images_that_may_be_no_labels_is_named_and_refuses_nothing(path: str, text: str) -> None:
    choice = choose(uploaded(path, text), None)
    assert choice.reader == "images"
    ((file, kind, is_certain),) = [(u.path, u.kind, u.is_certain) for u in choice.unread]
    assert (file, kind, is_certain) == (path, TEXT_TABLE, False)
    assert choice.as_json()["unread"]["files"] == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("all.txt", "val_0.JPEG\nIMG 1.jpg\n000012.jpg\n"),
        ("train.txt", "val/images/val_0.JPEG\n"),
        ("val_list.txt", "JPEGImages/val_0.JPEG Annotations/val_0.xml\n"),
        ("train_list.txt", "cake/val_0.JPEG 0\npie/000012.jpg 1\n"),
        ("stems.txt", "val_0\n000012\n"),
        ("of_class.txt", "000012 -1\nval_0 1\n"),
        ("requirements.txt", "numpy 1.0\npillow 2\n"),
        ("log.txt", "epoch 1 0.5\nepoch 2 0.25\n"),
        ("prose.txt", "The dog on val_0.JPEG is called Rex.\nval_0.JPEG was taken at home.\nHe is three.\nHe barks.\n"),
        ("README.txt", "val_0.JPEG cat\n"),
        ("empty.txt", ""),
        ("data.dat", "val_0.JPEG\0 1 2\n"),
    ],
)
def test_lists_of_images_and_other_texts_are_no_labels(path: str, text: str) -> None:
    assert other_labels(uploaded(path, text), frozenset()) == ()


def test_stems_that_are_small_numbers_are_matched_by_chance() -> None:
    pictures = dict.fromkeys(("1.jpg", "2.jpg"), b"")
    (unread,) = other_labels(uploaded("loss.txt", "1 0.5 0.25\n2 0.4 0.2\n", pictures), frozenset())
    assert not unread.is_certain


def test_rows_that_one_reader_names_are_not_named_twice() -> None:
    tree = uploaded("all.txt", "val_0.JPEG 1,2,3,4,0\nIMG 1.jpg 5,6,7,8,1\n")
    with pytest.raises(UploadRejected) as caught:
        choose(tree, None)
    assert caught.value.message.count("all.txt") == 1


def test_a_text_named_for_the_labels_of_an_image_is_labels() -> None:
    rows = "377,117,463,117,465,130,378,130,Genaxis Theatre\n"
    for path in ("gt_val_0.txt", "gt/000012_gt.txt"):
        (unread,) = other_labels(uploaded(path, rows), frozenset())
        assert (unread.path, unread.kind, unread.is_certain) == (path, "text named like an image", True)
    assert other_labels(uploaded("gt_val_9.txt", rows), frozenset()) == ()
    assert other_labels(uploaded("gt_val_0.txt", ""), frozenset()) == ()


def test_a_text_named_like_an_image_elsewhere_is_named() -> None:
    (unread,) = other_labels(uploaded("captions/val_0.txt", "a dog on the grass\n"), frozenset())
    assert (unread.kind, unread.is_certain) == ("text named like an image", False)


CSV: dict[str, tuple[str, str, str]] = {
    "unknown name of the column": ("train.csv", "img_fName,kind\nval_0.JPEG,cat\n", "CSV of classes"),
    "photo": ("photos.csv", "photo,breed\nval_0.JPEG,cat\n", "CSV of classes"),
    "image_name": ("train.csv", "image_name,target\nval_0,1\n", "CSV of classes"),
    "Filename": ("train.csv", "Filename,Label\nval_0.JPEG,1\n", "CSV of classes"),
    "stems": ("train.csv", "id_code,diagnosis\nval_0,1\n000012,3\n", "CSV of classes"),
    "stems in the second column": ("meta.csv", "lesion_id,image_id,dx\nH1,val_0,nv\n", "CSV of classes"),
    "Label Studio": (
        "project.csv",
        "image,id,label,annotator,annotation_id,created_at,updated_at,lead_time\n/data/val_0.JPEG,1,cat,1,1,x,x,2\n",
        "Label Studio CSV",
    ),
    "VIA": (
        "via.csv",
        "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n",
        "CSV of boxes",
    ),
    "Open Images": (
        "b.csv",
        "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax\n0a,x,/m/1,1,0,1,0,1\n",
        "CSV of boxes",
    ),
    "ILSVRC": ("LOC_train_solution.csv", "ImageId,PredictionString\nval_0,n01 1 1 2 2\n", "CSV of boxes"),
    "semicolons below sep=": ("l.csv", "sep=;\nfile;class\nval_0.JPEG;cat\n", "CSV of classes"),
    "bars": ("results.csv", "image_name| comment_number| comment\nval_0.JPEG| 0| A dog .\n", "CSV of classes"),
}


@pytest.mark.parametrize("name", CSV)
def test_csv_of_images_is_known_by_its_columns_or_rows(name: str) -> None:
    path, text, kind = CSV[name]
    for data in (text.encode(), b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(), text.encode("utf-16")):
        (unread,) = other_labels(uploaded(path, data), frozenset())
        assert (unread.kind, unread.is_certain) == (kind, True)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("sample_submission.csv", "id,label\nval_0,0.5\n"),
        ("credits_of.csv", "filename,url,license\nval_0.JPEG,x,CC0\n"),
        ("ham.csv", "image_id,dx\nelsewhere,nv\n"),
        ("labels.csv", "name,label\ncake/val_0.JPEG,0\npie/000012.jpg,1\n"),
        ("products.csv", "sku,title,look\n1,Shoe,elsewhere.jpg\n"),
        ("exif.csv", "filename,camera,iso\nval_0.JPEG,X,100\n"),
    ],
)
def test_csv_that_may_be_no_labels_is_named_and_refuses_nothing(path: str, text: str) -> None:
    (unread,) = choose(uploaded(path, text), None).unread
    assert (unread.path, unread.is_certain) == (path, False)


@pytest.mark.parametrize("text", ["name,grade\nbob,a\n", "x,y\n1,2\n,\n", "a\nb\n", ",\n,\n"])
def test_csv_of_other_things_is_no_labels(text: str) -> None:
    assert other_labels(uploaded("x.csv", text), frozenset()) == ()
