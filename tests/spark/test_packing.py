"""Packages: bytes move, versions do not; whatever is killed or damaged on the way."""

from __future__ import annotations

import hashlib
import random
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import BytesIO

import pytest
from PIL import Image
from tests.spark import helpers

import imagelake
from imagelake.bronze.request import IngestRequest
from imagelake.errors import ImagelakeError
from imagelake.gold.plan import PublishRequest
from imagelake.maintenance.packing.collect import collect_objects
from imagelake.maintenance.packing.pack import convert_dataset, pack_dataset
from imagelake.runs import pipeline
from imagelake.runs.writer import writing
from imagelake.tables import bronze

BOUNDARIES = ("pack:payload", "pack:places", "pack:ended")


class Killed(BaseException):
    """What a test ends a run with at a boundary."""


def pack(ctx, dataset="pets", **more):
    ctx = helpers.again(ctx)
    with writing(ctx, dataset) as lease:
        return pack_dataset(ctx, dataset, lease, label=f"{dataset}@v1", force=True, **more)


def convert(ctx, dataset, storage):
    ctx = helpers.again(ctx)
    ctx.storage.put(f"datasets/{dataset}.yaml", f"storage: {storage}\n".encode())
    with writing(ctx, dataset) as lease:
        return convert_dataset(ctx, dataset, lease)


def collect(ctx):
    return collect_objects(ctx.storage, timedelta(0), ctx.clock)


def digests(ctx, *refs):
    lake = imagelake.open(ctx.storage.root)
    checks = [lake.verify(ref) for ref in refs]
    assert all(check.ok for check in checks), [check.as_json() for check in checks]
    return [check.as_json()["digest"] for check in checks]


def packages(ctx):
    return sorted(stat.path for stat in ctx.storage.list("blobs/zip"))


def objects(ctx):
    return sorted(stat.path for stat in ctx.storage.list("blobs/obj"))


@pytest.fixture
def loose(spark, tmp_path):
    """A lake in which pets@v1 came as a folder: each file is an object of its own."""
    ctx = helpers.context(spark, tmp_path / "lake")
    folder = tmp_path / "upload"
    for name, data in helpers.small(4).files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    pipeline.run_upload(helpers.again(ctx), IngestRequest("pets", str(folder)))
    return ctx


def test_a_package_holds_the_images_as_they_are_in_the_order_of_their_hashes(loose):
    before = digests(loose, "pets@v1")
    packed = pack(loose)
    assert (packed.packages, packed.blobs) == (1, 4)
    (path,) = packages(loose)
    data = loose.storage.read(path)
    assert path == f"blobs/zip/{hashlib.sha256(data).hexdigest()}.zip"
    with zipfile.ZipFile(BytesIO(data)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert names == sorted(names)
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert all(hashlib.sha256(archive.read(name)).hexdigest() == name for name in names)
    assert digests(loose, "pets@v1") == before
    collected = collect(loose)
    assert len(collected.paths) == 4
    assert digests(loose, "pets@v1") == before, "the objects are gone, the version reads back"
    assert len(objects(loose)) == 1, "the document stays where it was"


@pytest.mark.nightly
def test_packing_again_changes_nothing(loose):
    pack(loose)
    before = helpers.versions(loose)
    assert pack(loose).packages == 0
    assert helpers.versions(loose) == before


@pytest.mark.nightly
def test_the_same_images_make_the_same_package(spark, loose, tmp_path):
    pack(loose)
    other = helpers.context(spark, tmp_path / "other")
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in helpers.small(4).files().items():
            if not name.endswith(".json"):
                archive.writestr(name, data)
    pipeline.run_upload(helpers.again(other), IngestRequest("birds", str(tmp_path / "a.zip")))
    pack(other, "birds")
    assert set(packages(loose)) <= set(packages(other))


def test_a_zip_of_deflated_images_is_given_up_with_all_that_lies_in_it(spark, tmp_path):
    ctx = helpers.context(spark, tmp_path / "lake")
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in helpers.small(3).files().items():
            archive.writestr(name, data)
    pipeline.run_upload(helpers.again(ctx), IngestRequest("pets", str(tmp_path / "a.zip")))
    (kept,) = packages(ctx)
    before = digests(ctx, "pets@v1")
    pack(ctx)
    assert collect(ctx).paths == (kept,)
    assert digests(ctx, "pets@v1") == before
    (upload,) = [row for row in ctx.tables.collect(bronze.UPLOADS, "pets") if row["state"] == "built"]
    again = pipeline.build_dataset(helpers.again(ctx), "pets", upload["upload_id"])
    assert again[-1].annotations.read == upload["annotations"]["read"], "its document is read from the package"


@pytest.mark.nightly
def test_a_zip_of_stored_images_is_a_package_already(spark, tmp_path):
    ctx = helpers.context(spark, tmp_path / "lake")
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_STORED) as archive:
        for name, data in helpers.small(3).files().items():
            archive.writestr(name, data)
    pipeline.run_upload(helpers.again(ctx), IngestRequest("pets", str(tmp_path / "a.zip")))
    before = helpers.versions(ctx)
    assert pack(ctx).packages == 0
    assert helpers.versions(ctx) == before


@pytest.mark.nightly
def test_a_child_version_adds_only_what_is_new(loose, tmp_path):
    pack(loose)
    (first,) = packages(loose)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "new.jpg").write_bytes(helpers.picture(77))
    pipeline.run_upload(helpers.again(loose), IngestRequest("pets", str(tmp_path / "more")))
    assert pack(loose).blobs == 1
    assert first in packages(loose)
    assert len(packages(loose)) == 2


@pytest.mark.nightly
def test_another_dataset_uses_the_packages_that_are_there(loose, tmp_path):
    upload = tmp_path / "upload"
    loose.storage.put("datasets/birds.yaml", b"browse: false\n")
    pipeline.run_upload(helpers.again(loose), IngestRequest("birds", str(upload)))
    pack(loose)
    assert pack(loose, "birds").packages == 0
    collect(loose)
    digests(loose, "pets@v1", "birds@v1")


@pytest.mark.nightly
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_kill_at_a_boundary_loses_nothing(loose, boundary):
    before = digests(loose, "pets@v1")

    def kill(name):
        if name == boundary:
            raise Killed

    ctx = helpers.again(loose)
    ctx = type(ctx)(**{**ctx.__dict__, "reached": kill})
    with pytest.raises(Killed), writing(ctx, "pets") as lease:
        pack_dataset(ctx, "pets", lease, label="pets", force=True)
    collect(loose)
    assert digests(loose, "pets@v1") == before
    pack(loose)
    collect(loose)
    assert digests(loose, "pets@v1") == before
    assert len(packages(loose)) == 1
    assert len(objects(loose)) == 1


def test_bytes_that_have_decayed_are_found_before_their_source_ends(loose):
    path = next(p for p in objects(loose) if not loose.storage.read(p).startswith(b"{"))
    data = bytearray(loose.storage.read(path))
    data[20] ^= 1
    loose.storage.put(path, bytes(data))
    before = helpers.versions(loose)
    with pytest.raises(ImagelakeError, match=path.rpartition("/")[2]):
        pack(loose)
    assert helpers.versions(loose) == before


@pytest.mark.nightly
def test_storage_is_converted_while_others_read(loose):
    before = digests(loose, "pets@v1")
    samples = imagelake.open(loose.storage.root).load("pets@v1", unlabelled=True)
    expected = [sample.bytes for sample in samples]
    stop = threading.Event()

    def read() -> int:
        rounds = 0
        while not stop.is_set():
            assert [sample.bytes for sample in samples] == expected
            rounds += 1
        return rounds

    with ThreadPoolExecutor(1) as beside:
        reading = beside.submit(read)
        try:
            for storage in ("packages", "objects", "packages"):
                convert(loose, "pets", storage)
                collect(loose)
        finally:
            stop.set()
        assert reading.result() > 0
    assert digests(loose, "pets@v1") == before


@pytest.mark.nightly
def test_a_publish_packs_by_itself_when_it_is_worth_it(spark, tmp_path):
    chosen = helpers.settings(tmp_path / "lake", "pack.min_images=3")
    ctx = helpers.context(spark, tmp_path / "lake", settings=chosen)
    folder = tmp_path / "upload"
    for name, data in helpers.small(3).files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    report = pipeline.run_upload(helpers.again(ctx), IngestRequest("pets", str(folder)))
    assert any("3 files put into 1 packages" in notice for notice in report.notices)
    digests(ctx, "pets@v1")


def test_bytes_that_come_again_are_looked_for_where_they_lie_now(loose, tmp_path):
    before = digests(loose, "pets@v1")
    pack(loose)
    collect(loose)
    again = {f"other/{name}": data for name, data in helpers.small(4).files().items() if not name.endswith(".json")}
    for dataset in ("pets", "birds"):
        upload = helpers.write_zip(tmp_path / f"{dataset}.zip", again)
        pipeline.run_upload(helpers.again(loose), IngestRequest(dataset, str(upload)))
    digests(loose, "pets", "birds")
    assert digests(loose, "pets@v1") == before
    assert len(packages(loose)) == 1, "nothing is kept twice"
    rows = [row for row in loose.tables.collect(bronze.BLOBS, "birds") if row["state"] == "live"]
    assert {row["uri"] for row in rows} == set(packages(loose))


@pytest.mark.nightly
def test_twenty_versions_that_change_a_hundredth_each_take_little_more_than_one_copy(spark, tmp_path):
    """And a trainer that has all of the version before fetches what is new."""
    chosen = helpers.settings(tmp_path / "lake", "pack.when=always")
    ctx = helpers.context(spark, tmp_path / "lake", settings=chosen)
    count, changed, versions = 1000, 10, 20
    numbers = list(range(count))
    for version in range(versions):
        folder = tmp_path / f"v{version}"
        some = range(count) if not version else range(version * changed, (version + 1) * changed)
        for n in some:
            numbers[n] += count * (version > 0)
            path = folder / f"c{n % 3}" / f"{n:04}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(noise(numbers[n]))
        request = IngestRequest("pets", str(folder), None, "update" if version else "append")
        report = pipeline.run_upload(helpers.again(ctx), request)
        assert report.version == f"pets@v{version + 1}"
    collect(ctx)
    lake = imagelake.open(ctx.storage.root)
    one_copy = sum(lake.load("pets@v20", unlabelled=True).places["size"].to_pylist())
    kept = sum(stat.length for stat in ctx.storage.list("blobs"))
    assert kept <= 1.35 * one_copy
    digests(ctx, *(f"pets@v{number}" for number in (1, 10, 20)))
    before, after = (lake.load(ref, unlabelled=True) for ref in ("pets@v19", "pets@v20"))
    cached = set(before.places["uri"].to_pylist())
    new = [row["length"] for row in after.places.to_pylist() if row["uri"] not in cached]
    assert 0 < sum(new) <= 0.015 * one_copy


def noise(seed):
    """A PNG of some 14 KB."""
    out = BytesIO()
    Image.frombytes("RGB", (68, 68), random.Random(seed).randbytes(68 * 68 * 3)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.nightly
def test_a_publish_writes_what_changed_and_little_more(spark, tmp_path):
    """Over 25 publishes of 10 changed images among 300: tables of gold and packages, checkpoints apart."""
    chosen = helpers.settings(tmp_path / "lake", "pack.when=always")
    ctx = helpers.context(spark, tmp_path / "lake", settings=chosen)

    def size():
        below = ("tables/gold", "tables/bronze", "blobs")
        return sum(s.length for top in below for s in ctx.storage.list(top) if ".checkpoint" not in s.path)

    count, changed = 300, 10
    for version in range(26):
        folder = tmp_path / f"v{version}"
        some = range(count) if not version else range((version - 1) * changed, version * changed)
        for n in some:
            path = folder / f"c{n % 3}" / f"{n:04}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(noise(n + count * version))
        new = sum(path.stat().st_size for path in folder.rglob("*.png"))
        request = IngestRequest("pets", str(folder), None, "update" if version else "append")
        pipeline.land_upload(helpers.again(ctx), request)
        pipeline.build_dataset(helpers.again(ctx), "pets")
        before = size()
        report = pipeline.publish_draft(helpers.again(ctx), PublishRequest("pets"))
        assert report.version == f"pets@v{version + 1}"
        if version:
            assert size() - before <= 1.1 * new + 128 * 1024
