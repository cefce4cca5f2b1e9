"""What a lake knows about its datasets: versions, aliases, uploads."""

from __future__ import annotations

from dataclasses import dataclass

from imagelake.client.delta.tables import Tables
from imagelake.client.refs import Ref, nearest, version_name
from imagelake.client.sql_text import Row, holding, text
from imagelake.errors import IntegrityError, NotFound
from imagelake.tables import bronze, gold, silver

FACTS = ("sequence", "number", "recipe", "state", "publish_id", "images", "annotations", "categories")
"""What a version's history is made of: columns whose minimum and maximum Delta keeps, so that no file is opened."""

_SHOWN = 10


@dataclass(frozen=True)
class Version:
    """A published version: its first row (`details` reads the other columns), in its newest state."""

    dataset: str
    sequence: int
    number: int
    recipe: int
    state: str
    publish_id: str
    images: int
    annotations: int
    categories: int
    written: int
    """When its first row was written, in milliseconds since 1970."""

    @property
    def name(self) -> str:
        """pets@v3, or pets@v3.2 for another recipe than the first."""
        return version_name(self.dataset, self.number, self.recipe)


@dataclass(frozen=True)
class History:
    """The versions of one dataset by sequence, and the publish ids whose log rows count."""

    dataset: str
    versions: tuple[Version, ...]
    publish_ids: tuple[str, ...]

    @property
    def latest(self) -> Version | None:
        """What D and D@latest name: the published version with the highest number, in its lowest recipe."""
        published = [v for v in self.versions if v.state == "published"]
        return max(published, key=lambda v: (v.number, -v.recipe), default=None)

    @property
    def newest(self) -> Version | None:
        """What the next publish compares the draft with: the highest number, in whatever state."""
        return max(self.versions, key=lambda v: (v.number, -v.sequence), default=None)

    def find(self, number: int, recipe: int) -> Version | None:
        """One version."""
        return next((v for v in self.versions if (v.number, v.recipe) == (number, recipe)), None)


@dataclass(frozen=True)
class Target:
    """What a reference names: a version with its dataset's history, or the draft (`version` None)."""

    dataset: str
    version: Version | None
    history: History

    @property
    def name(self) -> str:
        """pets@v3, pets@v3.2 or pets@draft."""
        return self.version.name if self.version else f"{self.dataset}@draft"


def histories(tables: Tables, dataset: str | None = None) -> dict[str, History]:
    """The history of every dataset that has one, or of one."""
    by_dataset: dict[str, list[Row]] = {}
    for row in tables.facts(gold.VERSIONS, FACTS, "at", dataset):
        by_dataset.setdefault(row["dataset"], []).append(row)
    return {name: _history(name, rows) for name, rows in sorted(by_dataset.items())}


def history(tables: Tables, dataset: str) -> History:
    """The history of one dataset, empty when nothing was published."""
    return histories(tables, dataset).get(dataset) or History(dataset, (), ())


def details(tables: Tables, version: Version, columns: tuple[str, ...]) -> Row:
    """Further columns of a version's first row."""
    source = tables.relation(
        gold.VERSIONS, ("sequence", *columns), version.dataset, holding("sequence", version.sequence)
    )
    return tables.query(f"SELECT * FROM {source} WHERE sequence = {version.sequence}")[0]


def digest_of(tables: Tables, version: Version) -> str:
    """The version's digest, as published."""
    return str(details(tables, version, ("digest",))["digest"])


def alias_rows(tables: Tables, dataset: str, columns: tuple[str, ...] = ()) -> dict[str, Row]:
    """The newest row of each alias that names a version, by alias: number, recipe, and further columns."""
    rows: dict[str, Row] = {}
    names = ("sequence", "alias", "number", "recipe", *columns)
    for row in tables.rows(gold.ALIASES, names, dataset, "ORDER BY sequence"):
        rows[row["alias"]] = row
    return {alias: row for alias, row in rows.items() if row["number"] is not None}


def aliases(tables: Tables, dataset: str) -> dict[str, tuple[int, int]]:
    """The dataset's aliases: name to (number, recipe)."""
    return {alias: (row["number"], row["recipe"] or 1) for alias, row in alias_rows(tables, dataset).items()}


def datasets(tables: Tables) -> set[str]:
    """The ids of all datasets that anything was ever delivered to or published for."""
    specs = (gold.VERSIONS, bronze.UPLOADS, silver.IMAGES)
    return {f.dataset for spec in specs for f in tables.files(spec) if f.dataset is not None}


def require_dataset(tables: Tables, dataset: str) -> None:
    """NotFound, with the nearest names, unless the lake knows the dataset."""
    names = datasets(tables)
    if dataset not in names:
        raise NotFound(f"there is no dataset {dataset!r} in this lake", hint=nearest(dataset, names, "datasets"))


def resolve(tables: Tables, ref: Ref) -> Target:
    """What a reference names. NotFound lists what there is; IntegrityError when a digest was given and differs."""
    past = history(tables, ref.dataset)
    if not past.versions:
        require_dataset(tables, ref.dataset)
    if ref.is_draft:
        if ref.digest:
            raise NotFound(f"{ref}: a draft has no digest", hint="publish it first")
        return Target(ref.dataset, None, past)
    version = _version(tables, ref, past)
    if ref.digest:
        digest = digest_of(tables, version)
        if ref.digest != digest:
            raise IntegrityError(
                f"{version.name} has digest {digest}, not {ref.digest}",
                hint=_owner(tables, past, ref.digest),
            )
    return Target(ref.dataset, version, past)


def _owner(tables: Tables, past: History, digest: str) -> str:
    """A hint: which version of the dataset has a digest."""
    source = tables.relation(gold.VERSIONS, ("digest", "number", "recipe"), past.dataset)
    rows = tables.query(f"SELECT number, recipe FROM {source} WHERE digest = {text(digest)} ORDER BY number, recipe")
    names = [version_name(past.dataset, row["number"], row["recipe"]) for row in rows]
    return f"that is {names[0]}" if names else "no version of it has that digest: another dataset or lake was meant"


def require_readable(target: Target) -> None:
    """NotFound when the version may not be read: it was retired."""
    if target.version and target.version.state == "retired":
        raise NotFound(f"{target.name} was retired", hint="restore it to read it again")


def _version(tables: Tables, ref: Ref, past: History) -> Version:
    if not past.versions:
        raise NotFound(f"{ref.dataset} has no published version", hint=f"publish it, or look at {ref.dataset}@draft")
    version: Version | None
    if ref.number is not None:
        version = past.find(ref.number, ref.recipe)
    elif ref.selector == "latest":
        version = past.latest
    else:
        named = aliases(tables, ref.dataset)
        version = past.find(*named[ref.selector]) if ref.selector in named else None
    if version is None:
        raise NotFound(f"there is no version {ref}", hint=_version_hint(tables, ref, past))
    return version


def _version_hint(tables: Tables, ref: Ref, past: History) -> str:
    """A hint: the newest versions for a number that does not exist, the nearest names for a name."""
    versions = [v.name.partition("@")[2] for v in past.versions]
    if ref.number is None:
        return nearest(ref.selector, [*versions, *aliases(tables, ref.dataset), "latest", "draft"], "versions")
    earlier = "…, " if len(versions) > _SHOWN else ""
    return f"versions: {earlier}{', '.join(versions[-_SHOWN:])}"


def _history(dataset: str, rows: list[Row]) -> History:
    first: dict[tuple[int, int], Row] = {}
    state: dict[tuple[int, int], str] = {}
    for row in sorted(rows, key=lambda r: int(r["sequence"])):
        key = (row["number"], row["recipe"])
        first.setdefault(key, row)
        state[key] = row["state"]
    versions = tuple(
        Version(dataset, **{c: row[c] for c in (*FACTS, "written")} | {"state": state[key]})
        for key, row in first.items()
    )
    return History(dataset, versions, tuple(sorted({r["publish_id"] for r in rows})))
