"""Great Expectations: suites run on a draft's measures and on its tables, and shown in Data Docs. The only importer.

A project is a folder that opens with the library's own context. Suites, validation definitions and checkpoints are
called after what they judge and the dataset: `measures.pets`, `silver.images.pets`. The library takes seconds to
import, so every function does it when it is called.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagelake.errors import ConfigError
from imagelake.quality.gate import SuiteResult, Verdict
from imagelake.quality.suites.expected import Expected, Suite
from imagelake.quality.suites.own import MEASURES
from imagelake.quality.thresholds import Threshold

if TYPE_CHECKING:
    from great_expectations import Checkpoint, ExpectationSuite
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.data_context import FileDataContext
    from pyspark.sql import DataFrame

_QUIET = {"GX_ANALYTICS_ENABLED": "false"}
_SAID, _MEANING, _ORIGIN = "said", "meaning", "origin"
_SHORT, _FULL = "BOOLEAN_ONLY", "SUMMARY"
_EXAMPLES, _LONGEST_EXAMPLE = 3, 160


_SEVERITIES = {"reject": "critical", "warn": "warning", "info": "info"}
"""The library's word for each of ours."""

_MILD = ("warning", "info")


def load() -> None:
    """Import the library, which takes seconds: beside other work, if there is any."""
    os.environ.update(_QUIET)  # read when it is imported
    main = sys.modules["__main__"]
    is_nameless = main.__spec__ is None and not hasattr(main, "__file__")
    if is_nameless:  # pyspark.sql.connect, which it imports, takes that for its doctests and ends the process
        main.__file__ = "imagelake"
    try:
        import great_expectations  # noqa: F401
    finally:
        if is_nameless:
            del main.__file__


def check_measures(project: Path, dataset: str, verdict: Verdict, own: Sequence[Suite]) -> tuple[SuiteResult, ...]:
    """Judge a draft's measures by the suite of its thresholds and by a dataset's own suites; results go to Data Docs.

    project: the folder of the dataset's project, made when it is empty. An exception inside a result is a breach.
    ConfigError for a file that is no suite.
    """
    import pyarrow

    load()
    context = _context(project)  # suites can only be made when there is one
    made = [(Suite(f"{MEASURES}.{dataset}"), _of_thresholds(dataset, verdict.thresholds))]
    made += [(suite, _own_suite(suite)) for suite in own]
    frame = pyarrow.Table.from_pylist([dict(verdict.numbers)]).to_pandas()
    results = []
    for suite, expectations in made:
        source = context.data_sources.add_or_update_pandas(suite.name)
        results.append(_result(suite, _checkpoint(context, expectations, source, _FULL), frame))
    return tuple(results)


def check_tables(project: Path, judged: Sequence[tuple[Suite, DataFrame]]) -> tuple[SuiteResult, ...]:
    """Judge frames by suites on Spark, each in as few jobs as the library allows; results go to Data Docs.

    A suite that does not hold runs a second time, for the values that break it: looking for them costs a job an
    expectation. Nothing is persisted. ConfigError for a file that is no suite.
    """
    load()
    context = _context(project)
    made = [(suite, _own_suite(suite) if suite.file else _suite(suite), frame) for suite, frame in judged]
    results = []
    for suite, expectations, frame in made:
        for detail in (_SHORT, _FULL):
            source = context.data_sources.add_or_update_spark(suite.name, persist=False)
            result = _result(suite, _checkpoint(context, expectations, source, detail), frame)
            if not result.problems:
                break
        results.append(result)
    return tuple(results)


def _context(project: Path) -> FileDataContext:
    import great_expectations
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = great_expectations.get_context(mode="file", project_root_dir=str(project))
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    context.variables.save()
    return context


def _of_thresholds(dataset: str, thresholds: Sequence[Threshold]) -> ExpectationSuite:
    """A suite with an expectation for each threshold, that a ratio is a number, and that there is one row."""
    from great_expectations import ExpectationSuite
    from great_expectations.expectations.core import (
        ExpectColumnValuesToBeBetween,
        ExpectColumnValuesToNotBeNull,
        ExpectTableRowCountToEqual,
    )

    expectations: list[Any] = [ExpectTableRowCountToEqual(value=1)]
    for t in thresholds:
        of_threshold: dict[str, Any] = {"column": t.measure, "severity": _SEVERITIES[t.severity]}
        of_threshold["meta"] = {"setting": t.path, _SAID: t.breach}
        if isinstance(t.value, float):  # a ratio may be no number, which passes every other expectation
            expectations.append(ExpectColumnValuesToNotBeNull(**of_threshold))
        expectations.append(ExpectColumnValuesToBeBetween(min_value=t.least, max_value=t.most, **of_threshold))
    return ExpectationSuite(name=f"{MEASURES}.{dataset}", expectations=expectations)


def _suite(suite: Suite) -> ExpectationSuite:
    from great_expectations import ExpectationSuite

    return ExpectationSuite(name=suite.name, expectations=[_configuration(one) for one in suite.expectations])


def _configuration(expected: Expected) -> dict[str, Any]:
    meta = {_MEANING: expected.meaning, _ORIGIN: expected.origin}
    return {"type": expected.type, "kwargs": dict(expected.arguments), "meta": meta}


def _own_suite(suite: Suite) -> ExpectationSuite:
    from great_expectations import ExpectationSuite

    try:
        document = json.loads(suite.document)
        expectations, meta = document["expectations"], document.get("meta")
        made = ExpectationSuite(name=suite.name, expectations=expectations, meta=meta)
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        raise ConfigError(
            f"{suite.file} is no suite of Great Expectations: {problem}",
            hint="write it with ExpectationSuite.to_json_dict, or remove the file",
        ) from None
    return made


def _checkpoint(context: FileDataContext, suite: ExpectationSuite, source: Any, detail: str) -> Checkpoint:
    """The checkpoint of a suite on whole frames, with its validation definition, under the suite's name."""
    from great_expectations import Checkpoint, ValidationDefinition
    from great_expectations.checkpoint.actions import UpdateDataDocsAction

    name = suite.name
    whole = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("whole")
    saved = context.suites.add_or_update(suite)
    definition = context.validation_definitions.add_or_update(ValidationDefinition(name=name, data=whole, suite=saved))
    made = Checkpoint(
        name=name,
        validation_definitions=[definition],
        actions=[UpdateDataDocsAction(name="data docs")],
        result_format={"result_format": detail},
    )
    return context.checkpoints.add_or_update(made)


def _result(suite: Suite, checkpoint: Checkpoint, frame: Any) -> SuiteResult:
    outcome = checkpoint.run(batch_parameters={"dataframe": frame})
    results = [one for result in outcome.run_results.values() for one in result.results]
    problems = (problem for one in results for problem in _problems(suite, one))
    return SuiteResult(suite.name, len(results), tuple(dict.fromkeys(problems)))


def _problems(suite: Suite, result: ExpectationValidationResult) -> Iterator[str]:
    """What one expectation found: suite, expectation, column, meaning, values, and what to do; an exception as well.

    Nothing for one whose severity is that of a warning or less, unless it could not be judged.
    """
    if result.success:
        return
    config = result.expectation_config
    meta: Mapping[str, Any] = (config.meta if config is not None else None) or {}
    kind = config.type if config is not None else "an expectation"
    column = config.kwargs.get("column") if config is not None else None
    subject = f"suite {suite.name}: {kind} on {column or 'the table'}"
    raised = _exception(result.exception_info)
    if raised:
        yield f"{subject} could not be judged: {raised}; {suite.remedy}"
    elif config is not None and config.severity in _MILD:
        return
    elif _SAID in meta:
        yield str(meta[_SAID])
    else:
        meaning = f": {meta[_MEANING]} ({meta[_ORIGIN]})" if _MEANING in meta else ""
        yield f"{subject} does not hold{meaning}{_values(result.result or {})}; {suite.remedy}"


def _values(result: Mapping[str, Any]) -> str:
    """The observed values of a result: a number, or a row count with some values."""
    count, observed = result.get("unexpected_count"), result.get("observed_value")
    if not count:
        return "" if observed is None or isinstance(observed, list | dict) else f", found {observed}"
    examples = list(dict.fromkeys(_shortened(value) for value in result.get("partial_unexpected_list") or ()))
    named = f", for example {' | '.join(examples[:_EXAMPLES])}" if examples else ""
    return f", {count:,} {'row' if count == 1 else 'rows'}{named}"


def _shortened(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST_EXAMPLE else f"{text[:_LONGEST_EXAMPLE]}…"


def _exception(info: Mapping[str, Any] | None) -> str:
    """The message of an exception inside a result: the library nests them by metric."""
    if not info:
        return ""
    if "raised_exception" in info:
        return (
            str(info.get("exception_message") or "an exception without a message") if info["raised_exception"] else ""
        )
    messages = (_exception(inner) for inner in info.values() if isinstance(inner, dict))
    return "; ".join(dict.fromkeys(filter(None, messages)))
