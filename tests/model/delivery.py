"""An upload on its way into the draft: what is accepted, what is refused, what waited for it, what it closes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.model import matching
from tests.model.draft import WAITING, Draft, Outcome, Refused, Rejection, Row, Settings, Unit
from tests.model.labels import Annotation, judge, to_raw
from tests.model.matching import AMBIGUOUS, FOUND, MISSING, Match
from tests.model.uploads import Document, Image, Label, Other, Record, Upload, image_keys, is_mask, records, take_apart


@dataclass
class Delivery:
    """An upload on its way into the draft; `published` and `index` are splits and training indices of all versions."""

    draft: Draft
    upload: Upload
    sequence: int
    settings: Settings
    published: Mapping[str, str]
    index: Mapping[str, int]

    def __post_init__(self) -> None:
        self.members = self.upload.members()
        self.files = {p: f for p, f in self.members.items() if isinstance(f, Image) and not is_mask(p)}
        self.keys = image_keys(self.files, self.draft.images)
        self.replacing = self.upload.mode == "replace"
        self.out = Outcome(self.draft.copy())
        self.refused: dict[tuple[Any, ...], Rejection] = {}
        self.accepted: dict[Unit, Counter[Annotation]] = {}
        self.bad: Counter[Unit] = Counter()
        self.by: tuple[Upload | None, int] = (self.upload, self.sequence)  # whose defect a refused row is

    def apply(self) -> Outcome:
        """The outcome; Refused when none of the upload's documents can be read."""
        documents = [f for f in self.members.values() if isinstance(f, Document)]
        if documents and all(f.broken for f in documents):
            raise Refused
        listed = records(self.members)
        matches = matching.match(listed, self.keys, self.draft.images, self.settings.match_by_name)
        matches.sort(key=lambda m: (m.record.document, m.record.position))
        good = self._good_files(matches)
        for m in matches:
            self._judge_record(m, good)
        self._orphans()
        self.out.units = self._units(matches, good)
        waiting = self._waiting(good)
        self._put_images([*matches, *(m for ms in waiting.values() for m in ms)], good)
        self._put_labels(self.out.units)
        self._enter(waiting)
        self._close()
        self.out.draft.categories = self._categories()
        self.out.keys = {self.keys[p] for p, f in self.files.items() if f.problem is None}
        masks = sum(isinstance(f, Image) and is_mask(p) for p, f in self.members.items())
        self.out.warnings.update({"file.mask": masks} if masks else {})
        self.out.count_removed(self.draft)
        return self.out

    def _good_files(self, matches: list[Match]) -> dict[str, Image]:
        """Image files by key that enter the draft; all others, and what cannot be read, are refused."""
        good = {}
        listed = {m.key for m in matches if m.record.kinds}
        documents = any(isinstance(f, Document) for f in self.members.values())
        for path, image in self.files.items():
            key = self.keys[path]
            old = self.draft.images.get(key)
            rule = image.problem
            if rule is None and old is not None and old.content != image.content and self.upload.mode == "append":
                rule = "image.key_taken"
            if rule is None and documents and key not in listed and self.settings.unlisted == "reject":
                rule = "image.unlisted"
            if rule is None:
                good[key] = image
            else:
                self._refuse("image", path, "file", rule, image.content, key=key)
                self.out.images["rejected"] += 1
        for path, file in self.members.items():
            if isinstance(file, Document) and file.broken:
                self._refuse("file", path, "", "document.invalid_json", file)
            if isinstance(file, Other) and file.problem:
                self._refuse("file", path, "file", file.problem, file)
        return good

    def _judge_record(self, m: Match, good: Mapping[str, Image]) -> None:
        """Refuse a listed image that was not found, and each of its labels that is no good."""
        r = m.record
        if m.status != FOUND:
            rule = {MISSING: "file_missing", AMBIGUOUS: "ambiguous"}.get(m.status, "duplicate_file_name")
            if r.kinds:
                self.out.images["rejected"] += 1
                waits = r if m.status == MISSING else None
                self._refuse("image", r.document, f"images[{r.position}]", f"image.{rule}", r.name, record=waits)
            else:
                rule = "split.member_unknown" if m.status == MISSING else "split.member_ambiguous"
                self._refuse("image", r.document, f"line {r.position}", rule, r.name)
        elif m.rank[0] >= matching.BY_NAME:
            self.out.warnings["image.matched_by_name"] += 1
        taken = m.key in self.keys.values() and m.key not in good
        row = None if taken else self._row(m.key, good)
        for locator, label in r.labels:
            rule, annotation = judge(m, label, row, self.settings.rejects)
            self._take(m, locator, label, rule, annotation, counted=True)

    def _row(self, key: str | None, good: Mapping[str, Image]) -> Row | None:
        """The image a key means from now on."""
        if key in good:
            return Row(good[key].content, good[key].width, good[key].height, good[key].orientation)
        return self.draft.images.get(key or "")

    def _take(
        self, m: Match, locator: str, label: Label, rule: str | None, annotation: Annotation | None, *, counted: bool
    ) -> None:
        """One label: into its unit, or among the rejections."""
        unit = (m.key, label.kind) if m.key is not None else None
        rows = self.accepted.setdefault(unit, Counter()) if unit and annotation is not None else Counter()
        if rule is None and rows[annotation] and self.settings.rejects("annotation.duplicate"):
            rule = "annotation.duplicate"
        if rule is None:
            assert annotation is not None
            rows[annotation] += 1
            if counted:
                self.out.annotations["taken"] += 1
            return
        waits = rule in WAITING
        raw = (m.record.position, label)
        self._refuse(
            "annotation", m.record.document, locator, rule, raw, key=m.key, kind=label.kind,
            record=m.record if waits else None, label=label if waits else None,
        )  # fmt: skip
        if unit:
            self.bad[unit] += 1
        if counted:
            self.out.annotations["rejected"] += 1

    def _orphans(self) -> None:
        """Labels of images that their document does not list."""
        for path, file in self.members.items():
            for place, label in enumerate(file.labels if isinstance(file, Document) else ()):
                if label.entry is None:
                    rule = "image_orphan" if label.shape is not None else "bbox_not_finite"
                    locator = f"annotations[{place}]"
                    self._refuse("annotation", path, locator, f"annotation.{rule}", label, kind=label.kind)
                    self.out.annotations["rejected"] += 1

    def _units(self, matches: Iterable[Match], rows: Mapping[str, Any]) -> set[Unit]:
        """The units that are brought: listed with the right size, and not all of their labels refused."""
        taken = self._taken(rows)
        units = set()
        for m in matches:
            row = None if m.key in taken else self._row(m.key, rows)
            if m.status == FOUND and row is not None and to_raw(row, m.record.size) is not None:
                units |= {(str(m.key), kind) for kind in m.record.kinds}
        return {u for u in units if self.accepted.get(u) or not self.bad[u]}

    def _taken(self, good: Mapping[str, Any]) -> set[str]:
        """The keys of the upload's own images that are refused: its documents speak of these, not of the draft's."""
        return set(self.keys.values()) - set(good)

    def _put_images(self, matches: list[Match], good: Mapping[str, Image]) -> None:
        """The rows of images that the upload has or lists."""
        images = self.out.draft.images
        if self.replacing:
            self.out.draft.images = images = {
                k: row
                for k, row in images.items()
                if k in good or (self._lists(matches, k) and k not in self._taken(good))
            }
            self.out.draft.labels = {}
        for key in sorted({*good, *(k for k in images if self._lists(matches, k))} - self._taken(good)):
            old, row = self.draft.images.get(key), self._row(key, good)
            assert row is not None
            brought = frozenset(kind for k, kind in self.out.units if k == key)
            said = [m.record for m in matches if m.key == key and m.status == FOUND]
            row = replace(row, split=self._split(key, old, said), labelled=brought, bytes_changed=False)
            new = next((r.attributes for r in said if r.attributes), ())
            row = replace(row, attributes=new if new or self.replacing or old is None else old.attributes)
            if old is not None and not self.replacing:
                row = self._with_old(key, old, row, brought)
            images[key] = row
            if key in good:
                same = old == row
                self.out.images["unchanged" if same else "accepted"] += 1

    def _with_old(self, key: str, old: Row, row: Row, brought: frozenset[str]) -> Row:
        """What stays of an image's labels, by what became of its bytes."""
        images_differ = old.content != row.content
        if (old.width, old.height, old.orientation) != (row.width, row.height, row.orientation):
            lost = [u for u in self.out.draft.labels if u[0] == key and u[1] not in brought]
            for unit in lost:
                self.out.draft.labels.pop(unit)
            self.out.warnings["image.labels_dropped"] += bool(old.labelled - brought)
            return row
        flag = bool(old.labelled - brought) and (images_differ or old.bytes_changed)
        return replace(row, labelled=old.labelled | brought, bytes_changed=flag)

    @staticmethod
    def _lists(matches: Iterable[Match], key: str) -> bool:
        return any(m.key == key and m.status == FOUND for m in matches)

    def _split(self, key: str, old: Row | None, said: list[Record]) -> str | None:
        """The newest uploaded split; one that was published stands, and an upload that contradicts it says so."""
        folder = next((take_apart(p).split for p, k in self.keys.items() if k == key), None)
        new = folder or next((r.split for r in said if r.split), None)
        if key in self.published:
            self.out.warnings["split.contradicts"] += new is not None and new != self.published[key]
            return old.split if old is not None else new
        return new if new or self.replacing or old is None else old.split

    def _put_labels(self, units: Iterable[Unit]) -> None:
        """The brought units replace what was there."""
        for unit in units:
            new, old = self.accepted.get(unit, Counter()), self.draft.labels.get(unit, Counter())
            self.out.draft.labels[unit] = new
            unchanged = (new & old).total()
            self.out.annotations["unchanged"] += unchanged
            self.out.annotations["accepted"] += new.total() - unchanged

    def _waiting(self, good: Mapping[str, Image]) -> dict[int, list[Match]]:
        """The listed images that waited and arrive now, by the number of their delivery, the newest first."""
        rows = () if self.replacing else self.draft.rejections.values()
        waiting: dict[int, list[Record]] = {}
        for r in sorted(rows, key=lambda r: -r.sequence):
            if r.record is not None and r.label is None:
                waiting.setdefault(r.sequence, []).append(r.record)
        return {n: [m for m in matching.match_waiting(w, good) if m.status != MISSING] for n, w in waiting.items()}

    def _enter(self, waiting: Mapping[int, list[Match]]) -> None:
        """Labels that waited enter with their image, the newest of a unit first, unless the upload brings it."""
        closed, images = set(self.out.units), self.out.draft.images
        for sequence, matches in waiting.items():
            self.accepted, self.bad = {}, Counter()
            by_record = {m.record: m for m in matches}
            for i, r in self.draft.rejections.items():
                if r.sequence == sequence and r.record in by_record:
                    self.out.draft.rejections.pop(i)
                    self.by = (r.upload, r.sequence)
                    m = by_record[r.record]
                    if r.label is None and m.status != FOUND:
                        self._refuse("image", r.path, r.locator, "image.duplicate_file_name", r.raw)
                    if r.label is not None and (m.key, r.label.kind) not in closed:
                        rule, annotation = judge(m, r.label, images.get(m.key or ""), self.settings.rejects)
                        self._take(m, r.locator, r.label, rule, annotation, counted=False)
            units = self._units(matches, images) - closed
            for unit in units:
                images[unit[0]] = replace(images[unit[0]], labelled=images[unit[0]].labelled | {unit[1]})
                self.out.draft.labels[unit] = self.accepted.get(unit, Counter())
            closed |= units

    def _close(self) -> None:
        """Close what has been put right, then open what was refused."""
        missing = {
            (r.record.waits_for, kind) for r in self.refused.values() if r.record and not r.label
            for kind in r.record.kinds
        }  # fmt: skip
        kept = {i: r for i, r in self.out.draft.rejections.items() if i in self.refused or not self._closes(r, missing)}
        fresh = {i: r for i, r in self.refused.items() if i not in kept or r.rule in WAITING}
        self.out.draft.rejections = {**kept, **fresh}

    def _closes(self, r: Rejection, missing: set[tuple[str, str]]) -> bool:
        """Whether an open rejection ends with this upload, if it is not refused again."""
        if self.replacing:
            return True
        if r.rule in WAITING and r.record is not None:
            kinds = {r.label.kind} if r.label else r.record.kinds
            return all((r.record.waits_for, kind) in missing for kind in kinds)
        lineage = r.upload is not None and (
            r.upload.source == self.upload.source or r.upload.identity == self.upload.identity
        )
        if r.key is None:
            file = self.members.get(r.path)
            return lineage and file is not None and not getattr(file, "broken", getattr(file, "problem", None))
        if r.entity == "annotation":
            unit = (r.key, str(r.kind))
            return unit in self.out.units and (lineage or self.draft.of(unit) != self.out.draft.of(unit))
        old, new = self.draft.images.get(r.key), self.out.draft.images.get(r.key)
        accepted = any(self.keys[p] == r.key for p in self.files) and (
            r.key not in {x.key for x in self._images_refused()}
        )
        changed = old is None or new is None or old.content != new.content
        return accepted and (changed or lineage)

    def _images_refused(self) -> list[Rejection]:
        return [r for r in self.refused.values() if r.entity == "image"]

    def _categories(self) -> dict[str, tuple[str | None, int | None]]:
        """Names with parent and training index: an index is kept for good, a parent without annotations has none."""
        declared: dict[str, str | None] = {}
        for file in self.members.values():
            for name, parent in file.categories if isinstance(file, Document) and not file.broken else ():
                declared.setdefault(name, parent)
        before, after, old = self.draft.used(), self.out.draft.used(), self.draft.categories
        names = {**declared, **dict.fromkeys(sorted(after - declared.keys() - old.keys()))}
        parents = {parent for name, parent in declared.items() if parent != name}
        roots = (parents & declared.keys()) - after
        kept = {n: c for n, c in old.items() if n in names or n in after or (not self.replacing and n not in before)}
        index = {**self.index, **{n: place for n, (_, place) in kept.items() if place is not None}}
        for name in names:
            if name not in roots and name not in index:
                index[name] = max(index.values(), default=-1) + 1
        rows = {name: (parent, index.get(name)) for name, (parent, _) in kept.items()}
        for name, parent in names.items():
            parent = parent if parent is not None else rows.get(name, (None, None))[0]
            rows[name] = (parent, None if name in roots else index[name])
        return rows

    def _refuse(self, entity: str, path: str, locator: str, rule: str, raw: Any, **more: Any) -> None:
        upload, sequence = self.by
        row = Rejection(entity, path, locator, rule, raw, upload=upload, sequence=sequence, **more)
        self.refused.setdefault(row.id, row)
