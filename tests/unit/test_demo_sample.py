from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from imagelake.demo import sample_dataset
from imagelake.demo.picture import CLASSES, HEIGHT, WIDTH, draw


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("sample")
    return sample_dataset.first_upload(folder), sample_dataset.second_upload(folder)


def documents(path: Path) -> dict[str, dict]:
    with zipfile.ZipFile(path) as archive:
        names = [n for n in archive.namelist() if n.endswith(".json")]
        return {n.rpartition("_")[2].removesuffix(".json"): json.loads(archive.read(n)) for n in names}


def pictures(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {n: archive.read(n) for n in archive.namelist() if n.endswith(".jpg")}


def test_the_same_bytes_come_every_time(uploads: tuple[Path, Path], tmp_path: Path) -> None:
    again = (sample_dataset.first_upload(tmp_path), sample_dataset.second_upload(tmp_path))
    for one, two in zip(uploads, again, strict=True):
        assert hashlib.sha256(one.read_bytes()).digest() == hashlib.sha256(two.read_bytes()).digest()


def test_members_are_stored_so_that_the_lake_keeps_the_zip_as_it_is(uploads: tuple[Path, Path]) -> None:
    for path in uploads:
        with zipfile.ZipFile(path) as archive:
            assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_sixty_pictures_lie_in_three_splits(uploads: tuple[Path, Path]) -> None:
    found = documents(uploads[0])
    assert {split: len(d["images"]) for split, d in found.items()} == {"train": 42, "val": 9, "test": 9}
    assert len(pictures(uploads[0])) == 60
    assert len(pictures(uploads[1])) == 5


def test_what_is_broken_is_broken_on_purpose(uploads: tuple[Path, Path]) -> None:
    found = documents(uploads[0])
    images = {i["id"] for d in found.values() for i in d["images"]}
    rows = [a for d in found.values() for a in d["annotations"]]
    assert len([a for a in rows if a["image_id"] not in images]) == 1
    assert len([a for a in rows if min(a["bbox"][2:]) <= 0]) == 1
    assert len([a for a in rows if a["bbox"][0] >= WIDTH]) == 1
    unreadable = [name for name, data in pictures(uploads[0]).items() if not decodes(data)]
    assert len(unreadable) == 1
    assert len(set(pictures(uploads[0]).values())) == 59


def decodes(data: bytes) -> bool:
    try:
        Image.open(io.BytesIO(data)).load()
    except OSError:
        return False
    return True


def test_the_second_upload_corrects_one_label_and_nothing_else_of_its_picture(uploads: tuple[Path, Path]) -> None:
    old, new = documents(uploads[0])["train"], documents(uploads[1])["train"]
    shared = {i["id"] for i in old["images"]} & {i["id"] for i in new["images"]}
    assert len(shared) == 1
    before = [a for a in old["annotations"] if a["image_id"] in shared]
    after = [a for a in new["annotations"] if a["image_id"] in shared]
    changed = [(b, a) for b, a in zip(before, after, strict=True) if b != a]
    assert len(changed) == 1
    b, a = changed[0]
    assert {k for k in a if a[k] != b[k]} == {"category_id"}


def test_the_removed_picture_is_in_test(uploads: tuple[Path, Path]) -> None:
    assert f"shapes/images/test/{sample_dataset.REMOVED}" in pictures(uploads[0])


@pytest.mark.parametrize("number", range(1, 66, 7))
def test_boxes_and_outlines_lie_in_the_picture(number: int) -> None:
    picture = draw(number)
    assert Image.open(io.BytesIO(picture.jpeg)).size == (WIDTH, HEIGHT)
    assert 1 <= len(picture.shapes) <= 5
    for shape in picture.shapes:
        x, y, w, h = shape.box
        assert shape.name in CLASSES
        assert x >= 0
        assert y >= 0
        assert x + w <= WIDTH
        assert y + h <= HEIGHT
        assert min(w, h) > 8


def test_a_shape_is_where_its_box_is() -> None:
    shape = draw(1).shapes[0]
    x, y, w, h = (round(v) for v in shape.box)
    image = Image.open(io.BytesIO(draw(1).jpeg)).convert("RGB")
    middle = image.getpixel((x + w // 2, y + h // 2))
    assert all(abs(a - b) < 30 for a, b in zip(middle, shape.colour, strict=True))
