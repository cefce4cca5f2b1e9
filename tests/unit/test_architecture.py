"""What the layout promises: imports point one way, files and functions stay small, importing does nothing."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
FILES = sorted((*SRC.rglob("*.py"), *(ROOT / "jobs").glob("*.py")))

LAYERS = (
    {"errors", "config.settings", "config.lifecycle_settings", "core", "geometry"},
    {"config", "formats", "quality", "tables", "storage", "uploads", "engine", "jvm", "runs.context", "runs.writer"},
    {"lifecycle"},
    {"bronze", "silver", "gold", "client", "exports", "report", "doctor", "maintenance", "files"},
    {"runs", "spark", "demo"},
    {"cli", "__main__"},
    {"jobs"},
)
"""A part (a folder, a file at the top, or a module that stands elsewhere than the rest of its folder) imports from its
own layer and those before it."""

APART = ({"bronze", "silver", "gold", "client"}, {"bronze", "silver", "gold", "report"})
"""Parts of one layer that never import each other: they meet in the tables."""

FORBIDDEN = {
    "formats": {"pyspark", "delta", "boto3", "imagelake.tables", "imagelake.engine"},
    "files": {"pyspark", "delta", "imagelake.tables", "imagelake.engine"},
    "client": {"pyspark", "delta", "imagelake.tables.delta.store", "imagelake.engine"},
    "exports": {"pyspark", "delta", "imagelake.tables.delta.store", "imagelake.engine"},
    "report": {"pyspark", "delta", "imagelake.tables.delta.store", "imagelake.engine"},
    "storage": {"pyspark", "delta", "imagelake.tables", "imagelake.quality"},
    "core": {"pyspark"},
    "geometry": {"pyspark"},
    "config.settings": {"pyspark"},
}
ONLY = {
    "boto3": {"storage/s3/client.py"},
    "botocore": {"storage/s3/client.py"},
    "delta": {"tables/delta/store.py", "tables/delta/upkeep.py"},
    "great_expectations": {"quality/expectations/validate.py"},
}
"""A package, and the only files that import it."""

MOST_LINES, MOST_FUNCTION_LINES, MOST_FILES = 300, 40, 14


def part_of(name: str) -> str | None:
    """The part an imported module belongs to; None for the package itself and for other packages."""
    pieces = name.split(".")
    if pieces[0] != "imagelake" or len(pieces) < 2:
        return None
    module = ".".join(pieces[1:3])
    return module if any(module in names for names in LAYERS) else pieces[1]


def part(file: Path) -> str:
    if SRC not in file.parents:
        return "jobs"
    return str(part_of(".".join(file.relative_to(SRC).with_suffix("").parts)))


def folder_of(part_name: str) -> str:
    return part_name.partition(".")[0]


def layer(name: str) -> int:
    numbers = [number for number, names in enumerate(LAYERS) if name in names]
    assert numbers, f"{name} is in no layer: say where it belongs"
    return numbers[0]


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


@cache
def imports(file: Path) -> frozenset[str]:
    """Every module a file imports, in functions too, but not what only a type checker reads."""
    return frozenset(_imports(tree(file)))


def _imports(node: ast.AST) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert not child.level, "imports are absolute"
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        yield from _imports(child)


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def relative(file: Path) -> str:
    return file.relative_to(SRC / "imagelake" if SRC in file.parents else ROOT).as_posix()


def test_imports_point_one_way() -> None:
    wrong = []
    for file in FILES:
        if relative(file) == "__init__.py":
            continue
        own = part(file)
        for name in imports(file):
            other = part_of(name)
            if other in (None, own) or not any(other in names for names in LAYERS):
                continue
            if layer(str(other)) > layer(own) or any({own, other} <= group for group in APART):
                wrong.append(f"{relative(file)} imports {name}")
    assert wrong == []


def test_every_part_has_its_layer() -> None:
    for name in {part(f) for f in FILES} - {"__init__"}:
        layer(name)


def test_a_part_stays_away_from_what_it_must_not_know() -> None:
    wrong = [
        f"{relative(file)} imports {name}"
        for file in FILES
        for package in FORBIDDEN.get(part(file), ())
        for name in imports(file)
        if is_within(name, package)
    ]
    assert wrong == []


def test_a_package_is_imported_in_one_place_only() -> None:
    wrong = [
        f"{relative(file)} imports {name}"
        for file in FILES
        for package, places in ONLY.items()
        for name in imports(file)
        if is_within(name, package) and relative(file) not in places
    ]
    assert wrong == []


def attributes(file: Path) -> set[str]:
    return {node.attr for node in ast.walk(tree(file)) if isinstance(node, ast.Attribute)}


def test_only_the_session_module_builds_a_session() -> None:
    building = {relative(file) for file in FILES if attributes(file) & {"builder", "getOrCreate"}}
    assert building == {"engine/session.py"}


def test_no_plain_python_function_is_run_row_by_row() -> None:
    banned = {"udf", "pandas_udf", "arrow_udf"}
    called = [relative(file) for file in FILES if attributes(file) & banned]
    imported = [relative(f) for f in FILES if banned & {name.rsplit(".", 1)[-1] for name in imports(f)}]
    assert called + imported == []


def test_storages_are_told_apart_by_their_methods_only() -> None:
    """What a storage can do is a method of the protocol; a bucket's own verbs narrow to S3Storage."""
    texts = {relative(file): file.read_text("utf-8") for file in FILES}
    pattern = re.compile(r"isinstance\([^)]*LocalStorage|cast\(\"?S3Storage")
    assert [name for name, text in texts.items() if pattern.search(text)] == []


def test_files_stay_small() -> None:
    counts = {relative(file): len(file.read_text("utf-8").splitlines()) for file in FILES}
    assert {name: count for name, count in counts.items() if count > MOST_LINES} == {}


def test_folders_stay_small() -> None:
    counts = Counter(file.parent.relative_to(ROOT).as_posix() for file in FILES)
    assert {name: count for name, count in counts.items() if count > MOST_FILES} == {}


FAMILIES = ("formats/", "exports/layouts/", "cli/verbs/")
"""Folders whose files have one name each for one task, in every format or for every verb."""


def test_no_two_files_have_one_name() -> None:
    names = Counter(file.name for file in FILES if SRC in file.parents and not relative(file).startswith(FAMILIES))
    assert {name for name, count in names.items() if count > 1} == {"__init__.py", "base.py"}


def test_no_two_classes_have_one_name() -> None:
    names = Counter(n.name for f in FILES if SRC in f.parents for n in ast.walk(tree(f)) if isinstance(n, ast.ClassDef))
    assert {name for name, count in names.items() if count > 1} == set()


def test_functions_stay_small() -> None:
    counts = {
        f"{relative(file)}:{node.name}": lines(node)
        for file in FILES
        for node in ast.walk(tree(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: count for name, count in counts.items() if count > MOST_FUNCTION_LINES} == {}


def lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    whole = int(node.end_lineno or node.lineno) - node.lineno + 1
    if ast.get_docstring(node) is None:
        return whole
    text = node.body[0]
    return whole - (int(text.end_lineno or text.lineno) - text.lineno + 1)


INTEGRATIONS = ("torch_dataset",)
"""Modules of classes that another package must be there for; they are imported when somebody asks for one."""


def module_names() -> list[str]:
    names = (".".join(f.relative_to(SRC).with_suffix("").parts) for f in FILES if SRC in f.parents)
    without = ("__main__", *INTEGRATIONS)
    return [name.removesuffix(".__init__") for name in names if not name.endswith(without)]


IMPORT_ALL = """
import importlib, logging, os, sys, threading
environ, handlers = dict(os.environ), list(logging.getLogger().handlers)
for name in sys.argv[1:]:
    importlib.import_module(name)
from pyspark import SparkContext
assert SparkContext._gateway is None, "a JVM was started"
assert dict(os.environ) == environ, "the environment was changed"
assert logging.getLogger().handlers == handlers, "the root logger was given a handler"
assert not logging.getLogger("imagelake").handlers, "the log was configured"
assert threading.active_count() == 1, threading.enumerate()
assert os.listdir() == [], os.listdir()
"""


def test_importing_does_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *module_names()], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("part_name", ["client", "files", "report", "formats", "storage"])
def test_no_jvm_is_needed_to_read(part_name: str, tmp_path: Path) -> None:
    """Also what these parts import in turn must do without Spark."""
    code = "import importlib, sys\nfor name in ('pyspark', 'py4j', 'delta'): sys.modules[name] = None\n"
    code += "for name in sys.argv[1:]: importlib.import_module(name)"
    wanted = ["imagelake", *(n for n in module_names() if is_within(n, f"imagelake.{part_name}"))]
    done = subprocess.run([sys.executable, "-c", code, *wanted], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", INTEGRATIONS)
def test_integrations_are_imported_within_functions_only(name: str) -> None:
    for file in FILES:
        at_the_top = [n for n in tree(file).body if isinstance(n, ast.ImportFrom) and n.module]
        assert not any(str(n.module).endswith(f".{name}") for n in at_the_top), relative(file)


def committed() -> list[Path]:
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    files = (ROOT / name.decode() for name in listed.split(b"\0") if name)
    return [f for f in files if f.is_file()]


MACHINE = [
    # in pieces, so that this file passes its own test
    "/wo" + "rk/",
    "/opt" + "/il",
    "/ro" + "ot/",
    "repo1?" + r"\.maven",
    "py" + r"pi\.org",
    "python" + "hosted",
    "crates" + r"\.io",
    "npm" + "js",
    "deb" + r"\.debian",
]


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    pattern = re.compile("|".join(MACHINE).encode())
    found = {}
    for file in committed():
        match = pattern.search(file.read_bytes())
        if match:
            found[file.relative_to(ROOT).as_posix()] = match.group()
    assert found == {}


def test_no_two_test_files_have_one_name() -> None:
    """pytest imports them by their names alone: run together, the second would not be collected."""
    names = Counter(file.name for file in (Path(__file__).parents[1]).rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
