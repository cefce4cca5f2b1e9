"""Great Expectations: the gate's thresholds as suites, run and shown in Data Docs. The only module that imports it.

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
from imagelake.quality.thresholds import Threshold

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite
    from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
    from great_expectations.data_context import FileDataContext

MEASURES = "measures"
"""What the suite of a gate judges: one row of a draft's measures."""

_QUIET = {"GX_ANALYTICS_ENABLED": "false"}
_SAID = "said"


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


def check_measures(project: Path, dataset: str, verdict: Verdict, own: Mapping[str, bytes]) -> tuple[SuiteResult, ...]:
    """Judge a draft's measures by the suite of its thresholds and by a dataset's own suites; results go to Data Docs.

    project: the folder of the dataset's project, made when it is empty; own: suites as JSON by file name. An exception
    inside a result is a breach. ConfigError for a file that is no suite.
    """
    load()
    context = _context(project)
    suites = [_suite_of(dataset, verdict.thresholds), *(_own_suite(name, data, dataset) for name, data in own.items())]
    return tuple(_run(context, suite, verdict.numbers) for suite in suites)


def _context(project: Path) -> FileDataContext:
    import great_expectations
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = great_expectations.get_context(mode="file", project_root_dir=str(project))
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    context.variables.save()
    return context


def _suite_of(dataset: str, thresholds: Sequence[Threshold]) -> ExpectationSuite:
    """A suite with an expectation for each threshold, and that there is one row."""
    from great_expectations import ExpectationSuite
    from great_expectations.expectations.core import (
        ExpectColumnValuesToBeBetween,
        ExpectColumnValuesToNotBeNull,
        ExpectTableRowCountToEqual,
    )

    suite = ExpectationSuite(name=f"{MEASURES}.{dataset}")
    suite.add_expectation(ExpectTableRowCountToEqual(value=1))
    for t in thresholds:
        meta = {"setting": f"gate.{t.setting}", _SAID: t.breach}
        suite.add_expectation(ExpectColumnValuesToNotBeNull(column=t.measure, meta=meta))
        between = ExpectColumnValuesToBeBetween(column=t.measure, min_value=t.least, max_value=t.most, meta=meta)
        suite.add_expectation(between)
    return suite


def _own_suite(file: str, data: bytes, dataset: str) -> ExpectationSuite:
    from great_expectations import ExpectationSuite

    try:
        document = json.loads(data)
        suite = ExpectationSuite(
            name=f"{Path(file).stem}.{dataset}",
            expectations=document["expectations"],
            meta=document.get("meta"),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        raise ConfigError(
            f"datasets/{dataset}.gx/{file} is no suite of Great Expectations: {problem}",
            hint="write it with ExpectationSuite.to_json_dict, or remove the file",
        ) from None
    return suite


def _run(context: FileDataContext, suite: ExpectationSuite, row: Mapping[str, float]) -> SuiteResult:
    """Run a suite on the one row of measures, under a checkpoint of its name."""
    import pyarrow
    from great_expectations import Checkpoint, ValidationDefinition
    from great_expectations.checkpoint.actions import UpdateDataDocsAction

    name = suite.name
    asset = context.data_sources.add_or_update_pandas(name).add_dataframe_asset(name)
    whole = asset.add_batch_definition_whole_dataframe("whole")
    saved = context.suites.add_or_update(suite)
    definition = context.validation_definitions.add_or_update(ValidationDefinition(name=name, data=whole, suite=saved))
    checkpoint = context.checkpoints.add_or_update(
        Checkpoint(
            name=name,
            validation_definitions=[definition],
            actions=[UpdateDataDocsAction(name="data docs")],
            result_format={"result_format": "SUMMARY"},
        )
    )
    outcome = checkpoint.run(batch_parameters={"dataframe": pyarrow.Table.from_pylist([dict(row)]).to_pandas()})
    results: list[ExpectationSuiteValidationResult] = list(outcome.run_results.values())
    problems = tuple(p for result in results for one in result.results for p in _problems(name, one))
    return SuiteResult(name, sum(len(result.results) for result in results), tuple(dict.fromkeys(problems)))


def _problems(suite: str, result: ExpectationValidationResult) -> Iterator[str]:
    """What one expectation found, in words: what it was said to mean, else what it asks for; an exception as well."""
    if result.success:
        return
    config = result.expectation_config
    said = (config.meta or {}).get(_SAID) if config is not None else None
    kind = config.type if config is not None else "an expectation"
    column = config.kwargs.get("column") if config is not None else None
    raised = _exception(result.exception_info)
    if raised:
        yield f"suite {suite}: {kind} on {column or 'the table'} could not be judged: {raised}"
    elif said:
        yield str(said)
    else:
        yield f"suite {suite}: {kind} on {column or 'the table'} does not hold"


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
