"""Drives the model and the product through one history, and compares them after every step."""

from __future__ import annotations

import itertools
import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.model.draft import WAITING
from tests.model.histories import Step
from tests.model.model import FIRST, GATE, NOT_FOUND, USAGE, Dataset, Delivered, Exit
from tests.model.product import Answer, Killed, Product
from tests.model.uploads import Document, Upload
from tests.model.versions import Content
from tests.model.zips import write

from imagelake.errors import ImagelakeError

REJECTED = 3
COMPARED_WARNINGS = ("file.mask", "split.contradicts", "image.labels_dropped")
_NUMBERS = itertools.count(1)


class Difference(AssertionError):
    """Model and product disagree after a step."""

    def __init__(self, step: int, parts: Sequence[str]) -> None:
        super().__init__(f"after step {step}:\n" + "\n".join(parts))
        self.step, self.parts = step, parts


@dataclass(frozen=True)
class Said:
    """What the model expects a verb to say: exit code, deliveries, version."""

    exit_code: int = 0
    deliveries: tuple[Delivered, ...] = ()
    version: str | None = None


class Machine:
    """A dataset in the model and in the lake; `kills` counts the steps that were killed and given again."""

    def __init__(self, spark: Any, lake: Path, folder: Path, *, views: bool = True) -> None:
        self.dataset = f"h{next(_NUMBERS)}-{os.urandom(3).hex()}"
        self.model = Dataset()
        self.product = Product(spark, lake, self.dataset)
        self.folder = folder / self.dataset
        self.views = views
        self.ids: dict[Any, str] = {}
        self.kills = 0

    def run(self, steps: Sequence[Step]) -> None:
        """All steps; Difference at the first disagreement."""
        try:
            for number, step in enumerate(steps):
                self._step(number, step)
        finally:
            self.product.clear()

    def _step(self, number: int, step: Step) -> None:
        verb: Callable[[Step], tuple[Callable[[Dataset], Said], Callable[[], Answer]]] = getattr(self, f"_{step.verb}")
        try:
            said, ask = verb(step)
        except _Nothing:
            return
        models = [_after(self.model, said)]
        self.product.kill_at, killed = step.kill_at, False
        try:
            answer = ask()
        except Killed:
            killed = True
            self.kills += 1
            if step.verb != "landing":  # what a night has built, the next one only moves away
                models.append(_after(models[0][0], said))
            answer = ask()
        self.product.kill_at = 0
        where = f" (killed at {self.product.boundary} and run again)" if killed else ""
        differences = []
        for model, expected in models:
            self.model = model
            parts = [] if killed else list(self._answers(expected, answer))
            parts += self._states()
            if not parts:
                return
            differences.append(parts)
        raise Difference(number, [f"{step.verb}{where}", *differences[0]])

    # what each verb means to the model, and how the product is asked

    def _run(self, step: Step) -> Any:
        (upload,) = step.uploads
        path = write(upload, self.folder / upload.source)
        upload = _placed(upload, path)
        return (lambda m: _run(m, upload)), lambda: self.product.run(path, upload.mode, upload.again)

    def _landing(self, step: Step) -> Any:
        folder = self.product.lake / "landing" / self.dataset
        named = []
        for number, upload in enumerate(step.uploads):
            path = write(upload, folder / upload.source)
            marker = folder / f"{path.name.removesuffix(path.suffix)}.ready"
            marker.write_text(json.dumps({"mode": upload.mode}))
            os.utime(marker, (1_700_000_000 + number,) * 2)
            named.append(_placed(upload, path))
        return (lambda m: _night(m, named)), self.product.landing

    def _publish(self, step: Step) -> Any:
        o = dict(step.options)
        shares = o.pop("split", None)
        split = {} if shares is None else {"split": dict(shares)}

        def said(m: Dataset) -> Said:
            m.fold_saves()
            return _version(lambda: m.publish(shares, **o))

        return said, lambda: self.product.publish(**o, **split)

    def _recipe(self, step: Step) -> Any:
        o = dict(step.options)
        pick, shares = o.pop("pick"), o.pop("split")
        numbers = sorted({v.number for v in self.model.versions})
        number = numbers[pick % len(numbers)] if numbers else _nothing()

        def said(m: Dataset) -> Said:
            return _version(lambda: m.add_recipe(number, shares, **o))

        return said, lambda: self.product.publish(ref_number=number, split=dict(shares), **o)

    def _remove(self, step: Step) -> Any:
        keys = sorted(self.model.draft.images)
        if not keys or self.model.saves:
            _nothing()
        chosen = sorted({keys[pick % len(keys)] for pick in step.options["picks"]})
        return (lambda m: _remove(m, chosen)), lambda: self.product.remove(chosen)

    def _build(self, step: Step) -> Any:
        states = ("built", "unchanged", "superseded")
        past = [d for d in self.model.deliveries if d.upload and d.state in states and d.upload.identity in self.ids]
        if not past:
            _nothing()
        upload = past[step.options["pick"] % len(past)].upload
        assert upload is not None
        newest = next(d.upload for d in reversed(past) if d.upload and d.upload.identity == upload.identity)
        again = replace(newest, again=False)
        upload_id = self.ids[upload.identity]

        def said(m: Dataset) -> Said:
            m.fold_saves()
            return Said(0, (m.deliver(again),))

        return said, lambda: self.product.build(upload_id)

    def _settings(self, step: Step) -> Any:
        settings = step.options["settings"]

        def said(m: Dataset) -> Said:
            m.settings = settings
            return Said()

        def ask() -> Answer:
            self.product.settings(settings)
            return Answer(0)

        return said, ask

    def _move(self, step: Step) -> Any:
        """Bytes lie elsewhere, and nothing else is different."""
        if not self.model.deliveries:
            _nothing()
        return (lambda m: Said()), lambda: self.product.move(step.options["storage"])

    def _save(self, step: Step) -> Any:
        keys = sorted(self.model.draft.images)
        if not keys:
            _nothing()
        o = step.options
        key = keys[o["pick"] % len(keys)]

        def said(m: Dataset) -> Said:
            m.save(key, o["kinds"], o["labels"])
            return Said()

        def ask() -> Answer:
            self.product.save(key, o["kinds"], o["labels"])
            return Answer(0)

        return said, ask

    # the comparison

    def _answers(self, said: Said, answer: Answer) -> Iterator[str]:
        if said.exit_code != answer.exit_code:
            yield f"exit code: model {said.exit_code}, product {answer.exit_code} {answer.problem}"
        if said.version is not None and answer.reports:
            yield from _unequal("version", f"{self.dataset}@{said.version}", answer.reports[-1].version)
        reports = answer.reports[-len(said.deliveries) :] if said.deliveries else ()
        for n, (delivered, report) in enumerate(zip(said.deliveries, reports, strict=False)):
            if delivered.upload is not None and report.upload_id:
                self.ids[delivered.upload.identity] = report.upload_id
            yield from _report(f"report {n}", delivered, report)
        if answer.exit_code == 0 and len(answer.reports) < len(said.deliveries):
            yield f"{len(answer.reports)} reports for {len(said.deliveries)} deliveries"

    def _states(self) -> Iterator[str]:
        states = self.product.states()
        aligned = [upload_id for upload_id, _ in states] if len(states) == len(self.model.deliveries) else []
        self._learn_ids(aligned)
        expected, actual = _draft_of(self.model), self.product.observe()
        for part in expected:
            yield from _unequal(part, expected[part], actual[part])
        versions = self.product.versions()
        yield from _unequal("versions", self._versions(aligned, versions["versions"]), versions["versions"])
        yield from _unequal("aliases", self.model.aliases, versions["aliases"])
        try:
            yield from self._checks(versions["versions"].keys())
        except ImagelakeError as error:
            yield f"a reading verb ends with exit {error.exit_code}: {error.message}"

    def _checks(self, there: Collection[str]) -> Iterator[str]:
        """verify, diff, and the view of the draft's splits; versions as far as the product has them."""
        if self.model.deliveries:
            found = self.product.verify("draft")
            yield from _unequal("verify draft", (True, []), (found["ok"], found["problems"]))
            if self.views:
                yield from _unequal("draft splits", self.model.draft_splits(), self.product.draft_splits())
        versions = [v for v in self.model.versions if f"v{v.number}.{v.recipe}" in there]
        if versions:
            last = versions[-1]
            found = self.product.verify(f"v{last.number}.{last.recipe}")
            yield from _unequal("verify", (True, last.digest), (found["ok"], found["digest"]))
        first = [v for v in versions if v.recipe == FIRST]
        if len(first) > 1:
            before, after = first[-2:]
            diff = self.product.diff(f"v{before.number}", f"v{after.number}")
            expected = _diff(before.content, after.content)
            counts = diff["annotations"]
            actual = {**diff["images"], "removed or changed": counts["removed"] + counts["changed"]}
            actual["added or changed"] = counts["added"] + counts["changed"]
            yield from _unequal("diff", expected, actual)

    def _learn_ids(self, ids: Sequence[str]) -> None:
        """The upload ids of deliveries whose report nobody saw."""
        for d, upload_id in zip(self.model.deliveries, ids, strict=False):
            if d.upload is not None and upload_id:
                self.ids.setdefault(d.upload.identity, upload_id)

    def _versions(self, ids: Sequence[str], actual: dict[str, Any]) -> dict[str, Any]:
        """The model's versions; their uploads only where every delivery has its row, so that numbers are ids."""
        return {
            (name := f"v{v.number}.{v.recipe}"): {
                "digest": v.digest,
                "uploads": sorted({ids[n - 1] for n in v.uploads}) if ids else actual.get(name, {}).get("uploads"),
                "splits": dict(v.splits),
            }
            for v in self.model.versions
        }


def _placed(upload: Upload, path: Path) -> Upload:
    """The upload as it lies there: a lone document goes by the name of its file."""
    files = ((path.name, upload.files[0][1]),) if path.suffix == ".json" else upload.files
    return replace(upload, source=str(path), files=files)


class _Nothing(Exception):
    """The step has nothing to work on."""


def _nothing() -> Any:
    raise _Nothing


def _after(model: Dataset, said: Callable[[Dataset], Said]) -> tuple[Dataset, Said]:
    after = model.copy()
    return after, said(after)


def _run(m: Dataset, upload: Upload) -> Said:
    m.fold_saves()
    delivered = m.deliver(upload)
    if delivered.state == "rejected":
        return Said(REJECTED, (delivered,))
    result = _publish(m, delivered)
    return replace(result, deliveries=(delivered,), version=None)


def _publish(m: Dataset, report: Delivered | None) -> Said:
    """A publish that says what it has to say in the report of an upload: new images that lie elsewhere than asked."""
    before, published = len(m.versions), m.splits_of()
    said = _version(m.publish)
    for version in m.versions[before:] if report is not None else ():
        new = {key: row.split for key, row in version.content.images.items() if key not in published}
        elsewhere = sum(asked not in (None, version.splits[key]) for key, asked in new.items())
        report.warnings["split.contradicts"] += elsewhere
    return said


def _night(m: Dataset, uploads: Sequence[Upload]) -> Said:
    saves = m.fold_saves()
    delivered = [*([saves] if saves else []), *(m.deliver(upload) for upload in uploads)]
    code = REJECTED if any(d.state == "rejected" for d in delivered) else 0
    if m.settings.auto and m.has_unpublished():
        last = next((d for d in reversed(delivered) if d.state != "rejected"), None)
        code = max(code, _publish(m, last).exit_code, key=(0, USAGE, NOT_FOUND, REJECTED, GATE).index)
    return Said(code, tuple(delivered))


def _remove(m: Dataset, keys: Sequence[str]) -> Said:
    try:
        delivered = m.remove(keys)
    except Exit as end:
        return Said(end.code)
    return Said(0, (delivered,) if delivered else ())


def _version(publish: Callable[[], tuple[str, str | None]]) -> Said:
    try:
        _, version = publish()
    except Exit as end:
        return Said(end.code)
    return Said(version=version)


def _report(name: str, delivered: Delivered, report: Any) -> Iterator[str]:
    status = {"built": {"built", "accepted"}}.get(delivered.state, {delivered.state})
    if report.status not in status:
        yield f"{name}: status: model {delivered.state}, product {report.status} ({report.problem})"
    if delivered.state == "rejected":
        return
    for entity in ("files", "images", "annotations"):
        counts, mine = getattr(report, entity), getattr(delivered, entity)
        fates = ("accepted", "unchanged", "rejected", "ignored", "removed")
        yield from _unequal(f"{name}: {entity}", {f: mine[f] for f in fates}, {f: getattr(counts, f) for f in fates})
    if delivered.state == "built":
        expected = {rule: delivered.warnings[rule] for rule in COMPARED_WARNINGS if delivered.warnings[rule]}
        actual = {rule: n for rule, n in report.warnings.items() if rule in COMPARED_WARNINGS}
        yield from _unequal(f"{name}: warnings", expected, actual)
        by_name = report.warnings.get("image.matched_by_name", 0)
        yield from _unequal(f"{name}: matched by name", delivered.matched_by_name, by_name)


def _draft_of(m: Dataset) -> dict[str, Any]:
    images = {}
    for key, row in m.draft.images.items():
        flags = (row.bytes_changed, m.draft.labels_rejected(key))
        names = tuple(n for n, on in zip(("image.bytes_changed", "image.labels_rejected"), flags, strict=True) if on)
        images[key] = (
            row.content[:12], row.width, row.height, row.orientation, row.split, tuple(sorted(row.labelled)),
            dict(row.attributes), names,
        )  # fmt: skip
    labels: Counter[Any] = Counter()
    for (key, kind), rows in m.draft.labels.items():
        for row, count in rows.items():
            box = None if row.box is None else tuple(map(float, row.box))
            labels[key, kind, row.category, box, None if row.polygon is None else tuple(map(float, row.polygon))] += (
                count
            )
    rejections: Counter[Any] = Counter()
    for r in m.draft.rejections.values():
        saved = r.upload is not None and any(isinstance(f, Document) and f.form == "save" for _, f in r.upload.files)
        kind = None if r.entity == "image" else r.kind
        key = None if r.rule in WAITING else r.key
        rejections[r.entity, r.rule, key, kind, "save" if saved else r.path] += 1
    return {"images": images, "annotations": labels, "categories": m.draft.categories, "rejections": rejections}


def _diff(before: Content, after: Content) -> dict[str, int]:
    """Images added, removed, changed, renamed; annotations of images that kept their name, in how far they differ."""
    old, new = before.images, after.images
    gone, come = Counter(old[k].content for k in old.keys() - new), Counter(new[k].content for k in new.keys() - old)
    renamed = (gone & come).total()
    changed = sum(
        replace(old[k], split=None, bytes_changed=False) != replace(new[k], split=None, bytes_changed=False)
        for k in old.keys() & new
    )
    counts = {
        "added": come.total() - renamed,
        "removed": gone.total() - renamed,
        "changed": changed,
        "renamed": renamed,
    }
    units = before.labels.keys() | after.labels.keys()
    pairs = [(before.labels.get(u, Counter()), after.labels.get(u, Counter())) for u in units]
    counts["removed or changed"] = sum((a - b).total() for a, b in pairs)
    counts["added or changed"] = sum((b - a).total() for a, b in pairs)
    return counts


def _unequal(what: str, expected: Any, actual: Any) -> Iterator[str]:
    if expected == actual:
        return
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in sorted(expected.keys() | actual.keys(), key=str):
            a, b = expected.get(key), actual.get(key)
            if isinstance(a, dict) and isinstance(b, dict):
                yield from _unequal(f"{what} {key}", a, b)
            elif a != b:
                yield f"{what} {key}: model {a}, product {b}"
    else:
        yield f"{what}: model {expected}, product {actual}"
