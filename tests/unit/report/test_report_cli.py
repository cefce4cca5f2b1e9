"""`imagelake report` on the command line."""

from __future__ import annotations

import json
import webbrowser
from pathlib import Path

import pytest

from imagelake.cli.main import main
from pet_lake import Pets


@pytest.fixture
def lake(pets: Pets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The lake's folder; the working folder is an empty one."""
    monkeypatch.delenv("IMAGELAKE_LAKE", raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return str(pets.maker.root)


def test_a_file_is_written_and_said(lake: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "pets", "--lake", lake]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith(f"{Path.cwd() / 'pets-v3.html'}  (")
    assert out[1].startswith("pets@v3 was published without a recorded verdict: 5 images with")
    assert [p.name for p in Path.cwd().iterdir()] == ["pets-v3.html"], "no temporary file stays"
    assert Path("pets-v3.html").read_text("utf-8").startswith("<!DOCTYPE html>")


def test_json_says_where_and_how_much(lake: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "pets@v1..pets@v2", "--out", "d.html", "--json", "--lake", lake]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["place"] == str(Path.cwd() / "d.html")
    assert document["bytes"] == Path("d.html").stat().st_size
    assert document["report"] == "pets@v1..pets@v2"
    assert document["counts"]["images_added"] == 1


def test_a_file_is_replaced_at_once(lake: str) -> None:
    Path("r.html").write_text("before")
    assert main(["report", "pets@draft", "--out", "r.html", "--lake", lake]) == 0
    assert "pets@draft" in Path("r.html").read_text("utf-8")


def test_stdout_gets_the_page(lake: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["report", "pets", "--out", "-", "--lake", lake]) == 0
    assert capfdbinary.readouterr().out.startswith(b"<!DOCTYPE html>")
    assert list(Path.cwd().iterdir()) == []


def test_the_browser_is_asked_to_open_it(lake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or True)
    assert main(["report", "pets", "--open", "--lake", lake]) == 0
    assert opened == [(Path.cwd() / "pets-v3.html").as_uri()]


@pytest.mark.parametrize(
    ("line", "code", "word"),
    [
        (["pets@v9"], 6, "there is no version pets@v9"),
        (["pets@v1..pets@v9"], 6, "there is no version pets@v9"),
        (["cats"], 6, "there is no dataset 'cats'"),
        (["Pets!"], 2, "Pets!"),
        (["pets", "--out", "no/such/folder.html"], 2, "cannot write"),
        (["pets", "--out", "."], 2, "cannot write"),
        (["pets", "--out", "-", "--json"], 2, "--out - writes the page to stdout"),
    ],
)
def test_what_cannot_be_done_is_said(
    lake: str, capsys: pytest.CaptureFixture[str], line: list[str], code: int, word: str
) -> None:
    assert main(["report", *line, "--lake", lake]) == code
    said = capsys.readouterr()
    assert word in said.out + said.err
    assert "Traceback" not in said.err
    assert list(Path.cwd().iterdir()) == []
