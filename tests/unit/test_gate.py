"""The gate: which numbers refuse a draft, what it says, and what is stored."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from imagelake.config.dataset_settings import DatasetSettings, GateSettings, RuleThreshold
from imagelake.errors import ConfigError
from imagelake.quality.dataset_checks import dataset_thresholds
from imagelake.quality.gate import SuiteResult, Verdict, judge
from imagelake.quality.measures import Measures, UploadRows
from imagelake.quality.statistics import LabelCount, Statistics
from imagelake.quality.thresholds import Threshold

DEFAULT = GateSettings()


def problems(measures: Measures, gate: GateSettings = DEFAULT) -> tuple[str, ...]:
    return judge(measures, gate).problems


def test_a_clean_draft_passes_and_an_empty_one_does_not() -> None:
    assert problems(Measures(images=1)) == ()
    assert problems(Measures()) == ("0 images accepted, gate.min_images asks for 1",)
    assert problems(Measures(), GateSettings(min_images=0)) == ()


def test_six_of_six_bad_boxes_on_accepted_images_are_refused_by_default() -> None:
    upload = UploadRows("ab" * 32, "file:///uploads/week 3.zip", read=6, rejected=6)
    assert problems(Measures(images=6, rejected=6, rejected_annotations=6, uploads=(upload,))) == (
        "6 of 6 annotations rejected (100.0%), gate.max_rejected_annotations_share allows 50.0%",
        "upload abababab (file:///uploads/week 3.zip): 6 of 6 annotations rejected (100.0%), "
        "gate.max_rejected_upload_share allows 50.0%",
    )


@pytest.mark.parametrize(
    ("measures", "setting"),
    [
        (Measures(images=4, rejected=5), "max_rejected_share"),
        (Measures(images=4, annotations=40, rejected=5, rejected_images=5), "max_rejected_images_share"),
        (Measures(images=40, annotations=4, rejected=5, rejected_annotations=5), "max_rejected_annotations_share"),
        (Measures(images=40, uploads=(UploadRows("u", "s", 9, 5),)), "max_rejected_upload_share"),
    ],
)
def test_each_share_has_its_threshold(measures: Measures, setting: str) -> None:
    (problem,) = problems(measures)
    assert f"gate.{setting} allows 50.0%" in problem
    assert "5 of 9 " in problem
    assert problems(measures, GateSettings(**{setting: 0.6})) == ()
    assert problems(measures, GateSettings(**{setting: 5 / 9})) == ()


def test_rows_that_wait_count_for_the_whole_alone() -> None:
    assert problems(Measures(images=10, annotations=10, rejected=19)) == ()
    assert len(problems(Measures(images=10, annotations=10, rejected=21))) == 1


def test_of_many_bad_uploads_ten_are_named() -> None:
    uploads = tuple(UploadRows(f"{n:064}", f"s{n}", 1, 1) for n in range(12))
    found = problems(Measures(images=1, uploads=(*uploads, UploadRows("good", "s", 5, 0))))
    assert len(found) == 11
    assert found[-1] == "2 more uploads above gate.max_rejected_upload_share"


def test_the_stored_verdict_has_every_number() -> None:
    uploads = (UploadRows("a", "s", 4, 1), UploadRows("b", "t", 0, 0))
    measures = Measures(6, 3, 4, 2, 1, uploads, 2, {"image.small": 1}, {"cat": 3, "dog": 0}, {"cat": 1, "cow": 2})
    stored = judge(measures, DEFAULT).as_json()
    assert stored == {
        "images": 6,
        "annotations": 3,
        "rejected": 4,
        "rejected_share": 4 / 13,
        "rejected_images": 2,
        "rejected_images_share": 0.25,
        "rejected_annotations": 1,
        "rejected_annotations_share": 0.25,
        "rejected_upload_share": 0.25,
        "uploads": [
            {"upload_id": "a", "source": "s", "read": 4, "rejected": 1, "rejected_share": 0.25},
            {"upload_id": "b", "source": "t", "read": 0, "rejected": 0, "rejected_share": 0.0},
        ],
        "unannotated_images": 4,
        "unannotated_images_share": 4 / 6,
        "classes": 1,
        "new_classes": 0,
        "vanished_classes": 1,
        "class_imbalance": 1.0,
        "drift": pytest.approx(2 / 3),
        "split_shift": 0.0,
        "size_outliers": 0,
        "crowded_images": 0,
        "odd_sizes": 0,
        "class_names": {"new": [], "vanished": ["cow"]},
        "rules": {"image.small": 1},
        "suites": [],
        "problems": [],
        "remarks": {"warn": {}, "info": {}},
        "passed": True,
        "forced": False,
    }


def test_images_without_annotations_have_a_threshold() -> None:
    measures = Measures(images=10, annotated=7)
    assert problems(measures) == ()
    assert problems(measures, GateSettings(max_unannotated_images_share=0.25)) == (
        "3 of 10 images without annotations (30.0%), gate.max_unannotated_images_share allows 25.0%",
    )
    assert problems(measures, GateSettings(max_unannotated_images_share=0.3)) == ()


def test_new_and_vanished_classes_have_thresholds_from_the_second_version_on() -> None:
    gate = GateSettings(max_new_classes=0, max_vanished_classes=0)
    changed = Measures(images=1, classes={"cat": 1, "dog": 2, "cow": 0}, parent_classes={"cat": 5, "cow": 1, "emu": 0})
    assert problems(changed) == ()
    assert problems(changed, gate) == (
        "1 new classes (dog), gate.max_new_classes allows 0",
        "1 vanished classes (cow), gate.max_vanished_classes allows 0",
    )
    assert problems(Measures(images=1, classes={"cat": 1}), gate) == ()


def test_any_rule_may_have_thresholds() -> None:
    measures = Measures(images=10, annotations=89, rejected=1, rules={"annotation.box_clipped": 5})
    assert problems(measures, GateSettings(rules={"annotation.box_clipped": RuleThreshold(max_count=5)})) == ()
    assert problems(measures, GateSettings(rules={"annotation.box_clipped": RuleThreshold(max_count=4)})) == (
        "5 rows break annotation.box_clipped, gate.rules allows 4",
    )
    assert problems(measures, GateSettings(rules={"annotation.box_clipped": RuleThreshold(max_share=0.04)})) == (
        "5 of 100 rows break annotation.box_clipped (5.0%), gate.rules allows 4.0%",
    )
    assert problems(measures, GateSettings(rules={"image.small": RuleThreshold(max_count=0)})) == ()
    with pytest.raises(ConfigError) as caught:
        problems(measures, GateSettings(rules={"annotation.box_cliped": RuleThreshold(max_count=0)}))
    assert "unknown rule annotation.box_cliped" in str(caught.value)
    assert caught.value.hint == "did you mean annotation.box_clipped?"


def test_a_measure_that_is_no_number_shuts_the_gate() -> None:
    threshold = Threshold("rejected_share", float("nan"), "max_rejected_share", "too many", most=0.5)
    verdict = Verdict(Measures(images=1), (threshold,))
    assert verdict.problems == ("rejected_share is not a number, gate.max_rejected_share cannot be judged",)


def test_what_other_suites_say_shuts_the_gate_as_well() -> None:
    suite = SuiteResult("measures.mine.pets", 3, ("suite measures.mine.pets: images does not hold",))
    verdict = Verdict(Measures(images=1), (), (suite,))
    assert (verdict.passed, verdict.word) == (False, "refused")
    assert replace(verdict, forced=True).word == "forced"
    assert verdict.as_json()["problems"] == ["suite measures.mine.pets: images does not hold"]
    assert verdict.as_json()["suites"] == [
        {"suite": "measures.mine.pets", "expectations": 3, "problems": list(suite.problems)}
    ]


STATISTICS = Statistics(
    classes={"cat": LabelCount(8, 120), "dog": LabelCount(3, 2), "fish": LabelCount(), "pets": LabelCount()},
    trained=frozenset(("cat", "dog", "fish")),
    splits={"train": LabelCount(6, 80), "val": LabelCount(4, 42)},
    split_classes={"cat": {"train": 78, "val": 42}, "dog": {"train": 2}},
    shares={"train": 0.8, "val": 0.1, "test": 0.1},
    size_outliers=3,
    near_duplicates_across=2,
)
DRAFT = Measures(10, 122, classes={"cat": 120, "dog": 2}, parent_classes={"cat": 10, "cow": 10}, statistics=STATISTICS)


def remarks(**settings: Any) -> dict[str, str]:
    """The sentence of each rule on the draft that is broken."""
    made = dataset_thresholds(DRAFT, DatasetSettings.model_validate(settings))
    return {str(t.rule): t.breach for t in made if not t.holds}


def test_statistics_of_a_draft_break_rules_of_their_own() -> None:
    assert remarks() == {
        "dataset.class_imbalance": "the largest class has 60.0 times the annotations of the smallest; 50 are usual",
        "dataset.class_scarce": "classes with fewer than 1 annotations: fish",
        "dataset.classes_changed": "classes: dog is new, cow is gone",
        "dataset.split_coverage": "classes that a split lacks: dog in val",
        "dataset.split_shift": "the share of a split is 30.0% off that of its recipe; 10.0% are usual",
        "dataset.drift": "50.0% of the annotations have moved between classes since the parent; 20.0% are usual",
        "dataset.size_outliers": "3 boxes with a side far from the mean of their class",
        "dataset.near_duplicates_across": "2 images that look like one in another split",
    }


def test_their_limits_are_settings() -> None:
    generous = {"max_class_imbalance": 60, "min_class_annotations": 0, "max_split_shift": 0.5, "max_drift": 1}
    generous |= {"max_size_outliers": 3, "max_near_duplicates": 2}
    assert remarks(statistics=generous).keys() == {"dataset.classes_changed", "dataset.split_coverage"}


def test_their_severity_decides_what_comes_of_them() -> None:
    chosen = {"dataset.class_imbalance": "reject", "dataset.class_scarce": "off", "dataset.drift": "warn"}
    settings = DatasetSettings.model_validate({"severities": chosen})
    verdict = judge(DRAFT, settings.gate, dataset_thresholds(DRAFT, settings))
    assert verdict.problems == ("the largest class has 60.0 times the annotations of the smallest; 50 are usual",)
    assert verdict.remarks("warn") == {
        "dataset.classes_changed": 2,
        "dataset.split_coverage": 1,
        "dataset.near_duplicates_across": 2,
        "dataset.drift": 1,
    }
    assert verdict.remarks("info") == {"dataset.split_shift": 1, "dataset.size_outliers": 3}
    assert len(verdict.warned) == 4
    assert judge(DRAFT, settings.gate).passed


def test_an_empty_draft_has_statistics_that_break_nothing() -> None:
    made = dataset_thresholds(Measures(), DatasetSettings())
    assert [t.rule for t in made if not t.holds] == []
