"""The gate: which numbers refuse a draft, what it says, and what is stored."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imagelake.dataset_settings import GateSettings, RuleThreshold
from imagelake.errors import ConfigError
from imagelake.quality.gate import SuiteResult, Verdict, judge
from imagelake.quality.measures import Measures, UploadRows
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
        "class_names": {"new": [], "vanished": ["cow"]},
        "rules": {"image.small": 1},
        "suites": [],
        "problems": [],
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
