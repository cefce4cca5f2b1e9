from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from imagelake.config.settings import LogSettings
from imagelake.core import log
from imagelake.errors import ConfigError


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    logger = logging.getLogger("imagelake")
    before, level = list(logger.handlers), logger.level
    yield
    logger.handlers[:] = before
    logger.setLevel(level)


def test_messages_from_the_level_on_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(LogSettings(level="info"))
    logging.getLogger("imagelake.some.module").info("read %d files", 3)
    logging.getLogger("imagelake.some.module").debug("hidden")
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.endswith("info imagelake.some.module: read 3 files\n")
    assert "hidden" not in said.err


def test_configured_twice_it_still_says_things_once(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(LogSettings())
    log.configure(LogSettings())
    logging.getLogger("imagelake").warning("once")
    assert capsys.readouterr().err.count("once") == 1


def test_a_name_from_an_upload_cannot_forge_a_line_or_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(LogSettings())
    logging.getLogger("imagelake").warning("took %s", "a.jpg\n12:00:00 error imagelake: all is lost\x1b[2J")
    assert capsys.readouterr().err.count("\n") == 1


def test_a_traceback_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(LogSettings())
    try:
        raise ValueError("deep down")
    except ValueError:
        logging.getLogger("imagelake").exception("failed")
    assert "Traceback" in capsys.readouterr().err


def test_the_root_logger_is_left_alone() -> None:
    before = list(logging.getLogger().handlers)
    log.configure(LogSettings(level="DEBUG"))
    assert logging.getLogger().handlers == before


def test_an_unknown_level_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"log\.level = 'LOUD'") as told:
        log.configure(LogSettings(level="LOUD"))
    assert "WARNING" in str(told.value.hint)
