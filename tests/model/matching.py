"""Which image a listed name speaks of: the ranks of the contract, the first that has a candidate deciding."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.model.uploads import ROLE_FOLDERS, Record, take_apart

FOUND, MISSING, AMBIGUOUS, DUPLICATE = "found", "missing", "ambiguous", "duplicate"
LOST = DUPLICATE
"""What a record is whose image another one of its document names better."""
BY_NAME = 6
"""From this rank on a match rests on the base name alone, which is said."""


@dataclass(frozen=True)
class Match:
    """A record and the key it means: status found, missing, ambiguous or duplicate."""

    record: Record
    status: str
    key: str | None = None
    rank: tuple[int, int] = (0, 0)


def match(records: Iterable[Record], keys: Mapping[str, str], draft: Collection[str], by_name: bool) -> list[Match]:
    """Match what an upload lists with its own images (path to key), then with the draft's.

    Records with labels go first: members of split lists prefer the images that others list.
    """
    ordered = sorted(records, key=lambda r: (not r.kinds, r.document, r.position))
    others = [key for key in draft if key not in set(keys.values())]
    listed: set[str] = set()
    matches = []
    for record in ordered:
        result = _Search(record, keys, others, listed, by_name).match()
        matches.append(result)
        if record.kinds and result.key is not None:
            listed.add(result.key)
    return claims(matches)


def match_waiting(records: Iterable[Record], keys: Collection[str]) -> list[Match]:
    """Match records that wait with the keys there are by now: exact keys only."""
    matches = []
    for record in records:
        names = [] if record.absolute else draft_names(record)
        rank = next((n for n, name in enumerate(names) if name in keys), None)
        matches.append(Match(record, MISSING) if rank is None else Match(record, FOUND, names[rank], (0, rank)))
    return claims(matches)


def claims(matches: Sequence[Match]) -> list[Match]:
    """Of the records of one document that mean one image the best rank counts; equals with labels are all defects."""
    result = []
    for m in matches:
        rivals = [o.rank for o in matches if (o.record.document, o.key) == (m.record.document, m.key)]
        if m.status != FOUND or len(rivals) == 1:
            result.append(m)
        elif m.rank > min(rivals):
            result.append(Match(m.record, LOST))
        elif m.record.kinds and rivals.count(m.rank) > 1:
            result.append(Match(m.record, DUPLICATE))
        else:
            result.append(m)
    return result


@dataclass(frozen=True)
class _Search:
    """One record, and where it may be found: `keys` are the upload's images (path to key), `draft` all other keys."""

    record: Record
    keys: Mapping[str, str]
    draft: Sequence[str]
    listed: Collection[str]
    by_name: bool

    def match(self) -> Match:
        for rank, places in enumerate(self.ranks()):
            for place, candidates in enumerate(places):
                if candidates:
                    key = candidates.pop() if len(candidates) == 1 else None
                    return Match(self.record, FOUND if key else AMBIGUOUS, key, (rank, place))
        return Match(self.record, MISSING)

    def ranks(self) -> Iterator[list[set[str]]]:
        """The candidates of each rank, in their order, and in that of a rank's own names."""
        record, file = self.record, self.record.file
        if record.form == "save":
            yield [{key for key in (*self.keys.values(), *self.draft) if key == file}]
            return
        parts = file.split("/")
        bare = record.absolute or "/" not in take_apart(file).short
        yield [] if record.absolute else [self.named(record.names[0])]
        yield [self.named(file)]
        yield [self.in_split()]
        yield [self.ending_with_file()]
        yield [self.named("/".join(parts[cut:])) for cut in range(1, len(parts))]
        yield [] if record.absolute else [self.in_draft(name) for name in draft_names(record)]
        yield [self.of_base_name()] if bare else []
        yield [self.of_base_name_in_draft()] if bare and self.by_name else []

    def bare(self, name: str) -> str:
        """What of a name is compared: all of it, or all but its suffix."""
        return _stem(name) if self.record.by_stem else name

    def named(self, name: str) -> set[str]:
        return {k for p, k in self.keys.items() if self.bare(name) in (self.bare(p), self.bare(k))}

    def in_split(self) -> set[str]:
        name = self.bare(self.record.file)
        parts = [(take_apart(p), k) for p, k in self.keys.items()]
        return {k for p, k in parts if p.split and p.split == self.record.split and self.bare(p.short) == name}

    def ending_with_file(self) -> set[str]:
        tail = "/" + self.bare(self.record.file)
        if "/" not in self.record.file:
            return set()
        paths = [p for p, k in self.keys.items() if self.bare(p).endswith(tail) or self.bare(k).endswith(tail)]
        paths = _prefer(self.of_split(paths), lambda p: any(f.lower() in ROLE_FOLDERS for f in p.split("/")[:-1]))
        return {self.keys[p] for p in _prefer(paths, lambda p: self.keys[p] in self.listed)}

    def in_draft(self, name: str) -> set[str]:
        return {k for k in self.draft if self.bare(k) == self.bare(name)}

    def of_base_name(self) -> set[str]:
        name = self.bare(_base(self.record.file))
        return {self.keys[p] for p in self.of_split([p for p in self.keys if self.bare(_base(p)) == name])}

    def of_base_name_in_draft(self) -> set[str]:
        name = self.bare(_base(self.record.file))
        return {k for k in self.draft if self.bare(_base(k)) == name}

    def of_split(self, paths: list[str]) -> list[str]:
        """Of several those of the record's split, if it has one and some are."""
        split = self.record.split
        return _prefer(paths, lambda p: split is not None and take_apart(p).split == split)


def draft_names(record: Record) -> list[str]:
    """The keys that a name can mean in the draft, most specific first."""
    if record.form == "save":
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
