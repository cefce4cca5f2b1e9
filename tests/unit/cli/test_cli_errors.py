from __future__ import annotations

import subprocess
import sys

import pytest

from imagelake.errors import Conflict, GateFailed, IntegrityError, Locked, NotFound, UploadRejected, UsageError
from lakes import LakeMaker

CASES = [
    (UsageError("wrong"), 2, "usage"),
    (UploadRejected("bad zip"), 3, "upload_rejected"),
    (GateFailed("too many rejected"), 4, "gate_failed"),
    (Locked("held"), 5, "locked"),
    (Conflict("raced"), 5, "conflict"),
    (NotFound("no lake"), 6, "not_found"),
    (IntegrityError("contradiction"), 1, "integrity"),
]


@pytest.mark.parametrize(("error", "code", "kind"), CASES)
def test_an_error_is_one_document_and_its_exit_code(cli, client, error, code, kind) -> None:
    client.error = error
    done = cli("show", "--json")
    assert done.code == code
    assert done.document == {"error": {"kind": kind, "message": error.message, "hint": None}}


def test_an_error_is_one_line_and_a_hint_for_people(cli, client) -> None:
    client.error = NotFound("no lake at\x1b[2J x", hint="make one")
    done = cli("show")
    assert (done.code, done.out) == (6, "")
    assert done.err.splitlines() == ["error: no lake at\\x1b[2J x", "hint: make one"]


def test_an_unexpected_error_is_one_line_without_a_traceback(cli, client) -> None:
    client.error = RuntimeError("JVM said no\n\tat org.apache.spark\n\tat …")
    done = cli("show")
    assert done.code == 1
    assert done.err.splitlines()[0] == "error: RuntimeError: JVM said no"
    assert "Traceback" not in done.err
    assert "Traceback" in cli("show", "--verbose").err


def test_an_unexpected_error_is_a_document_too(cli, client) -> None:
    client.error = KeyError("x")
    error = cli("show", "--json").document["error"]
    assert (error["kind"], error["message"]) == ("unexpected", "KeyError: 'x'")


def test_interrupting_is_one_line_and_130(cli, engine) -> None:
    engine.error = KeyboardInterrupt()
    done = cli("build", "pets")
    assert done.code == 130
    assert done.err.splitlines()[0] == "error: interrupted"


def test_a_job_cancelled_by_interrupting_is_an_interruption(cli, engine) -> None:
    try:
        try:
            raise KeyboardInterrupt
        finally:
            raise RuntimeError("job cancelled")
    except RuntimeError as error:
        engine.error = error
    assert cli("build", "pets", "--json").document["error"]["kind"] == "interrupted"
    assert cli("build", "pets").code == 130


@pytest.mark.parametrize(
    ("line", "names"),
    [
        (("ingest",), "UPLOAD"),
        (("fly",), "fly"),
        (("show", "--nosuch"), "--nosuch"),
        (("build", "pets", "more"), "more"),
        (("ingest", "x.zip", "-d", "pets", "--mode", "merge"), "append"),
        (("show", "--lake"), "--lake"),
    ],
)
def test_a_wrong_command_line_has_the_same_shape(cli, line, names) -> None:
    done = cli(*line, "--json") if line[-1] != "--lake" else cli("--json", *line)
    assert done.code == 2
    assert done.document["error"]["kind"] == "usage"
    assert names in done.document["error"]["message"]
    assert "--help" in done.document["error"]["hint"]
    plain = cli(*line)
    assert plain.code == 2
    assert plain.err.startswith("error: ")


@pytest.mark.parametrize("line", [("ingest", "UP", "-d", "pets"), ("run", "UP", "-d", "pets"), ("build", "pets"),
                                  ("publish", "pets"), ("gate", "pets"), ("run", "--landing")])  # fmt: skip
def test_a_verb_that_needs_spark_says_how_to_install_it(line, tmp_path) -> None:
    upload = tmp_path / "up.zip"
    upload.write_bytes(b"PK")
    words = [str(upload) if word == "UP" else word for word in (*line, "--lake", str(tmp_path / "lake"))]
    program = (
        "import sys; sys.modules.update(pyspark=None, py4j=None, delta=None); from imagelake.cli.main import main; "
        f"sys.exit(main({words!r}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == 'hint: pip install "imagelake[spark]"'
    assert [text for text in done.stderr.splitlines() if text.startswith("error: ")] == [done.stderr.splitlines()[0]], (
        "one line"
    )
    assert "not installed" in done.stderr
    assert not (tmp_path / "lake").exists()


def test_a_condition_that_is_wrong_is_answered_in_its_own_words(cli, tmp_path) -> None:
    maker = LakeMaker(tmp_path / "lake")
    maker.image("pets", "a.png")
    maker.deliver("pets")
    maker.flush()
    done = cli("remove", "pets", "--where", "widht < 64", "--lake", str(maker.root))
    assert done.code == 2
    assert done.err.splitlines()[0] == "error: condition 'widht < 64': there is no column 'widht'"
    assert done.err.splitlines()[1].startswith("hint: did you mean width? columns of images: dataset, image_key, ")
