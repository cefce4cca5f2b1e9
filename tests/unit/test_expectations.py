"""The gate's suites in Great Expectations: they judge as the gate does, and their project opens in the library."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from imagelake.config.dataset_settings import GateSettings, RuleThreshold
from imagelake.errors import ConfigError
from imagelake.quality.expectations.project import KEPT, docs_path, in_project, project_path
from imagelake.quality.expectations.validate import check_measures
from imagelake.quality.gate import SuiteResult, Verdict, judge
from imagelake.quality.measures import Measures
from imagelake.quality.suites.own import MEASURES, own_suites
from imagelake.quality.thresholds import Threshold
from imagelake.storage.local import LocalStorage

GOOD = Measures(images=10, annotations=20, annotated=10, classes={"cat": 20})
BAD = Measures(images=10, annotated=3, rejected=12, rejected_annotations=12, rules={"image.small": 4})
GATE = GateSettings(max_unannotated_images_share=0.2, rules={"image.small": RuleThreshold(max_count=3)})


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    (tmp_path / "lake").mkdir()
    return LocalStorage(tmp_path / "lake")


def check(storage: LocalStorage, verdict: Verdict, dataset: str = "pets") -> tuple[SuiteResult, ...]:
    return noticed(storage, verdict, dataset)[0]


def noticed(
    storage: LocalStorage, verdict: Verdict, dataset: str = "pets"
) -> tuple[tuple[SuiteResult, ...], tuple[str, ...]]:
    suites = own_suites(storage, dataset).of(MEASURES)
    return in_project(storage, dataset, lambda project: check_measures(project, dataset, verdict, suites))


def own(storage: LocalStorage, kind: str, **arguments: object) -> None:
    suite = {"expectations": [{"type": kind, "kwargs": arguments}]}
    storage.put("datasets/pets.gx/measures.mine.json", json.dumps(suite).encode())


def test_the_suite_judges_as_the_gate_does(storage: LocalStorage) -> None:
    for measures in (GOOD, BAD):
        verdict = judge(measures, GATE)
        (result,) = check(storage, verdict)
        assert result.suite == "measures.pets"
        assert result.problems == verdict.problems
        ratios = [t for t in verdict.thresholds if isinstance(t.value, float)]
        assert result.expectations == 1 + len(verdict.thresholds) + len(ratios)


def test_a_measure_that_is_no_number_is_a_breach_of_the_suite_too(storage: LocalStorage) -> None:
    odd = Threshold("rejected_share", float("nan"), "max_rejected_share", "too many", most=0.5)
    (result,) = check(storage, Verdict(GOOD, (odd,)))
    assert result.problems == ("rejected_share is not a number, gate.max_rejected_share cannot be judged",)


@pytest.mark.parametrize(
    ("kind", "arguments", "problem"),
    [
        (
            "expect_column_values_to_be_between",
            {"column": "images", "min_value": 100},
            "suite measures.mine.pets: expect_column_values_to_be_between on images does not hold, "
            "1 row, for example 10; mend the data, or the suite in datasets/pets.gx/measures.mine.json",
        ),
        (
            "expect_column_values_to_be_between",
            {"column": "dogs", "min_value": 1},
            "suite measures.mine.pets: expect_column_values_to_be_between on dogs could not be judged: "
            'Error: The column "dogs" in BatchData does not exist.; mend the data, or the suite in '
            "datasets/pets.gx/measures.mine.json",
        ),
    ],
)
def test_a_suite_of_the_datasets_own_shuts_the_gate_also_when_it_raises(
    storage: LocalStorage, kind: str, arguments: Mapping[str, object], problem: str
) -> None:
    own(storage, kind, **arguments)
    ours, theirs = check(storage, judge(GOOD, GATE))
    assert (ours.problems, theirs.problems) == ((), (problem,))


def test_what_a_datasets_own_suite_asks_may_hold(storage: LocalStorage) -> None:
    own(storage, "expect_column_values_to_be_between", column="unannotated_images", max_value=0)
    _, theirs = check(storage, judge(GOOD, GATE))
    assert (theirs.suite, theirs.expectations, theirs.problems) == ("measures.mine.pets", 1, ())


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"expectations": [{"type": "expect_nothing"}]}'])
def test_a_file_that_is_no_suite_is_named(storage: LocalStorage, data: bytes) -> None:
    storage.put("datasets/pets.gx/measures.mine.json", data)
    with pytest.raises(ConfigError, match=r"datasets/pets.gx/measures.mine.json is no suite of Great Expectations"):
        check(storage, judge(GOOD, GATE))


def test_the_project_opens_in_the_library_and_shows_every_result(storage: LocalStorage, tmp_path: Path) -> None:
    for measures in (GOOD, BAD):
        check(storage, judge(measures, GATE))
    import great_expectations  # not before `load`, see there

    root = tmp_path / "lake" / project_path("pets")
    context = great_expectations.get_context(mode="file", project_root_dir=str(root))
    assert [suite.name for suite in context.suites.all()] == ["measures.pets"]
    assert [definition.name for definition in context.validation_definitions.all()] == ["measures.pets"]
    assert [checkpoint.name for checkpoint in context.checkpoints.all()] == ["measures.pets"]
    pages = tmp_path / "lake" / docs_path("pets")
    first = pages.read_text("utf-8")
    assert first.count("validations/measures/pets") == 2
    assert (first.count(">passed<"), first.count(">refused<")) == (1, 1)
    links = re.findall(r'href="([^"]*)"', first)
    assert links
    assert [link for link in links if not (pages.parent / link).is_file()] == []
    for page in pages.parent.rglob("*.html"):
        head = page.read_text("utf-8").partition("<head>")[2]
        assert head.index("default-src 'none'") < min(
            head.find(tag) % len(head) for tag in ("<link", "<script", "<title")
        )


def test_old_results_go_with_their_pages(storage: LocalStorage, tmp_path: Path) -> None:
    check(storage, judge(GOOD, GATE))
    root = tmp_path / "lake" / project_path("pets") / "gx" / "uncommitted"
    (newest,) = root.glob("validations/measures/pets/*/*/*.json")
    for number in range(KEPT + 5):
        for folder, suffix in (("validations", ".json"), ("data_docs/local_site/validations", ".html")):
            copy = root / folder / "measures/pets/__none__" / f"20200101T00{number:02}00.000000Z" / newest.name
            copy = copy.with_suffix(suffix)
            copy.parent.mkdir(parents=True)
            copy.write_bytes(newest.read_bytes())
    check(storage, judge(BAD, GATE))
    assert len(list(root.glob("validations/measures/pets/*/*/*.json"))) == KEPT
    assert newest.exists()


@pytest.mark.parametrize(
    "damaged",
    [
        "gx/great_expectations.yml",
        "gx/expectations/measures/pets.json",
        "gx/validation_definitions/measures.pets.json",
        "gx/checkpoints/measures.pets.json",
    ],
)
def test_a_damaged_project_is_made_anew_and_that_is_said(storage: LocalStorage, tmp_path: Path, damaged: str) -> None:
    check(storage, judge(GOOD, GATE))
    file = tmp_path / "lake" / project_path("pets") / damaged
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    (result,), notices = noticed(storage, judge(BAD, GATE))
    assert result.problems == judge(BAD, GATE).problems
    (notice,) = notices
    assert notice.startswith("reports/gx/pets was damaged (")
    assert notice.endswith(") and is made anew, without older results")
    assert len(file.read_bytes()) > len(whole) // 2


def test_a_damaged_result_is_left_alone(storage: LocalStorage, tmp_path: Path) -> None:
    check(storage, judge(GOOD, GATE))
    root = tmp_path / "lake" / project_path("pets")
    (result,) = root.glob("gx/uncommitted/validations/measures/pets/*/*/*.json")
    result.write_bytes(result.read_bytes()[:100])
    assert noticed(storage, judge(BAD, GATE))[1] == ()
    assert len(list(root.glob("gx/uncommitted/validations/measures/pets/*/*/*.json"))) == 2


def test_what_cannot_be_judged_in_an_empty_project_either_is_an_error(storage: LocalStorage) -> None:
    def fail(_: Path) -> None:
        raise OSError("no space left")

    for _ in range(2):
        with pytest.raises(OSError, match="no space left"):
            in_project(storage, "pets", fail)
        check(storage, judge(GOOD, GATE))


def test_markup_in_class_names_is_inert_in_data_docs(storage: LocalStorage, tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>"
    own(storage, "expect_column_values_to_be_in_set", column="images", value_set=[hostile])
    measures = Measures(images=10, classes={hostile: 1}, parent_classes={})
    check(storage, judge(measures, GateSettings(max_new_classes=0)))
    pages = list((tmp_path / "lake" / project_path("pets")).rglob("*.html"))
    assert len(pages) >= 4
    assert [page for page in pages if hostile in page.read_text("utf-8")] == []
