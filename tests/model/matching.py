"""Which image a listed name speaks of: the ranks of the contract, the first that has a candidate deciding."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.model.uploads import ROLE_FOLDERS, Record, take_apart

FOUND, MISSING, AMBIGUOUS, DUPLICATE = "found", "missing", "ambiguous", "duplicate"
BY_NAME = 6
"""From this rank on a match rests on the base name alone, which is said."""


@dataclass(frozen=True)
class Match:
    """A record and the key it means: status found, missing, ambiguous or duplicate."""

    record: Record
    status: str
    key: str | None = None
    rank: int = 0


def match(records: Iterable[Record], keys: Mapping[str, str], draft: Collection[str], by_name: bool) -> list[Match]:
    """Match what an upload lists with its own images (path to key), then with the draft's.

    Records with labels go first: members of split lists prefer the images that others list.
    """
    ordered = sorted(records, key=lambda r: (not r.kinds, r.document, r.position))
    others = [key for key in draft if key not in set(keys.values())]
    listed: set[str] = set()
    matches = []
    for record in ordered:
        result = _one(record, keys, others, listed, by_name)
        matches.append(result)
        if record.kinds and result.key is not None:
            listed.add(result.key)
    return claims(matches)


def match_waiting(records: Iterable[Record], keys: Collection[str]) -> list[Match]:
    """Match records that wait with the keys there are by now: exact keys only."""
    matches = []
    for record in records:
        names = [] if record.absolute else _draft_names(record)
        rank = next((n for n, name in enumerate(names) if name in keys), None)
        matches.append(Match(record, MISSING) if rank is None else Match(record, FOUND, names[rank], rank))
    return claims(matches)


def claims(matches: Sequence[Match]) -> list[Match]:
    """Of the records of one document that mean one image the best rank counts; equals with labels are all defects."""
    result = []
    for m in matches:
        rivals = [o.rank for o in matches if (o.record.document, o.key) == (m.record.document, m.key)]
        if m.status != FOUND or len(rivals) == 1:
            result.append(m)
        elif m.rank > min(rivals):
            result.append(Match(m.record, MISSING))
        elif m.record.kinds and rivals.count(m.rank) > 1:
            result.append(Match(m.record, DUPLICATE))
        else:
            result.append(m)
    return result


def _one(record: Record, keys: Mapping[str, str], draft: Sequence[str], listed: set[str], by_name: bool) -> Match:
    for rank, find in enumerate(_ranks(record, keys, draft, listed, by_name)):
        candidates = set(find())
        if len(candidates) == 1:
            return Match(record, FOUND, candidates.pop(), rank)
        if candidates:
            return Match(record, AMBIGUOUS)
    return Match(record, MISSING)


def _ranks(
    record: Record, keys: Mapping[str, str], draft: Sequence[str], listed: set[str], by_name: bool
) -> list[Callable[[], Iterable[str]]]:
    """The ranks as functions to candidate keys, in their order."""
    file = record.file

    def bare(name: str) -> str:
        return _stem(name) if record.by_stem else name

    def named(name: str) -> list[str]:
        return [k for p, k in keys.items() if bare(name) in (bare(p), bare(k))]

    def in_split() -> list[str]:
        of_split = [p for p in keys if record.split is not None and take_apart(p).split == record.split]
        return [keys[p] for p in of_split if bare(take_apart(p).short) == bare(file)]

    def ends_with_file() -> list[str]:
        tail = "/" + bare(file)
        paths = [p for p, k in keys.items() if bare(p).endswith(tail) or bare(k).endswith(tail)] if "/" in file else []
        paths = _prefer(paths, lambda p: take_apart(p).split == record.split if record.split else False)
        paths = _prefer(paths, lambda p: any(folder.lower() in ROLE_FOLDERS for folder in p.split("/")[:-1]))
        return [keys[p] for p in _prefer(paths, lambda p: keys[p] in listed)]

    def end_of_file() -> list[str]:
        ends = [(n, k) for p, k in keys.items() for n in (p, k) if bare(file).endswith("/" + bare(n))]
        longest = max((len(bare(name)) for name, _ in ends), default=0)
        return [key for name, key in ends if len(bare(name)) == longest]

    def in_draft() -> list[str]:
        for name in _draft_names(record):
            if candidates := [key for key in draft if bare(key) == bare(name)]:
                return candidates
        return []

    def by_base_name() -> list[str]:
        if "/" in take_apart(file).short and not record.absolute:
            return []
        paths = [p for p in keys if bare(_base(p)) == bare(_base(file))]
        return [
            keys[p] for p in _prefer(paths, lambda p: take_apart(p).split == record.split if record.split else False)
        ]

    def draft_by_base_name() -> list[str]:
        return [key for key in draft if by_name and bare(_base(key)) == bare(_base(file))]

    if record.save:
        return [lambda: [k for k in (*keys.values(), *draft) if k == file]]
    beside: Callable[[], Iterable[str]] = (list) if record.absolute else lambda: named(record.names[0])
    drafts: Callable[[], Iterable[str]] = (list) if record.absolute else in_draft
    return [
        beside, lambda: named(file), in_split, ends_with_file, end_of_file, drafts, by_base_name, draft_by_base_name,
    ]  # fmt: skip


def _draft_names(record: Record) -> list[str]:
    """The keys that a name can mean in the draft, most specific first."""
    if record.save:
        return [record.file]
    parts = [(name, take_apart(name)) for name in record.names]
    return [key for name, p in parts for key in (name, p.split_key, p.short)]


def _prefer(paths: list[str], better: Callable[[str], bool]) -> list[str]:
    """Of several those that are better, if there are any."""
    preferred = [path for path in paths if better(path)] if len(paths) > 1 else []
    return preferred or paths


def _base(path: str) -> str:
    return path.rpartition("/")[2]


def _stem(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    return folder + slash + (name.rpartition(".")[0] or name)
