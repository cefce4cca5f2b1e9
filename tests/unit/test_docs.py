from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from documents import JOBS, PAGES, ROOT, anchors, blocks, check, commands, links, verbs
from pydantic import BaseModel

import imagelake
from imagelake import errors
from imagelake.client.data.sample import Annotation, Sample
from imagelake.client.data.samples import Samples
from imagelake.client.data.stream import Stream
from imagelake.client.lake import Lake
from imagelake.config.dataset_settings import DatasetSettings
from imagelake.config.settings import validate
from imagelake.geometry.boxes import voc_to_bbox
from imagelake.spark import Lakehouse

REFERENCE = ROOT / "docs/reference.md"
OPERATE = ROOT / "docs/operate.md"
PYPROJECT = ROOT / "pyproject.toml"
ON_PAGES = [pytest.param(page, id=page.name) for page in PAGES]


@pytest.mark.parametrize("page", ON_PAGES)
def test_every_command_is_one_the_parser_accepts(page: Path) -> None:
    for words in commands(page):
        if words[0] == "imagelake":
            check(words[1:])
        elif words[0] == "spark-submit":
            job = Path(words[1])
            assert (ROOT / job).is_file()
            check([JOBS[job.stem], *words[2:]])
        else:
            assert words[0] in ("make", "pip"), words


@pytest.mark.parametrize("page", ON_PAGES)
def test_python_compiles_and_its_names_exist(page: Path) -> None:
    known = {
        "imagelake": imagelake,
        "lake": Lake,
        "train": Samples,
        "stream": Stream,
        "sample": Sample,
        "annotation": Annotation,
        "lakehouse": Lakehouse,
    }
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in known:
                thing = known[node.value.id]
                assert node.attr in {*dir(thing), *getattr(thing, "__dataclass_fields__", ())}, ast.unparse(node)


@pytest.mark.parametrize("page", ON_PAGES)
def test_json_and_yaml_parse(page: Path) -> None:
    for block in blocks(page, "json"):
        json.loads(block)
    for block in blocks(page, "yaml"):
        yaml.safe_load(block)


@pytest.mark.parametrize("page", ON_PAGES)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in links(page):
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there), f"{target}#{anchor}"


def test_every_page_is_reached_from_the_index() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "docs" / "index.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        targets = [(page.parent / target).resolve() for target, _ in links(page) if target]
        waiting += [target for target in targets if target.suffix == ".md"]
        waiting += [decision for target in targets if target.is_dir() for decision in target.glob("*.md")]
    assert [page.name for page in (ROOT / "docs").rglob("*.md") if page not in reached] == []


def test_the_index_lists_every_page() -> None:
    index = ROOT / "docs" / "index.md"
    listed = {target for target, _ in links(index)}
    assert [page.name for page in (ROOT / "docs").glob("*.md") if page != index and page.name not in listed] == []


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_the_pythons_of_a_page_are_those_of_the_package(page: str) -> None:
    requires = re.search(r'^requires-python = ">=3\.(\d+),<3\.(\d+)"$', PYPROJECT.read_text("utf-8"), re.MULTILINE)
    assert requires is not None
    first, after = map(int, requires.groups())
    ranges = re.findall(r"Python (3\.\d+) to (3\.\d+)", (ROOT / page).read_text("utf-8"))
    assert ranges == [(f"3.{first}", f"3.{after - 1}")]


def test_the_corners_of_voc_are_read_as_the_page_of_formats_says() -> None:
    text = (ROOT / "docs" / "formats.md").read_text("utf-8")
    (example,) = re.findall(
        r"`xmin=(\d+) ymin=(\d+) xmax=(\d+) ymax=(\d+)` is the box (\d+), (\d+), (\d+), (\d+)", text
    )
    corners, box = tuple(map(float, example[:4])), tuple(map(float, example[4:]))
    assert voc_to_bbox(*corners) == box
    assert voc_to_bbox(1, 1, 640, 480) == (0, 0, 640, 480)


def test_the_reference_names_every_verb_and_no_other() -> None:
    table = re.findall(r"^\| `(\w+)[^|]*` \|", REFERENCE.read_text("utf-8"), re.MULTILINE)
    assert set(table) == set(verbs())


@pytest.mark.parametrize("verb", sorted(verbs()))
def test_the_reference_names_every_option(verb: str) -> None:
    text = REFERENCE.read_text("utf-8")
    options = [o for p in verbs()[verb].params for o in p.opts if o.startswith("--") and o != "--help"]
    assert [o for o in options if o not in text] == []


def exit_codes() -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for value in vars(errors).values():
        if isinstance(value, type) and issubclass(value, errors.ImagelakeError) and value is not errors.ImagelakeError:
            found.setdefault(value.exit_code, set()).add(value.kind)
    return found


def test_the_reference_names_every_kind_of_error_under_its_exit_code() -> None:
    rows = re.findall(r"^\| (\d+) \|([^|]*)\|", REFERENCE.read_text("utf-8"), re.MULTILINE)
    listed = {int(code): set(re.findall(r"`(\w+)`", kinds)) for code, kinds in rows}
    for code, kinds in exit_codes().items():
        assert kinds <= listed[code]
    assert set(listed) == {0, *exit_codes(), 130}


def test_operating_names_the_same_exit_codes() -> None:
    listed = re.findall(r"^\| (\d+) \| [^|]+ \| (yes|no|)", OPERATE.read_text("utf-8"), re.MULTILINE)
    assert {int(code) for code, _ in listed} == {0, *exit_codes(), 130}
    assert {int(code) for code, again in listed if again == "yes"} == {1, 5, 130}


def leaves(model: type[BaseModel]) -> dict[str, Any]:
    return model().model_dump()


def test_every_setting_of_a_dataset_is_shown_with_its_default() -> None:
    (block,) = blocks(OPERATE, "yaml")
    shown = yaml.safe_load(block)
    assert shown == leaves(DatasetSettings)
    validate(DatasetSettings, shown, "docs/operate.md")


def test_a_ready_file_is_shown_as_the_landing_folder_takes_it() -> None:
    from imagelake.runs.landing import ReadyOptions

    (block,) = blocks(OPERATE, "json")
    assert set(json.loads(block)) == set(ReadyOptions.model_fields)
    ReadyOptions.model_validate_json(block)


def test_the_airflow_example_is_python_that_calls_a_known_command() -> None:
    source = (ROOT / "docs/airflow_dag.py").read_text("utf-8")
    tree = ast.parse(source)
    compile(tree, "airflow_dag.py", "exec")
    lists = [node for node in ast.walk(tree) if isinstance(node, ast.List)]
    words = next([e.value if isinstance(e, ast.Constant) else "/lake" for e in node.elts] for node in lists)
    assert words[0] == "imagelake"
    check(words[1:])


def test_the_cron_example_calls_a_known_command() -> None:
    (block,) = blocks(OPERATE, "cron")
    words = block.partition(">>")[0].split()
    check(words[words.index("imagelake") + 1 :])


@pytest.mark.parametrize("page", ON_PAGES)
def test_rules_that_are_named_exist(page: Path) -> None:
    source = "".join(path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py"))
    text = page.read_text("utf-8")
    for block in blocks(page, "python"):
        text = text.replace(block, "")
    named = set(re.findall(r"\b(?:image|annotation|category)\.[a-z_]+\b", text))
    assert [rule for rule in sorted(named) if f'"{rule}"' not in source] == []
