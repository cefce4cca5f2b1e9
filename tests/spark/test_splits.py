"""Splits: what is kept, what is uploaded, what lies together, what is short; and that recipe 1 continues."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from pyspark.sql import DataFrame
from tests.spark import handmade, helpers
from tests.spark.handmade import Picture

import imagelake
from imagelake.bronze.request import IngestRequest
from imagelake.errors import UsageError
from imagelake.gold.splits.assign import Assigned, Recipe, assign
from imagelake.runs import pipeline

SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}
HALVES = {"left": 0.5, "right": 0.5}
History = Mapping[str, Sequence[str]]
"""Image key to the splits it had, oldest first."""


@pytest.fixture(scope="module")
def ctx(spark, tmp_path_factory):
    return helpers.context(spark, tmp_path_factory.mktemp("splits") / "lake")


def assigned(spark, pictures: Sequence[Picture], recipe: Recipe, history: History | None = None) -> Assigned:
    rows = [(r["image_key"], r["content_hash"], r["split"], r["attributes"]) for r in map(image, pictures)]
    images = spark.createDataFrame(rows, "image_key string, content_hash string, split string, attributes string")
    labels = [(p.key, name) for p in pictures for name in p.classes]
    annotations = spark.createDataFrame(labels, "image_key string, category string")
    return assign(images, past(spark, history or {}), lambda: annotations, recipe)


def image(picture: Picture) -> dict[str, Any]:
    return handmade.image_row("d", picture)


def past(spark, history: History) -> DataFrame:
    rows = [(key, split, number) for key, names in history.items() for number, split in enumerate(names, 1)]
    return spark.createDataFrame(rows, "image_key string, split string, added_in bigint")


def placed(result: Assigned) -> dict[str, str]:
    return {row["image_key"]: row["split"] for row in result.images.collect()}


def model(pictures: Sequence[Picture], recipe: Recipe, history: Mapping[str, str]) -> dict[str, str]:
    """The contract in plain Python, for pictures that are groups of their own."""
    counts = Counter(name for p in pictures for name in p.classes)
    groups: dict[str, list[Picture]] = defaultdict(list)
    for p in pictures:
        groups[handmade.content_hash(p)].append(p)
    split: dict[str, str] = {}
    classes: dict[str, str] = {}
    for root, members in groups.items():
        names = {name for p in members for name in p.classes}
        classes[root] = min(names, key=lambda n: (counts[n], n), default="")
        kept = [history[p.key] for p in sorted(members, key=lambda p: p.key) if p.key in history]
        uploaded = [p.split for p in sorted(members, key=lambda p: p.key) if p.split]
        if kept or uploaded:
            split[root] = (kept + uploaded)[0]
    new = sorted((root for root in groups if root not in split), key=lambda root: (hashed(recipe.seed, root), root))
    for root in new:
        have = Counter(split[other] for other in split if classes[other] == classes[root])
        split[root] = max(recipe.fractions, key=lambda s: recipe.fractions[s] * (have.total() + 1) - have[s])
    return {p.key: split[root] for root, members in groups.items() for p in members}


def hashed(seed: int, root: str) -> float:
    return int(hashlib.sha256(f"{seed}:{root}".encode()).hexdigest()[:13], 16) / 2**52


def test_what_has_no_split_is_placed_by_the_hash_of_its_group(spark):
    pictures = [Picture(f"{k}.png", attributes={"patient": k // 2}) for k in range(20)]
    result = placed(assigned(spark, pictures, Recipe(HALVES, "patient", seed=7)))
    assert result == {p.key: "left" if hashed(7, str(p.attributes["patient"])) < 0.5 else "right" for p in pictures}


def test_a_published_split_outranks_an_uploaded_one_and_the_newest_uploaded_one_counts_for_the_rest(spark):
    pictures = [Picture("new.png", split="test"), Picture("old.png", split="test")]
    result = assigned(spark, pictures, Recipe(SHARES), {"old.png": ["val", "train"], "gone.png": ["val"]})
    rows = {r["image_key"]: (r["split"], r["origin"], r["contradicts"]) for r in result.images.collect()}
    # the published image is told by the upload that contradicts it
    assert rows == {"new.png": ("test", "uploaded", False), "old.png": ("train", "kept", False)}


def test_the_same_bytes_lie_in_one_split_and_a_new_image_that_asked_for_another_is_counted(spark):
    pictures = [Picture("a.png", "same", "train"), Picture("b.png", "same", "test"), Picture("c.png", "same")]
    rows = assigned(spark, pictures, Recipe(SHARES)).images.collect()
    found = {r["image_key"]: (r["split"], r["origin"], r["contradicts"]) for r in rows}
    assert found["a.png"] == ("train", "uploaded", False)
    assert found["b.png"] == ("train", "moved", True)
    assert found["c.png"] == ("train", "uploaded", False)
    kept = assigned(spark, pictures, Recipe(SHARES), {"b.png": ["val"]})
    assert set(placed(kept).values()) == {"val"}


def test_another_recipe_ignores_uploaded_splits(spark):
    pictures = [Picture(f"{k}.png", split="holdout") for k in range(6)]
    assert set(placed(assigned(spark, pictures, Recipe(HALVES, uploaded=False))).values()) <= set(HALVES)


@pytest.mark.parametrize("value", ["p.1", 17, 2.5, True, 'it\'s a "name" [x]'])
def test_an_attribute_may_be_text_a_number_or_a_boolean_and_its_name_anything(spark, value):
    name = "the patient's [id].x \"?"
    pictures = [Picture(f"{k}.png", attributes={name: value, "other": k}) for k in range(8)]
    pictures.append(Picture("none.png", attributes={name: None}))
    result = assigned(spark, pictures, Recipe(HALVES, name))
    assert result.ungrouped == 1
    rows = {r["image_key"]: r["group_key"] for r in result.images.collect()}
    assert rows.pop("none.png") == handmade.content_hash(pictures[-1])
    assert set(rows.values()) == {str(value) if value is not True else "true"}


def test_an_attribute_that_no_image_has_is_refused_with_those_there_are(spark):
    pictures = [Picture(f"{k}.png", attributes={f"a{k:02}": k, "patient": k, "empty": None}) for k in range(12)]
    with pytest.raises(UsageError, match="--group-by patint: no image to publish has this attribute") as error:
        assigned(spark, pictures, Recipe(HALVES, "patint"))
    assert error.value.hint == f"attributes of the images: {', '.join(f'a{k:02}' for k in range(10))}, …"
    with pytest.raises(UsageError) as error:
        assigned(spark, [Picture("a.png")], Recipe(HALVES, "patint"))
    assert "no image has any attribute" in str(error.value.hint)
    assert assigned(spark, [], Recipe(HALVES, "patient")).ungrouped == 0


def test_groups_that_share_bytes_lie_together_and_are_named(spark):
    videos = [Picture(f"v{v}/{k}.png", attributes={"video": f"v{v}"}) for v in range(4) for k in range(3)]
    blanks = [Picture(f"v{v}/blank.png", "blank", attributes={"video": f"v{v}"}) for v in range(3)]
    result = assigned(spark, [*videos, *blanks], Recipe(HALVES, "video"))
    splits = placed(result)
    assert result.joined_groups == ("v0", "v1", "v2")
    assert len({splits[p.key] for p in (*videos, *blanks) if p.attributes["video"] != "v3"}) == 1
    apart = assigned(spark, videos, Recipe(HALVES, "video"))
    assert apart.joined_groups == ()


def test_stratify_follows_the_contract_with_kept_uploaded_and_unlabelled_groups(spark):
    classes = [("cat",), ("cat", "dog"), ("dog", "dog", "emu"), (), ("emu",)]
    pictures = [Picture(f"{k:02}.png", f"data {k % 37}", classes=classes[k % 5]) for k in range(40)]
    pictures += [Picture(f"u{k}.png", split="val", classes=("cat",)) for k in range(3)]
    pictures += [Picture("h.png", split="holdout", classes=("dog",))]
    history = {f"{k:02}.png": "test" if k % 2 else "train" for k in range(9)} | {"gone.png": "val"}
    recipe = Recipe(SHARES, stratify=True, seed=3)
    result = placed(assigned(spark, pictures, recipe, {key: [split] for key, split in history.items()}))
    assert result == model(pictures, recipe, history)
    assert {"train", "val", "test", "holdout"} == set(result.values())


def test_images_that_come_one_by_one_fill_all_splits_when_stratified(spark):
    recipe, history = Recipe(SHARES, stratify=True), dict[str, str]()
    for k in range(7):
        pictures = [Picture(f"{n:02}.png", classes=("cat",)) for n in range(k + 1)]
        splits = placed(assigned(spark, pictures, recipe, {key: [split] for key, split in history.items()}))
        assert {key: splits[key] for key in history} == history
        history = splits
    assert Counter(history.values()) == {"train": 5, "val": 1, "test": 1}


def patients(first: int, count: int) -> list[Picture]:
    """Two images a patient."""
    numbers = range(first, first + count)
    return [Picture(f"{first}-{n:02}-{k}.png", attributes={"patient": n % 20}) for n in numbers for k in range(2)]


def several_splits(splits: Mapping[str, str], pictures: Sequence[Picture]) -> list[Any]:
    found = defaultdict(set)
    for p in pictures:
        found[p.attributes["patient"]].add(splits[p.key])
    return [patient for patient, names in found.items() if len(names) > 1]


def test_recipe_1_continues_with_the_options_of_its_first_version(ctx):
    first, second = patients(0, 20), patients(100, 20)
    handmade.add(ctx, "scans", first)
    handmade.released(ctx, "scans", split=HALVES, group_by="patient")
    before = handmade.splits(ctx, "scans")
    handmade.add(ctx, "scans", second)
    ctx.storage.put("datasets/scans.yaml", b"splits:\n  fractions: {a: 0.5, b: 0.5}\n  seed: 9\n")
    report = handmade.released(ctx, "scans")
    splits = handmade.splits(ctx, "scans")
    assert report.version == "scans@v2"
    assert report.warnings == {"split.settings_differ": 1}
    assert "splits.fractions, splits.seed in datasets/scans.yaml" in report.notices[0]
    assert {key: splits[key] for key in before} == before
    assert set(splits.values()) == {"left", "right"}
    assert several_splits(splits, [*first, *second]) == []
    specs = {handmade.version(ctx, "scans", number)["recipe_spec"] for number in (1, 2)}
    assert len(specs) == 1


def test_options_that_differ_are_refused_and_move_nothing(ctx):
    pictures = patients(0, 12)
    handmade.add(ctx, "fixed", pictures)
    handmade.released(ctx, "fixed")
    splits = handmade.splits(ctx, "fixed")
    handmade.add(ctx, "fixed", patients(100, 2))
    for options, command in (
        ({"group_by": "patient"}, "--split train=0.8,val=0.1,test=0.1 --group-by patient"),
        ({"split": {"a": 0.25, "b": 0.75}}, "--split a=0.25,b=0.75"),
        ({"stratify": True, "group_by": "it's"}, """--group-by 'it'"'"'s' --stratify"""),
    ):
        with pytest.raises(UsageError, match="continues recipe 1") as error:
            handmade.released(ctx, "fixed", **options)
        assert f"imagelake publish fixed@v1 {command}" in str(error.value.hint) or command in str(error.value.hint)
    assert handmade.splits(ctx, "fixed") == splits
    report = handmade.released(ctx, "fixed", split=SHARES)
    assert (report.version, report.warnings, report.notices) == ("fixed@v2", {}, ())
    again = handmade.released(ctx, "fixed", split=SHARES)
    assert (again.status, again.version) == ("unchanged", "fixed@v2")
    assert "imagelake publish fixed@v2 --split …" in again.notices[0]
    assert {key: handmade.splits(ctx, "fixed")[key] for key in splits} == splits


def test_a_misspelt_attribute_is_refused_and_a_lacking_or_chained_one_is_said(ctx):
    pictures = [
        Picture(f"{n:02}.png", "blank" if n % 12 == 0 else None, attributes={"video": f"v{n // 2:02}"})
        for n in range(24)
    ]
    blanks = [Picture(f"b{n:02}.png", "blank", attributes={"video": f"v{n:02}"}) for n in range(12)]
    handmade.add(ctx, "videos", [*pictures, *blanks, Picture("lone.png")])
    with pytest.raises(UsageError, match="--group-by vidoe") as error:
        handmade.released(ctx, "videos", group_by="vidoe")
    assert error.value.hint == "attributes of the images: video"
    report = handmade.released(ctx, "videos", group_by="video")
    assert report.warnings == {"split.groups_joined": 12, "split.group_missing": 1}
    assert report.notices == (
        "12 groups share byte-identical images, so that they lie in one split: "
        f"{', '.join(f'v{n:02}' for n in range(10))} and 2 more",
    )


@pytest.mark.nightly
def test_contradicted_splits_of_published_and_of_new_images_are_counted_together(ctx, tmp_path):
    """a.jpg is published in train already, and its copy b.jpg, which is new, has to follow it."""
    same = helpers.picture(1)
    pipeline.run_upload(ctx, IngestRequest("both", str(helpers.write_zip(tmp_path / "1.zip", {"train/a.jpg": same}))))
    second = helpers.write_zip(tmp_path / "2.zip", {"val/a.jpg": same, "val/b.jpg": same, "c.jpg": helpers.picture(2)})
    report = pipeline.run_upload(helpers.again(ctx), IngestRequest("both", str(second)))
    assert handmade.splits(ctx, "both")["b.jpg"] == "train"
    assert report.warnings["split.contradicts"] == 2


def test_an_image_with_new_bytes_leaves_its_group_to_whoever_has_the_old_ones(ctx, tmp_path):
    x, y = helpers.picture(1), helpers.picture(2)
    first = helpers.write_zip(tmp_path / "1.zip", {"train/a.jpg": x, "train/c.jpg": helpers.picture(3)})
    pipeline.run_upload(helpers.again(ctx), IngestRequest("swapped", str(first)))
    second = helpers.write_zip(tmp_path / "2.zip", {"train/a.jpg": y, "val/b.jpg": x})
    pipeline.run_upload(helpers.again(ctx), IngestRequest("swapped", str(second), mode="update"))
    assert handmade.splits(ctx, "swapped") == {"a.jpg": "train", "b.jpg": "val", "c.jpg": "train"}
    lake = imagelake.open(ctx.settings.lake)
    assert lake.verify("swapped@v2").problems == ()
    assert lake.diff("swapped@v1", "swapped@v2").splits == {
        "val": {"added": 1, "removed": 0, "moved_in": 0, "moved_out": 0}
    }
