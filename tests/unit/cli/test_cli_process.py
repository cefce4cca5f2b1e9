"""What only a process of its own shows: streams, imports, the jobs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def python(code: str, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, timeout=60)


def test_with_json_everything_else_goes_to_stderr() -> None:
    """A JVM inherits descriptor 1; libraries print. The document must stay alone all the same."""
    code = """if True:
        import os, sys
        from imagelake.cli import main
        from imagelake.cli.verbs import look
        def noisy(context):
            print("printed")
            os.write(1, b"from a descriptor\\n")
            os.system("echo from a child")
            look.write_json(context.obj.out, {"alone": True})
        look.version = noisy
        sys.exit(main.main(["--version", "--json"]))
    """
    done = python(code)
    assert json.loads(done.stdout) == {"alone": True}
    assert all(text in done.stderr for text in ("printed", "from a descriptor", "from a child"))


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    code = f"{sys.executable} -m imagelake doctor --config | head -n 1"
    done = subprocess.run(["/bin/sh", "-c", code], capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr


def test_the_start_imports_neither_rich_nor_pydantic_nor_an_engine() -> None:
    code = """if True:
        import sys
        from imagelake.cli.main import main
        main(["--version"])
        found = {"rich", "pydantic", "yaml", "pyspark", "duckdb", "deltalake", "pyarrow"} & set(sys.modules)
        sys.exit(f"imported: {found}" if found else 0)
    """
    done = python(code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("line", [["show"], ["show", "pets"], ["sql", "select 1"], ["rejections", "pets"]])
def test_verbs_that_look_import_no_pyspark(line: list[str], tmp_path: Path) -> None:
    code = """if True:
        import sys
        from imagelake.cli.main import main
        main(sys.argv[1:])
        sys.exit("pyspark was imported" if "pyspark" in sys.modules else 0)
    """
    done = python(code, *line, "--lake", str(tmp_path))
    assert done.returncode == 0, done.stderr


def test_python_m_imagelake_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "imagelake", "version"], capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("imagelake ")


@pytest.mark.parametrize(
    ("job", "verb"),
    [
        ("ingest", "ingest"),
        ("build", "build"),
        ("publish", "publish"),
        ("gate", "gate"),
        ("maintain", "maintain"),
        ("pipeline", "run"),
    ],
)
def test_a_job_is_its_verb(job: str, verb: str) -> None:
    path = ROOT / "jobs" / f"{job}.py"
    shown = subprocess.run([sys.executable, str(path), "--help"], capture_output=True, text=True, timeout=60)
    command = [sys.executable, "-m", "imagelake", verb, "--help"]
    assert shown.stdout == subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    assert len(path.read_text().splitlines()) <= 25


def test_a_job_ends_with_the_exit_code_of_its_verb(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "jobs/ingest.py"), str(tmp_path / "no.zip"), "--dataset", "pets", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 6
    assert json.loads(done.stdout)["error"]["kind"] == "not_found"
