"""Which image a listed name speaks of: the ranks of the contract, the first that has a candidate deciding."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from posixpath import basename, splitext
from typing import NamedTuple

from tests.model.uploads import ROLE_FOLDERS, Record, lies_in, take_apart

FOUND, MISSING, AMBIGUOUS, DUPLICATE = "found", "missing", "ambiguous", "duplicate"
BY_NAME = 6
"""From this rank on a match rests on the base name alone, which is said."""

Ranks = list[list[set[str]]]
"""The candidates of each rank in their order, in each rank those of its names in their order."""


class Match(NamedTuple):
    """A record and the key it means, None unless the status is found, and how exactly: rank, and name in the rank."""

    record: Record
    status: str
    key: str | None = None
    rank: tuple[int, int] = (0, 0)


def match(records: list[Record], keys: Mapping[str, str], draft: Collection[str], by_name: bool) -> list[Match]:
    """Match what an upload lists with its own images (path to key), then with the draft's others.

    Records with labels go first: members of split lists prefer the images that others list.
    """
    others = set(draft) - set(keys.values())
    listed: set[str | None] = set()
    matches = {}
    for record in sorted(records, key=lambda r: not r.kinds):
        matches[record] = _first(record, _ranks(record, keys, others, listed, by_name))
        listed |= {matches[record].key} if record.kinds else set()
    return _claims([matches[record] for record in records])


def match_waiting(records: Iterable[Record], keys: Collection[str]) -> list[Match]:
    """Of records that wait those whose image is there by now, by an exact key."""
    matches = [_first(record, [[{key} & set(keys) for key in record.draft_keys]]) for record in records]
    return _claims([m for m in matches if m.status == FOUND])


def _first(record: Record, ranks: Ranks) -> Match:
    """The first of all names that has a candidate decides."""
    answers = [((n, place), some) for n, rank in enumerate(ranks) for place, some in enumerate(rank) if some]
    if answers and len(answers[0][1]) == 1:
        return Match(record, FOUND, min(answers[0][1]), answers[0][0])
    return Match(record, AMBIGUOUS if answers else MISSING)


def _claims(matches: list[Match]) -> list[Match]:
    """Of the records of one document that mean one image the best rank counts; of equals with labels none does."""

    def loses(m: Match) -> bool:
        rivals = [o.rank for o in matches if (o.record.document, o.key) == (m.record.document, m.key)]
        return m.rank > min(rivals) or (bool(m.record.kinds) and rivals.count(m.rank) > 1)

    return [Match(m.record, DUPLICATE) if m.status == FOUND and loses(m) else m for m in matches]


def _ranks(r: Record, keys: Mapping[str, str], draft: set[str], listed: Collection[str | None], by_name: bool) -> Ranks:
    """Where a record is looked for: `keys` are the upload's images (path to key), `draft` all other keys."""
    cut = (lambda name: splitext(name)[0]) if r.by_stem else str
    file, base, tails = r.file, basename(r.file), r.file.split("/")[1:]
    bare = r.absolute or "/" not in take_apart(file).short

    def named(name: str) -> set[str]:
        return {key for path, key in keys.items() if name in (cut(path), cut(key))}

    def ends(name: str) -> bool:
        return "/" in file and cut(name).endswith(f"/{file}")

    def in_split(path: str) -> bool:
        return r.split is not None and take_apart(path).split == r.split

    def best(paths: list[str], *better: Callable[[str], bool]) -> set[str]:
        """Of several those that are better, first by split, as long as there are any."""
        for test in (in_split, *better):
            paths = [path for path in paths if test(path)] or paths
        return {keys[path] for path in paths}

    if r.form == "save":
        return [[{file} & {*keys.values(), *draft}]]
    ending = [path for path, key in keys.items() if ends(path) or ends(key)]
    return [
        [named(name) for name in r.names[:1]],
        [named(file)],
        [{key for path, key in keys.items() if in_split(path) and cut(take_apart(path).short) == file}],
        [best(ending, lambda path: lies_in(path, ROLE_FOLDERS), lambda path: keys[path] in listed)],
        [named("/".join(tails[n:])) for n in range(len(tails))],
        [{key for key in draft if cut(key) == name} for name in r.draft_keys],
        [best([path for path in keys if cut(basename(path)) == base])] if bare else [],
        [{key for key in draft if cut(basename(key)) == base}] if bare and by_name else [],
    ]
