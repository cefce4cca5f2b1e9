"""Whether a dataset is packed, and which of its bytes: decided without Spark, by number, size and settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imagelake.cli.main import main
from imagelake.config.dataset_settings import DatasetSettings
from imagelake.config.settings import PackSettings
from imagelake.maintenance.packing.package_plan import PackPlan, plan_objects, plan_pack, survey_blobs
from imagelake.storage import open_storage
from lakes import LakeMaker

CONTENTS = [f"the bytes of {n}".encode() * 20 for n in range(6)]


@pytest.fixture
def maker(tmp_path: Path) -> LakeMaker:
    """Six images that lie where a test says."""
    maker = LakeMaker(tmp_path / "lake")
    for n, data in enumerate(CONTENTS):
        maker.image("pets", f"{n}.jpg", data)
    maker.deliver("pets")
    maker.publish("pets")
    return maker


def plan(maker: LakeMaker, pack: PackSettings | None = None, force: bool = False, **settings: object) -> PackPlan:
    maker.flush()
    storage = open_storage(str(maker.root), None)
    return plan_pack(storage, "pets", DatasetSettings(**settings), pack or PackSettings(min_images=6), force=force)


def test_loose_images_are_packed_in_the_order_of_their_hashes(maker: LakeMaker) -> None:
    maker.keep("pets", CONTENTS, "object")
    made = plan(maker)
    hashes = made.sources["content_hash"].to_pylist()
    assert len(hashes) == 6
    assert hashes == sorted(hashes)
    assert made.replaced.num_rows == 6
    assert "at least pack.min_images = 6" in made.reason


@pytest.mark.parametrize(
    ("pack", "reason"),
    [
        (PackSettings(), "not packed: 6 images of 0 KiB on average; from pack.min_small_images = 1000"),
        (PackSettings(min_images=6, max_mean_megabytes=1e-5), "above pack.max_mean_megabytes = 1e-05"),
        (PackSettings(min_small_images=6, small_megabytes=1e-5), "not packed"),
    ],
)
def test_it_is_not_worth_it_for_few_or_for_large_images(maker: LakeMaker, pack: PackSettings, reason: str) -> None:
    maker.keep("pets", CONTENTS, "object")
    made = plan(maker, pack)
    assert not made.is_worth_it
    assert reason in made.reason
    assert made.sources.num_rows == made.replaced.num_rows == 0


def test_small_images_are_worth_it_sooner(maker: LakeMaker) -> None:
    maker.keep("pets", CONTENTS, "object")
    assert plan(maker, PackSettings(min_small_images=6)).sources.num_rows == 6


@pytest.mark.parametrize(("storage", "count"), [("packages", 6), ("zip", 0), ("objects", 0)])
def test_the_settings_of_the_dataset_decide_for_good(maker: LakeMaker, storage: str, count: int) -> None:
    maker.keep("pets", CONTENTS, "object")
    assert plan(maker, PackSettings(), storage=storage).sources.num_rows == count
    assert plan(maker, PackSettings(), force=True, storage=storage).sources.num_rows == count


def test_a_zip_of_stored_images_is_left_alone_and_a_deflated_one_is_given_up_whole(maker: LakeMaker) -> None:
    document = b'{"images": []}' * 50
    maker.keep("pets", [*CONTENTS[:3], document], "stored")
    maker.keep("pets", [*CONTENTS[3:], document[:-1]], "deflate")
    made = plan(maker)
    assert made.sources.num_rows == 4, "three images, and what lies beside them"
    assert set(made.replaced["codec"].to_pylist()) == {"deflate"}


def test_what_another_dataset_has_packed_is_used(maker: LakeMaker) -> None:
    maker.keep("pets", CONTENTS, "object")
    package = maker.keep("birds", CONTENTS[:4], "stored")
    made = plan(maker)
    assert made.sources.num_rows == 2
    assert set(made.borrowed["uri"].to_pylist()) == {package}
    assert made.replaced.num_rows == 6


def test_objects_that_have_urls_stay_beside_their_packages(maker: LakeMaker) -> None:
    maker.keep("pets", CONTENTS, "object")
    made = plan(maker, browse=True)
    assert made.sources.num_rows == 6
    assert made.replaced.num_rows == 0


def test_images_become_objects_where_the_settings_say_so(maker: LakeMaker) -> None:
    maker.keep("pets", CONTENTS[:4], "stored")
    maker.keep("pets", CONTENTS[4:], "object")
    maker.flush()
    made = plan_objects(open_storage(str(maker.root), None), "pets")
    assert made.sources.num_rows == made.replaced.num_rows == 4


def test_a_survey_says_which_datasets_have_bytes_outside_packages(maker: LakeMaker) -> None:
    maker.keep("pets", CONTENTS, "object")
    maker.keep("birds", CONTENTS, "stored")
    maker.flush()
    surveyed = survey_blobs(open_storage(str(maker.root), None))
    assert [(each.dataset, each.count, each.has_unpacked) for each in surveyed] == [
        ("birds", 6, False),
        ("pets", 6, True),
    ]


def test_maintain_starts_no_java_where_nothing_is_worth_packing(
    maker: LakeMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    maker.keep("pets", CONTENTS, "object")
    maker.flush()
    lake = ["--lake", str(maker.root), "--json"]
    assert main(["maintain", "--only", "pack,gc", *lake]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["packed"] == {"datasets": [], "notices": []}
    never = ["--set", "pack.min_images=1", "--set", "pack.when=never"]
    assert main(["maintain", "--only", "pack", *never, *lake]) == 0
    assert json.loads(capsys.readouterr().out)["packed"]["datasets"] == []


@pytest.mark.parametrize(("unused", "count"), [(100, 0), (100_000, 6)])
def test_a_zip_that_is_mostly_unused_is_packed_anew(maker: LakeMaker, unused: int, count: int) -> None:
    path = maker.root / maker.keep("pets", CONTENTS, "stored")
    path.write_bytes(path.read_bytes() + bytes(unused))
    made = plan(maker, PackSettings(min_images=6, max_waste=0.6))
    assert made.sources.num_rows == made.replaced.num_rows == count
