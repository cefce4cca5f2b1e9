"""`alias REF NAME` and `alias --remove D NAME`: names for versions, without Java."""

from __future__ import annotations

import copy
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from deltalake import DeltaTable

from imagelake.gold.aliases import AliasMove, move_alias
from imagelake.runs.context import system_clock
from imagelake.storage.open_lake import open_lake
from imagelake.tables import gold
from imagelake.tables.delta.small_tables import SmallTables
from lakes import LakeMaker
from pet_lake import Pets


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Pets:
    return Pets(LakeMaker(tmp_path_factory.mktemp("original") / "lake"))


@pytest.fixture
def pets(original: Pets, tmp_path: Path) -> str:
    """Versions v1, v2, v2.2 and v3; gold is v3, best is v2.2, gone was removed."""
    shutil.copytree(original.maker.root, tmp_path / "pets")
    return str(tmp_path / "pets")


def commits(lake: str) -> int:
    return int(DeltaTable(f"{lake}/{gold.ALIASES.path}").version())


def test_an_alias_is_set_moved_and_removed(cli, pets) -> None:
    made = cli("alias", "pets@v1", "prod", "--lake", pets)
    assert (made.code, made.out.splitlines()[0]) == (0, "pets@prod is pets@v1 now")
    assert f"next: imagelake show pets@prod --lake {pets}" in made.out
    assert cli("show", "pets@prod", "--lake", pets, "--json").document["version"] == "pets@v1"
    moved = cli("alias", "pets@v2.2", "prod", "--lake", pets, "--json").document
    assert moved == {
        "dataset": "pets",
        "alias": "prod",
        "status": "moved",
        "version": "pets@v2.2",
        "before": "pets@v1",
    }
    removed = cli("alias", "--remove", "pets", "prod", "--lake", pets)
    assert removed.out == "pets@prod is removed, it was pets@v2.2\n"
    assert cli("show", "pets@prod", "--lake", pets).code == 6


@pytest.mark.parametrize("line", [("pets@v3", "gold"), ("--remove", "pets", "gone"), ("pets@best", "best")])
def test_the_same_again_changes_nothing_and_says_so(cli, pets, line) -> None:
    before = commits(pets)
    again = cli("alias", *line, "--lake", pets)
    assert (again.code, again.out.startswith("nothing changed: ")) == (0, True)
    assert "next:" not in again.out
    assert cli("alias", *line, "--lake", pets, "--json").document["status"] == "unchanged"
    assert commits(pets) == before


@pytest.mark.parametrize("name", ["latest", "draft", "v3", "v3.1", "Prod", "3d", ""])
def test_names_that_mean_something_else_are_refused_with_what_is_allowed(cli, pets, name) -> None:
    refused = cli("alias", "pets@v1", name, "--lake", pets)
    assert refused.code == 2
    assert "not latest, draft or v1, v2, …" in refused.err


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        (("pets@v9", "prod"), 6, "versions: v1, v2, v2.2, v3"),
        (("pets@draft", "prod"), 2, "publish pets --alias"),
        (("cats@v1", "prod"), 6, "there is no dataset 'cats'"),
        (("--remove", "pets", "prod"), 6, "aliases: best, gold"),
        (("--remove", "pets@v1", "gold"), 2, "imagelake alias --remove pets gold"),
        (("--remove", "cats", "gold"), 6, "there is no dataset 'cats'"),
    ],
)
def test_what_cannot_be_named_says_what_there_is(cli, pets, line, code, words) -> None:
    before = commits(pets)
    refused = cli("alias", *line, "--lake", pets)
    assert (refused.code, words in refused.err) == (code, True), refused.err
    assert commits(pets) == before


def test_a_retired_version_gets_no_name(cli, original, tmp_path) -> None:
    maker = copy.deepcopy(original.maker)
    maker.root = tmp_path / "retired"
    shutil.copytree(original.maker.root, maker.root)
    maker.state("pets", 1, "retired")
    maker.flush()
    refused = cli("alias", "pets@v1", "prod", "--lake", str(maker.root))
    assert (refused.code, "pets@v1 was retired" in refused.err) == (6, True)


def test_show_lists_the_aliases_in_use_with_their_versions(cli, pets) -> None:
    cli("alias", "pets@v1", "prod", "--lake", pets, "--author", "ann")
    shown = cli("show", "pets", "--lake", pets).out
    assert "alias best: pets@v2.2, set " in shown
    assert any(line.startswith("alias prod: pets@v1, set ") and line.endswith(" by ann") for line in shown.splitlines())
    rows = cli("show", "pets", "--lake", pets, "--json").document["aliases"]
    assert [(r["alias"], r["version"], r["author"]) for r in rows] == [
        ("best", "pets@v2.2", None),
        ("gold", "pets@v3", None),
        ("prod", "pets@v1", "ann"),
    ]


def test_the_view_aliases_has_every_change(cli, pets) -> None:
    cli("alias", "--remove", "pets", "best", "--lake", pets, "--author", "bo")
    query = "select alias, version, author from aliases where alias in ('best', 'gold') order by sequence"
    assert cli("sql", query, "--lake", pets, "--json").document["rows"] == [
        ["gold", "pets@v1", None],
        ["best", "pets@v2.2", None],
        ["gold", "pets@v3", None],
        ["best", None, "bo"],
    ]
    newest = "select sequence, set_at from aliases order by sequence desc limit 1"
    ((sequence, set_at),) = cli("sql", newest, "--lake", pets, "--json").document["rows"]
    assert (sequence, len(set_at)) == (6, len("2030-01-02T03:04:05.678901"))


def test_neither_java_nor_pyspark_is_needed(pets) -> None:
    program = (
        "import sys; sys.modules.update(pyspark=None, delta=None); from imagelake.cli.main import main; "
        f"sys.exit(main(['alias', 'pets@v2', 'prod', '--lake', {pets!r}, '--json']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, '"status": "set"' in done.stdout) == (0, True), done.stderr


def test_writers_at_the_same_time_lose_no_move(pets) -> None:
    storage = open_lake(pets).storage
    tables = SmallTables(storage, 100)

    def move(number: int) -> None:
        move_alias(tables, AliasMove("pets", f"name-{number}", (1, 1), "ann", system_clock))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(move, range(8)))
    rows = tables.collect(gold.ALIASES, "pets")
    assert sorted(row["alias"] for row in rows if row["author"]) == [f"name-{n}" for n in range(8)]
    assert sorted(row["sequence"] for row in rows) == list(range(1, len(rows) + 1))


def test_the_log_gets_a_checkpoint_that_reads_like_the_commits(cli, pets, tmp_path) -> None:
    conf = tmp_path / "conf.yaml"
    conf.write_text("delta: {checkpoint_interval: 1}\n")
    cli("alias", "pets@v1", "prod", "--lake", pets, "--conf", str(conf))
    log = Path(pets, gold.ALIASES.path, "_delta_log")
    assert [path.name for path in log.glob("*.checkpoint.parquet")] == [f"{commits(pets):020d}.checkpoint.parquet"]
    cli("alias", "pets@v2", "prod", "--lake", pets)
    document = cli("show", "pets", "--lake", pets, "--json").document
    assert {row["alias"]: row["version"] for row in document["aliases"]}["prod"] == "pets@v2"


def test_a_version_says_who_published_it_and_names_its_parent_as_references_do(cli, pets) -> None:
    assert "ann" in cli("show", "pets@v1", "--lake", pets).out.split()
    rows = [line.split() for line in cli("show", "pets@v3", "--lake", pets).out.splitlines()]
    assert rows[0][:5] == ["version", "state", "images", "annotations", "parent"]
    assert rows[1][:5] == ["pets@v3", "published", "5", "4", "v2"]


def test_a_renamed_image_is_shown_with_both_names(cli, pets) -> None:
    lines = cli("diff", "pets@v2", "pets@v3", "--rows", "--lake", pets).out.splitlines()
    (row,) = [line.split() for line in lines if "renamed" in line and "image" in line.split()]
    assert row == ["image", "renamed", "key", "d.png", "d.png", "f.png"]
