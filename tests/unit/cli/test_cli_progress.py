"""Progress on a terminal: the stage, n of N, bytes and times; nothing anywhere else."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from imagelake.cli.bars import bar
from imagelake.cli.flags import Flags
from imagelake.cli.main import main
from imagelake.cli.shell import Shell, progress
from imagelake.core.advance import Advance
from lakes import LakeMaker
from pet_lake import Pets


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Terminal]:
    """Makes stderr a terminal; called within a test, for pytest sets its own stderr after the fixtures."""

    def replace() -> Terminal:
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "100")
        terminal = Terminal()
        monkeypatch.setattr("sys.stderr", terminal)
        return terminal

    return replace


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(Pets(LakeMaker(tmp_path_factory.mktemp("watched") / "lake")).maker.root)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("verify", "pets@v1"), ("reading images", "4 of 4", "299 B of 299 B")),
        (("get", "pets@v1", "{out}"), ("writing images", "of ")),
        (("rejections", "pets", "--export", "{out}"), ("writing rows",)),
        (("report", "pets@v1", "--out", "{out}.html"), ("writing the page",)),
    ],
)
def test_long_verbs_name_their_stage_and_count(on_terminal, lake, tmp_path: Path, line, said) -> None:
    terminal = on_terminal()
    words = [word.format(out=tmp_path / "out") for word in line]
    assert main([*words, "--lake", lake]) == 0
    shown = terminal.getvalue()
    assert all(text in shown for text in said), shown[-400:]
    assert "0:00:0" in shown


def test_quiet_shows_no_progress(on_terminal, lake) -> None:
    terminal = on_terminal()
    assert main(["verify", "pets@v1", "--lake", lake, "-q"]) == 0
    assert "reading" not in terminal.getvalue()


def test_progress_is_for_terminals_only(cli, lake) -> None:
    assert cli("verify", "pets@v1", "--lake", lake).err == ""


def test_a_bar_takes_names_literally_and_follows_the_stages(on_terminal) -> None:
    terminal = on_terminal()
    with bar(Shell(Flags())) as show:
        show(Advance("first"))
        show(Advance("[red]x[/red]\x1b[2J", 1_200, 3_400, 5_000_000, 7_000_000))
    shown = terminal.getvalue()
    assert "[red]x[/red]\\x1b[2J" in shown
    assert "1,200 of 3,400" in shown
    assert "4.77 MiB of 6.68 MiB" in shown


def test_a_sentence_stands_with_the_time_it_runs_and_comes_back_after_a_pause(on_terminal) -> None:
    terminal = on_terminal()
    with progress(Shell(Flags())) as tell:
        tell("reading [a]")
        tell.pause()
        before = terminal.getvalue()
        tell("writing b")
    shown = terminal.getvalue()
    assert "reading [a]" in before
    assert "0:00:00" in before
    assert "writing b" in shown[len(before) :]
