from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelake.cli.flags import DEFAULT_LAKE, Flags, command, hoist, json_layout, lake_of
from imagelake.cli.main import main
from imagelake.config.settings import load
from imagelake.errors import UsageError

VERB = ["run", "up.zip", "--dataset", "pets", "--note", "a note"]
GLOBALS = [
    ["--json=auto"],
    ["--json=lines"],
    ["-q"],
    ["-v"],
    ["--lake", "file:///x"],
    ["--lake=/y"],
    ["--set", "log.level=INFO"],
    ["--conf", "f"],
]
POSITIONS = [0, 1, 2, 4, 6]


@given(st.lists(st.tuples(st.sampled_from(GLOBALS), st.sampled_from(POSITIONS)), max_size=6))
def test_flags_may_stand_anywhere_and_the_verb_keeps_its_words(placed: list[tuple[list[str], int]]) -> None:
    line: list[str] = []
    for place in range(len(VERB) + 1):
        for words, at in placed:
            if at == place:
                line += words
        line += VERB[place : place + 1]
    flags, rest = hoist(line)
    assert rest == VERB
    assert sorted(flags) == sorted(word for words, _ in placed for word in words)


def test_after_two_dashes_nothing_is_a_flag() -> None:
    assert hoist(["sql", "--", "--json"]) == ([], ["sql", "--", "--json"])
    assert json_layout(["sql", "--", "--json"]) is None


def test_json_never_takes_the_next_word_for_its_value() -> None:
    assert hoist(["--json", "show", "pets"]) == (["--json=auto"], ["show", "pets"])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("flag", "in_a_pipe", "on_a_terminal"),
    [("--json", 1, 3), ("--json=auto", 1, 3), ("--json=lines", 1, 1), ("--json=pretty", 3, 3)],
)
@pytest.mark.parametrize("place", [0, 1])
def test_a_document_is_one_line_in_a_pipe_and_indented_on_a_terminal(
    cli, monkeypatch, flag, in_a_pipe, on_a_terminal, place
) -> None:
    line = ["version"]
    line.insert(place, flag)
    piped = cli(*line)
    assert (piped.code, len(piped.out.splitlines())) == (0, in_a_pipe)
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    assert main(line) == 0
    assert len(terminal.getvalue().splitlines()) == on_a_terminal
    assert json.loads(terminal.getvalue()) == piped.document


def test_an_error_has_the_layout_that_was_asked_for(cli) -> None:
    assert len(cli("show", "--json=lines", "--table").out.splitlines()) == 1
    assert len(cli("show", "--table", "--json=pretty").out.splitlines()) > 1


def test_the_last_json_decides(cli) -> None:
    assert len(cli("--json=pretty", "version", "--json=lines").out.splitlines()) == 1


def test_an_unknown_layout_is_refused_as_a_document(cli) -> None:
    done = cli("version", "--json=yaml")
    assert (done.code, done.document["error"]["kind"]) == (2, "usage")
    assert "yaml" in done.document["error"]["message"]
    assert "--json=lines" in done.document["error"]["hint"]


@pytest.mark.parametrize("line", [["show", "--lake"], ["--conf", "--json", "show"], ["show", "--set"]])
def test_a_flag_without_its_value_is_a_usage_error(line: list[str]) -> None:
    with pytest.raises(UsageError, match="needs a value"):
        hoist(line)


def test_the_default_lake_is_that_of_the_settings() -> None:
    assert load().lake == DEFAULT_LAKE
    assert lake_of(Flags()) == (DEFAULT_LAKE, None)


def test_the_flag_wins_over_settings(tmp_path: Path) -> None:
    conf = tmp_path / "conf.yaml"
    conf.write_text("lake: /from/conf\n")
    assert lake_of(Flags(conf=conf))[0] == "/from/conf"
    assert lake_of(Flags(conf=conf, overrides=("lake=/from/set",)))[0] == "/from/set"
    assert lake_of(Flags(lake="/from/flag", conf=conf))[0] == "/from/flag"


@pytest.mark.parametrize("lake", ["./a: b", "~", "123", "null", "./ä'\""])
def test_a_lake_is_taken_literally(lake: str) -> None:
    from imagelake.cli.flags import load_settings

    assert load_settings(Flags(lake=lake)).lake == lake


def test_suggested_commands_name_the_lake_they_are_about(monkeypatch: pytest.MonkeyPatch) -> None:
    assert command(Flags(), "show pets") == "imagelake show pets"
    assert command(Flags(lake="my lake"), "show pets") == "imagelake show pets --lake 'my lake'"
    monkeypatch.setenv("IMAGELAKE_LAKE", "my lake")
    assert command(Flags(lake="my lake"), "show pets") == "imagelake show pets"


def test_environment_names_lake_and_settings(cli, engine, monkeypatch, tmp_path) -> None:
    conf = tmp_path / "conf.yaml"
    conf.write_text("log:\n  level: ERROR\n")
    monkeypatch.setenv("IMAGELAKE_LAKE", str(tmp_path / "from-env"))
    monkeypatch.setenv("IMAGELAKE_CONF", str(conf))
    assert cli("build", "pets").code == 0
    assert engine.runs[0]["lake"] == str(tmp_path / "from-env")
    assert cli("build", "pets", "--lake", "/flag").code == 0
    assert engine.runs[1]["lake"] == "/flag"
    shown = cli("doctor", "--config", "--json").document
    assert shown["log"]["level"] == "ERROR"


@pytest.mark.parametrize(
    "line",
    [
        ("--json", "--lake", "/l", "build", "pets"),
        ("build", "--json", "pets", "--lake=/l"),
        ("build", "pets", "--lake", "/l", "--json"),
    ],
)
def test_json_and_lake_are_understood_before_and_after_the_verb(cli, engine, line) -> None:
    assert cli(*line).document["dataset"] == "pets"
    assert engine.runs[0]["lake"] == "/l"


def test_several_settings_can_be_set(cli, engine) -> None:
    shown = cli("doctor", "--set", "spark.ui=true", "--config", "--set", "lake=/else", "--json")
    assert (shown.document["spark"]["ui"], shown.document["lake"]) == (True, "/else")


def test_an_unknown_setting_names_the_nearest_one(cli) -> None:
    done = cli("doctor", "--config", "--set", "spark.drivermemory=1g", "--json")
    assert done.code == 2
    assert json.loads(done.out)["error"]["kind"] == "config"
    assert "spark.driver_memory" in done.document["error"]["hint"]
