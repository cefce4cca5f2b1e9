from __future__ import annotations

import io
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from imagelake.cli.plain import safe
from imagelake.cli.render.grid import grid
from imagelake.cli.shell import console, plain, write_json

HOSTILE = "a\x1b[31mred\x1b]0;title\x07\x9b2J\r\nb\u202egpj.exe\u2066\u2028[red]x[/red] :smile:"


@given(st.text())
def test_nothing_a_terminal_obeys_is_left(text: str) -> None:
    allowed = {"\u200c", "\u200d"}
    assert not [c for c in safe(text) if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c not in allowed]


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_printable_text_stays_as_it_is(text: str) -> None:
    assert safe(text) == text


@given(st.text(), st.integers(1, 40))
def test_text_is_cut_before_it_is_spelled_out(text: str, limit: int) -> None:
    shown = safe(text, limit)
    assert shown == safe(text) or shown.endswith("…")


def test_control_characters_are_spelled_out() -> None:
    assert safe("a\x1b[2Jb\n\u202e\x9b") == "a\\x1b[2Jb\\n\\u202e\\x9b"


def test_surrogates_of_undecodable_names_are_spelled_out() -> None:
    assert safe("a\udcff") == "a\\udcff"


def test_tables_take_text_of_uploads_literally() -> None:
    out = io.StringIO()
    grid(console(out), [{"name": HOSTILE, "n": 3}], ["name", "n"], "[bold]t[/bold]")
    shown = out.getvalue()
    assert "\x1b" not in shown
    assert "\x9b" not in shown
    assert "\u202e" not in shown
    assert "[red]x[/red] :smile:" in shown
    assert "[bold]t[/bold]" in shown


def test_json_is_ascii_and_valid_whatever_it_holds() -> None:
    out = io.StringIO()
    write_json(out, {"a": HOSTILE, "n": float("nan"), "b": b"\x00\xff", "s": "\udc80"})
    assert out.getvalue().isascii()
    assert plain({"n": float("nan"), "b": b"\x00\xff"}) == {"n": None, "b": "00ff"}
