"""Writes docs/api.md from signatures and docstrings; docs/generate.py calls it."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from imagelake import errors

SOURCE = Path(__file__).parent.parent / "src" / "imagelake"
LAKE = "client/lake.py"
WIDTH = 100


@dataclass(frozen=True)
class Entry:
    """Public names of a module: classes and functions, as people import them."""

    module: str
    home: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """A part of the page."""

    title: str
    introduction: str
    entries: tuple[Entry, ...]


SECTIONS = (
    Section(
        "Opening a lake",
        "`import imagelake` needs neither Spark nor Java.",
        (Entry("imagelake", LAKE, ("open", "Lake")),),
    ),
    Section(
        "Samples",
        "What `lake.load` gives: [Training](training.md) shows how they are used.",
        (
            Entry("imagelake", "client/data/samples.py", ("Samples",)),
            Entry("imagelake", "client/data/sample.py", ("Sample", "Annotation")),
            Entry("imagelake.client.data.stream", "client/data/stream.py", ("Stream",)),
        ),
    ),
    Section(
        "In Spark",
        '`Lakehouse` needs `pip install "imagelake[spark]"` and Java: [Your own tables in Spark](spark.md).',
        (Entry("imagelake.spark", "spark.py", ("Lakehouse", "Snapshot")),),
    ),
    Section(
        "Frames of files",
        "Bytes, sizes and paths of the files that a frame names: [Frames of files](files.md). "
        "`imagelake.files.ERRORS` is the schema of the `errors` of a result.",
        (
            Entry("imagelake.files", "files/read.py", ("reader", "RowReader", "FrameReader")),
            Entry("imagelake.files", "files/access.py", ("Options",)),
            Entry("imagelake.files", "files/write_row.py", ("write_files",)),
            Entry("imagelake.files", "files/row_pipeline.py", ("Pipeline", "PipelineResult", "WriteOptions")),
            Entry("imagelake.files", "files/temp_dirs.py", ("RowFiles",)),
            Entry("imagelake.files", "files/outcome.py", ("Outcome", "RowError")),
            Entry("imagelake.files", "files/ray.py", ("blob_reader",)),
        ),
    ),
)


def api() -> str:
    """Every public class and function with its signature and docstring."""
    return "\n".join(_page()).rstrip() + "\n"


def _page() -> Iterator[str]:
    yield "# Python\n\nGenerated from signatures and docstrings by `docs/generate.py`."
    for section in SECTIONS:
        yield f"\n## {section.title}\n\n{section.introduction}\n"
        for entry in section.entries:
            tree = ast.parse((SOURCE / entry.home).read_text("utf-8"))
            nodes = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
            for name in entry.names:
                yield from _entry(entry.module, nodes[name])
        if section is SECTIONS[0]:
            yield from _answers()
    yield from _errors()


def _answers() -> Iterator[str]:
    """A row for each class that a method of Lake gives."""
    tree = ast.parse((SOURCE / LAKE).read_text("utf-8"))
    homes = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    (lake,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
    results = (ast.walk(method.returns) for method in _members(lake) if method.returns is not None)
    names = [node.id for nodes in results for node in nodes if isinstance(node, ast.Name) and node.id in homes]
    yield "### What its methods give\n\nFrozen values, all but `Samples` with `as_json()`: the document of `--json`.\n"
    yield "| class | what it is | fields |\n|---|---|---|"
    for name in (name for name in names if name != "Samples"):
        home = SOURCE.parent / f"{homes[name].replace('.', '/')}.py"
        nodes = (node for node in ast.parse(home.read_text("utf-8")).body if isinstance(node, ast.ClassDef))
        (node,) = (node for node in nodes if node.name == name)
        fields = ", ".join(f"`{field.partition(':')[0]}`" for field in _fields(node))
        yield f"| `{name}` | {_summary(node)} | {fields} |"


def _summary(node: ast.ClassDef) -> str:
    """The first paragraph of a docstring, in one line."""
    return " ".join(_text(node).partition("\n\n")[0].split()).replace("|", "\\|")


def _errors() -> Iterator[str]:
    """A row for each error."""
    yield "\n## Errors\n\nAll are an `imagelake.ImagelakeError`, with `message`, `hint`, `kind` and `exit_code`.\n"
    yield "| error | exit code | meaning |\n|---|---|---|"
    for error in vars(errors).values():
        if isinstance(error, type) and issubclass(error, errors.ImagelakeError):
            yield f"| `imagelake.{error.__name__}` | {error.exit_code} | {inspect.getdoc(error)} |"


def _entry(module: str, node: ast.FunctionDef | ast.ClassDef) -> Iterator[str]:
    yield f"### {module}.{node.name}\n"
    if isinstance(node, ast.FunctionDef):
        yield from _function(f"{module}.{node.name}", node)
        return
    fields, members = _fields(node), list(_members(node))
    if node.name == "Lake":
        fields = []  # people get one from imagelake.open
    construct = next((m for m in node.body if isinstance(m, ast.FunctionDef) and m.name == "__init__"), None)
    if construct is not None:
        yield _code(_signature(f"{module}.{node.name}", construct, result=False))
    elif fields:
        yield _code("\n".join(fields))
    yield _text(node) + "\n"
    for member in members:
        yield f"#### {node.name}.{member.name}\n"
        yield from _function(f"{node.name}.{member.name}", member)


def _function(name: str, node: ast.FunctionDef) -> Iterator[str]:
    yield _code(_signature(name, node))
    yield _text(node) + "\n"


def _members(node: ast.ClassDef) -> Iterator[ast.FunctionDef]:
    """The public methods and properties."""
    for member in node.body:
        if isinstance(member, ast.FunctionDef) and not member.name.startswith("_"):
            yield member


def _fields(node: ast.ClassDef) -> list[str]:
    """The public fields of a dataclass, with their types and plain defaults; class variables of errors too."""
    shown = []
    for member in node.body:
        if not isinstance(member, ast.AnnAssign) or not isinstance(member.target, ast.Name):
            continue
        if member.target.id.startswith("_"):
            continue
        plain = member.value is not None and not isinstance(member.value, ast.Call)
        default = f" = {ast.unparse(member.value)}" if plain and member.value is not None else ""
        shown.append(f"{member.target.id}: {ast.unparse(member.annotation)}{default}")
    return shown


def _signature(name: str, node: ast.FunctionDef, *, result: bool = True) -> str:
    """The call with types and defaults, in lines of parameters where it is long; a property without brackets."""
    decorators = {ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list}
    returns = f" -> {ast.unparse(node.returns)}" if result and node.returns is not None else ""
    if decorators & {"property", "cached_property"}:
        return f"{name}{returns.replace(' ->', ':')}"
    parameters = _parameters(node.args)
    line = f"{name}({', '.join(parameters)}){returns}"
    if len(line) <= WIDTH:
        return line
    inside = "".join(f"    {parameter},\n" for parameter in parameters)
    return f"{name}(\n{inside}){returns}"


def _parameters(arguments: ast.arguments) -> list[str]:
    """Parameters in order, without self and cls."""
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    shown = [_parameter(a, d) for a, d in zip(positional, defaults, strict=True) if a.arg not in ("self", "cls")]
    if arguments.vararg is not None:
        shown.append(f"*{_parameter(arguments.vararg, None)}")
    elif arguments.kwonlyargs:
        shown.append("*")
    shown += [_parameter(a, d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    return shown


def _parameter(argument: ast.arg, default: ast.expr | None) -> str:
    kind = f": {ast.unparse(argument.annotation)}" if argument.annotation is not None else ""
    if default is None:
        return f"{argument.arg}{kind}"
    return f"{argument.arg}{kind}{' = ' if kind else '='}{ast.unparse(default)}"


def _code(text: str) -> str:
    return f"```text\n{text}\n```\n"


def _text(node: ast.FunctionDef | ast.ClassDef) -> str:
    """The docstring; lines of code in it, which are indented, as code."""
    text = inspect.cleandoc(ast.get_docstring(node) or "")
    return re.sub(r"docs/(\w+\.md)", r"[\1](\1)", text)
