"""The pixels and bytes of samples: one space with the annotations, from wherever they lie."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest
from PIL import Image, ImageOps

import imagelake
from imagelake.core import heif
from imagelake.errors import ConfigError, IntegrityError
from imagelake.geometry.run_lengths import write_runs
from imagelake.tables import bronze
from lake_tables import write_rows
from lakes import LakeMaker
from pet_lake import Pets


def _turned_lake(maker: LakeMaker, orientation: int, fmt: str) -> tuple[imagelake.Lake, bytes]:
    """An 8 x 4 image with a white corner, stored with an EXIF orientation, and every kind of geometry around it."""
    image = Image.new("RGB", (8, 4))
    image.paste((255, 255, 255), (0, 0, 3, 2))
    exif, out = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    image.save(out, fmt, exif=exif, **({"quality": 100} if fmt == "AVIF" else {}))
    maker.image("pets", "a", out.getvalue(), width=8, height=4, orientation=orientation)
    shape = {"polygons": [[0.0, 0.0, 3.0, 0.0, 3.0, 2.0]], "keypoints": [1.0, 1.0, 2.0, 0.0, 0.0, 0.0]}
    maker.box("pets", "a", "cat", (0, 0, 3, 2), rle_size=[4, 8], rle_counts=write_runs([0, 2, 2, 2, 2, 2, 22]), **shape)
    maker.keep("pets", [out.getvalue()])
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()
    return imagelake.open(str(maker.root)), out.getvalue()


def _white(image: Image.Image) -> tuple[int, int, int, int] | None:
    return image.convert("L").point(lambda v: 255 * (v > 200)).getbbox()


@pytest.mark.parametrize("fmt", ["PNG", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixels_and_annotations_always_share_one_space(maker: LakeMaker, orientation: int, fmt: str) -> None:
    lake, data = _turned_lake(maker, orientation, fmt)
    for oriented in (False, True):
        sample = lake.load("pets", oriented=oriented)[0]
        image, (annotation,) = sample.image(), sample.annotations
        assert image.size == (sample.width, sample.height)
        assert annotation.bbox is not None
        x, y, w, h = annotation.bbox
        assert _white(image) == (x, y, x + w, y + h)
        assert annotation.polygons is not None
        assert min(annotation.polygons[0][::2]) == x
        assert annotation.rle is not None
        assert annotation.rle[:2] == (image.height, image.width)
        assert annotation.keypoints is not None
        assert x <= annotation.keypoints[0] <= x + w
        assert annotation.keypoints[3:] == (0.0, 0.0, 0.0)
    shown = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert image.tobytes() == shown.tobytes()
    assert ImageOps.exif_transpose(image).tobytes() == shown.tobytes(), "an oriented image must not turn once more"


def test_a_heic_image_without_the_extra_says_what_to_install(maker: LakeMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"\0\0\0\x18ftypmif1\0\0\0\0heicmiaf" + bytes(100)
    maker.image("pets", "a.heic", data, width=8, height=4)
    maker.keep("pets", [data])
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()
    monkeypatch.setattr(heif, "register", lambda: False)
    sample = imagelake.open(str(maker.root)).load("pets", unlabelled=True)[0]
    with pytest.raises(ConfigError, match=r"a\.heic is HEIC") as caught:
        sample.image()
    assert caught.value.hint == "pip install 'imagelake[heic]'"


def test_the_tables_of_an_oriented_load_are_turned_too(maker: LakeMaker) -> None:
    lake, _ = _turned_lake(maker, 6, "PNG")
    samples = lake.load("pets", oriented=True)
    assert samples.images.select(["width", "height"]).to_pylist() == [{"width": 4, "height": 8}]
    assert samples.annotations.column("bbox").to_pylist() == [{"x": 2.0, "y": 0.0, "w": 2.0, "h": 3.0}]
    assert samples.annotations.column("rle_size").to_pylist() == [[8, 4]]


@pytest.mark.parametrize("codec", ["stored", "deflate", "object"])
def test_bytes_are_read_from_wherever_they_lie(maker: LakeMaker, codec: str) -> None:
    contents = [bytes([i]) * (1000 + i) for i in range(5)]
    for i, data in enumerate(contents):
        maker.image("pets", f"{i}", data)
    maker.keep("pets", contents, codec)
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()
    assert [s.bytes for s in imagelake.open(str(maker.root)).load("pets")] == contents


def test_bytes_that_another_dataset_brought_are_found(maker: LakeMaker) -> None:
    maker.image("pets", "a", b"shared")
    maker.keep("cars", [b"shared"])
    maker.deliver("pets")
    maker.flush()
    assert imagelake.open(str(maker.root)).load("pets@draft")[0].bytes == b"shared"


def test_a_training_goes_on_when_bytes_move(pets: Pets) -> None:
    samples = pets.lake.load("pets@v1")
    old = next((pets.maker.root / "blobs/zip").iterdir())
    pets.maker.keep("pets", list(pets.bytes.values()), "object")
    pets.maker.flush()
    old.unlink()
    assert samples[0].bytes == pets.bytes["a"]


def test_an_ended_place_is_not_read(pets: Pets) -> None:
    pets.maker.keep("pets", list(pets.bytes.values()), "object")
    pets.maker.flush()
    place = imagelake.open(str(pets.maker.root)).load("pets@v1").places.to_pylist()
    live = [p["uri"] for p in place if p["uri"].startswith("blobs/obj/")]
    rows = [
        {"dataset": "pets", "content_hash": hashlib.sha256(d).hexdigest(), "uri": path, "offset": 0, "length": len(d)}
        | {"size": len(d), "codec": "stored", "state": "ended", "at": pets.maker.now()}
        for d in pets.bytes.values()
        for path in [f"blobs/obj/{hashlib.sha256(d).hexdigest()[:2]}/{hashlib.sha256(d).hexdigest()}"]
    ]
    write_rows(pets.maker.root, bronze.BLOBS, rows)
    again = imagelake.open(str(pets.maker.root)).load("pets@v1").places.to_pylist()
    assert live
    assert all(p["uri"].startswith("blobs/zip/") for p in again)


def test_bytes_that_are_not_those_published_never_reach_a_trainer(pets: Pets) -> None:
    archive = next((pets.maker.root / "blobs/zip").iterdir())
    data = bytearray(archive.read_bytes())
    at = bytes(data).find(pets.bytes["a"])
    data[at + 20] ^= 1
    archive.write_bytes(data)
    with pytest.raises(IntegrityError, match="does not hold the bytes"):
        pets.lake.load("pets@v1")[0]


def test_images_without_a_place_are_named_when_loading(maker: LakeMaker) -> None:
    maker.image("pets", "lost.png")
    maker.deliver("pets")
    maker.flush()
    with pytest.raises(IntegrityError, match=r"1 images.*lost\.png"):
        imagelake.open(str(maker.root)).load("pets@draft")


def test_a_copied_lake_loads_the_same(pets: Pets, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    pets.maker.root.rename(moved)
    lake = imagelake.open(moved.as_uri())
    assert lake.verify("pets@v1").ok
    assert lake.load("pets@v1")[0].bytes == pets.bytes["a"]
