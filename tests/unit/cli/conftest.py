from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from inspect import signature
from types import SimpleNamespace
from typing import Any

import pytest

from imagelake.cli.main import main
from imagelake.runs.context import Counts, RunReport


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Outcome]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs a command line through the console entry."""
    monkeypatch.delenv("IMAGELAKE_LAKE", raising=False)
    monkeypatch.delenv("IMAGELAKE_CONF", raising=False)

    def run(*argv: str) -> Outcome:
        code = main(argv)
        said = capsys.readouterr()
        return Outcome(code, said.out, said.err)

    return run


REPORT = RunReport(
    dataset="pets",
    status="accepted",
    upload_id="ab" * 32,
    format="coco",
    mode="append",
    files=Counts(read=12, accepted=10, rejected=1, ignored=1),
    images=Counts(read=10, accepted=9, rejected=1),
    annotations=Counts(read=31, accepted=30, rejected=1),
    rejections=2,
    version="pets@v1",
    published=True,
    seconds=3.25,
    warnings={"image.duplicate_bytes": 2},
)

ROW = {
    "upload_id": "ab" * 32,
    "path": "train.json",
    "locator": "annotations[7]",
    "rule": "annotation.box_degenerate",
    "severity": "quarantine",
    "message": "h = 0.0, must be above 0",
    "raw": "{}",
}
FIRST = {
    "columns": ["rule", "path", "locator", "message", "n", "place"],
    "rows": [
        ["annotation.box_degenerate", "train.json", "annotations[7]", "h = 0.0, must be above 0", 1, 1],
        ["image.truncated", "train/a.jpg", None, "ends in the middle", 1, 1],
    ],
}
VERSIONS = {
    "dataset": "pets",
    "versions": [
        {"version": "pets@v1", "number": 1, "recipe": 1, "state": "published"},
        {"version": "pets@v1.2", "number": 1, "recipe": 2, "state": "published"},
        {"version": "pets@v2", "number": 2, "recipe": 1, "state": "retired"},
    ],
    "latest": "pets@v1",
}
BY_RULE = {"rule": ROW["rule"], "count": 3, "files": 1, "doc": "a box side is zero or negative"}
REJECTED = {"count": 3, "rules": [BY_RULE], "rejections": [ROW] * 3, "problems": []}
ANSWERS: dict[str, Any] = {"rejections": REJECTED, "first": FIRST, "show": VERSIONS}


@dataclass
class Engine:
    """Stands for Spark: remembers the runs that were opened and what was asked of them, and answers with `report`."""

    report: RunReport = REPORT
    batch: tuple[RunReport, ...] = (REPORT,)
    error: BaseException | None = None
    runs: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    reports: list[RunReport] = field(default_factory=list)

    def run_verb(
        self, settings: Any, verb: str, dataset: str | None, work: Any, *, create: bool, progress: Any
    ) -> tuple[RunReport, ...]:
        self.runs.append({"lake": settings.lake, "verb": verb, "dataset": dataset, "create": create})
        progress("starting")
        storage = SimpleNamespace(root=settings.lake)
        ctx = SimpleNamespace(progress=progress, storage=storage, settings=settings, reports=[])
        done = tuple(work(ctx))
        self.reports += done
        return done

    def stand_in(self, monkeypatch: pytest.MonkeyPatch, name: str, answer: str) -> None:
        """Let `answer` stand for a function of imagelake; a call that the function would not take is a TypeError."""
        module, _, function = f"imagelake.{name}".rpartition(".")
        accepted = signature(getattr(import_module(module), function))

        def stage(*args: Any, **named: Any) -> Any:
            call = accepted.bind(*args, **named)
            call.apply_defaults()
            self.asked.append(tuple(call.arguments.values())[1:])
            if self.error is not None:
                raise self.error
            return getattr(self, answer)

        monkeypatch.setattr(f"{module}.{function}", stage)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, client: Client) -> Engine:
    fake = Engine()
    monkeypatch.setattr("imagelake.runs.open_run.run_verb", fake.run_verb)
    for name in ("land_upload", "run_upload", "publish_draft", "remove_images"):
        fake.stand_in(monkeypatch, f"runs.pipeline.{name}", "report")
    for name in ("runs.pipeline.build_dataset", "runs.landing.run_landing"):
        fake.stand_in(monkeypatch, name, "batch")
    return fake


class Answer(dict[str, Any]):
    def as_json(self) -> dict[str, Any]:
        return dict(self)


@dataclass
class Client:
    """Stands for a lake as the client opens it: `answers` by method name, `asked` what was asked."""

    answers: dict[str, Any] = field(
        default_factory=lambda: {"rejections": dict(REJECTED), "first": FIRST, "show": VERSIONS}
    )
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    error: BaseException | None = None

    def open(self, uri: str, *_: Any, **__: Any) -> Client:
        self.asked.append(("open", uri))
        if self.error is not None:
            raise self.error
        return self

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.asked.append(("close",))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)

        def ask(*args: Any, **named: Any) -> Answer:
            self.asked.append((name, *args, named) if named else (name, *args))
            first = name == "sql" and "from rejections" in args[0]
            return Answer(self.answers["first" if first else name])

        return ask


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    fake = Client()
    monkeypatch.setattr("imagelake.client.lake.open", fake.open)
    return fake
