"""The entry of the benchmarks: what is declared, what is compared, and what the docs show."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from benchmarks import __main__ as entry
from benchmarks.harness import process, table
from benchmarks.harness.coco import Labels, relabelling, upload
from benchmarks.harness.declare import Benchmark, Row
from benchmarks.harness.gateway import figures
from benchmarks.harness.lakes import fresh_copy
from benchmarks.harness.machine import Machine
from benchmarks.harness.steps import Address, Uploads, steps
from benchmarks.harness.table import Result
from benchmarks.scale_s3 import require_equal
from tests.integration.buckets import asked
from tests.servers.server import Server

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "benchmarks").glob("**/*.py"))
MACHINE = Machine("a processor", 2, 0.5, 0.01)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_what_a_benchmark_imports_is_there(file: Path) -> None:
    nodes = [n for n in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(n, ast.ImportFrom)]
    ours = [n for n in nodes if (n.module or "").partition(".")[0] == "imagelake"]
    for node in ours:
        module = importlib.import_module(str(node.module))
        for name in node.names:
            if not hasattr(module, name.name):
                importlib.import_module(f"{node.module}.{name.name}")


def _result(*rows: Row) -> Result:
    return Result("one", "small", MACHINE, rows)


@pytest.fixture
def one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A benchmark `one` of two rows, and a folder for committed tables and docs."""
    rows = (Row("quick", 2.0, "less", {"s": "0.5"}), Row("rate", 10.0, "more"))
    declared = Benchmark("one", "A thing.", "another thing.", "Once.", lambda _: rows, lambda _: rows)
    monkeypatch.setattr(entry, "benchmark", lambda name: declared)
    monkeypatch.setattr(entry, "names", lambda: ("one",))
    monkeypatch.setattr(entry, "look", lambda: MACHINE)
    monkeypatch.setattr(table, "RESULTS", tmp_path)
    monkeypatch.setattr(table, "DOCS", tmp_path / "docs.md")
    (tmp_path / "docs.md").write_text("before\n\n<!-- table one small -->\n<!-- end -->\n\nafter\n")
    return tmp_path


@pytest.mark.parametrize("name", entry.names())
def test_every_module_declares_one_benchmark(name: str) -> None:
    text = (ROOT / "benchmarks" / f"{name}.py").read_text("utf-8")
    assert re.search(r"^BENCHMARK = Benchmark\(", text, re.MULTILINE)
    assert f'name="{name}"' in text


def test_a_run_prints_its_table_and_saves_it_into_the_docs(one: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main(["one", "--small", "--save"]) == 0
    printed = capsys.readouterr().out
    assert "|  | ratio | s |" in printed
    assert "| quick | 2.00 | 0.5 |" in printed
    assert "load 0.5, 1% of the processor taken by others" in printed
    page = (one / "docs.md").read_text()
    assert page.startswith("before\n\n<!-- table one small -->\n\n|  | ratio | s |")
    assert page.endswith("<!-- end -->\n\nafter\n")
    assert "| rate | 10.0 |  |" in page


def test_a_check_fails_on_a_loss_of_more_than_a_quarter(one: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table.save(_result(Row("quick", 1.61, "less"), Row("rate", 13.3, "more")))
    assert entry.main(["all", "--small", "--check"]) == 0
    table.save(_result(Row("quick", 1.59, "less"), Row("rate", 13.4, "more")))
    capsys.readouterr()
    assert entry.main(["all", "--small", "--check"]) == 1
    said = capsys.readouterr().err
    assert "one: quick: ratio 2.00, committed 1.59, less is better" in said
    assert "one: rate: ratio 10.00, committed 13.40, more is better" in said


def test_a_row_that_is_gone_fails_a_check(one: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table.save(_result(Row("lost", 1.0, "less")))
    assert entry.main(["one", "--small", "--check"]) == 1
    assert "one: lost: this run has no such row" in capsys.readouterr().err


def test_a_check_without_a_committed_table_says_so(one: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main(["one", "--small", "--check"]) == 0
    assert "one: there is no committed table of size small" in capsys.readouterr().err


def test_the_docs_show_the_committed_tables() -> None:
    page = table.DOCS.read_text("utf-8")
    assert "<!-- table " in page
    assert table.with_tables(page) == page


def test_committed_tables_belong_to_benchmarks_and_have_distinct_rows() -> None:
    for path in table.RESULTS.glob("*.json"):
        name, size, _ = path.name.split(".")
        assert name in entry.names()
        result = table.committed(name, size)
        assert result is not None
        assert len({row.name for row in result.rows}) == len(result.rows)


def test_a_process_tree_is_measured_with_what_outlives_the_command() -> None:
    spin = "import time; end = time.process_time() + 0.4\nwhile time.process_time() < end: pass"
    start = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {spin!r}]); print('started')"
    used = process.measure((sys.executable, "-c", start))
    assert used.cpu >= 0.4
    assert used.out == "started\n"
    assert used.largest > 1


def test_a_command_that_fails_is_no_measurement() -> None:
    with pytest.raises(RuntimeError, match=r"ended with 3: broken"):
        process.measure((sys.executable, "-c", "import sys; print('broken', file=sys.stderr); sys.exit(3)"))


def test_uploads_are_the_same_for_one_seed(tmp_path: Path) -> None:
    labels = Labels(range(3), 2, 1)
    first, again = (ZipFile(upload(tmp_path / name, labels)) for name in ("a.zip", "b.zip"))
    assert first.namelist() == [*(f"images/0000000{n}.jpg" for n in range(3)), "annotations.json"]
    assert [first.read(name) for name in first.namelist()] == [again.read(name) for name in again.namelist()]
    assert len({first.read(name) for name in first.namelist()}) == 4
    assert ZipFile(relabelling(tmp_path / "c.zip", labels)).namelist() == ["annotations.json"]


def test_a_copy_of_a_lake_can_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "imagelake.json").write_text("one")
    copy = fresh_copy(tmp_path / "lake", tmp_path / "copy")
    (copy / "imagelake.json").write_text("two")
    assert (tmp_path / "lake" / "imagelake.json").read_text() == "one"


def test_a_command_is_measured_with_the_variables_of_its_lake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "stays")
    lake = Address("s3://a-bucket/lake", {"AWS_REGION": "nowhere-1"})
    show = "import os; print(os.environ['OURS'], os.environ['AWS_REGION'])"
    assert lake.measure((sys.executable, "-c", show)).out == "stays nowhere-1\n"


def test_the_steps_on_disk_and_in_a_bucket_differ_in_the_root_of_the_lake_alone(tmp_path: Path) -> None:
    zips = Uploads(2, tmp_path / "tiny.zip", tmp_path / "first.zip", tmp_path / "new.zip")
    disk, s3 = (steps(Address(root), zips) for root in ("/lake", "s3://a-bucket/lake"))
    for local, remote in zip(disk, s3, strict=True):
        assert local.command.count("/lake") == 1
        assert ["s3://a-bucket/lake" if word == "/lake" else word for word in local.command] == list(remote.command)


def test_requests_are_counted_by_kind_from_the_log_of_the_gateway(tmp_path: Path) -> None:
    requests = [
        ("GET /b?list-type=2&prefix=lake%2F", 200, 506),
        ("GET /b/lake/imagelake.json", 200, 100),
        ("HEAD /b/lake/absent", 404, 0),
        ("PUT /b/lake/one", 412, 1_000_000),
        ("POST /b/lake/big?uploads", 200, 300),
        ("POST /b?delete", 200, 94),
        ("DELETE /b/lake/one", 204, 0),
    ]
    lines = [
        f'1 beast: 0x7f: 127.0.0.1 - lake [27/Nov/2026] "{line} HTTP/1.1" {status} {size} - "Boto3" - latency=0.1s\n'
        for line, status, size in requests
    ]
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "client.rgw.log").write_text("".join(lines))
    server = Server("rgw", "http://127.0.0.1:1", None, None, "access", "secret", "us-east-1", tmp_path)
    counts = {"GET/HEAD": "2", "PUT/POST": "2", "LIST": "1", "DELETE": "2"}
    assert figures(asked(server)) == counts | {"MB moved": "1.0"}


def test_a_digest_that_differs_between_disk_and_bucket_fails_the_run() -> None:
    disk = {"show big@v1": {"digest": "d1:a"}, "verify big@v1": {"digest": "d1:a", "images_checked": 2}}
    require_equal(disk, {name: dict(said) for name, said in disk.items()})
    with pytest.raises(RuntimeError) as caught:
        require_equal(disk, disk | {"verify big@v1": {"digest": "d1:b", "images_checked": 2}})
    assert str(caught.value).startswith("verify big@v1: {'digest': 'd1:a'")
    assert "d1:b" in str(caught.value)
