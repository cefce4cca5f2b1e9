from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelake.formats.names import category_name, file_name

PIECES = st.sampled_from(
    [
        "/",
        "\\",
        "//",
        "\\\\",
        ".",
        "..",
        " ",
        "\u2003",
        "C:",
        "c:",
        "http:",
        "s3:",
        "a",
        "B.jpg",
        "e\u0301",
        "\u212a:",
        "\t",
    ]
)
NAMES = st.one_of(st.lists(PIECES, max_size=12).map("".join), st.text(st.characters(), max_size=20))


@pytest.mark.parametrize(
    ("written", "file", "absolute"),
    [
        ("a.jpg", "a.jpg", False),
        ("./images//a.jpg", "images/a.jpg", False),
        (" images/a b.jpg\n", "images/a b.jpg", False),
        ("images\\a.jpg", "images/a.jpg", False),
        ("/home/x/a.jpg", "home/x/a.jpg", True),
        ("//home/x/a.jpg", "home/x/a.jpg", True),
        ("C:\\x\\a.jpg", "x/a.jpg", True),
        ("C:/x/a.jpg", "x/a.jpg", True),
        ("/C:/x/a.jpg", "x/a.jpg", True),
        ("c:a.jpg", "a.jpg", True),
        ("\\\\host\\share\\x\\a.jpg", "x/a.jpg", True),
        ("\\\\host\\share\\a.jpg", "a.jpg", True),
        ("\\\\?\\C:\\x\\a.jpg", "x/a.jpg", True),
        ("\\\\x\\a.jpg", "a.jpg", True),
        ("\\x\\a.jpg", "x/a.jpg", True),
        ("e\u0301.jpg", "\u00e9.jpg", False),
        ("...jpg", "...jpg", False),
        ("a..b/c.jpg", "a..b/c.jpg", False),
    ],
)
def test_a_name_is_a_path_without_its_root(written: str, file: str, absolute: bool) -> None:
    name = file_name(written)
    assert (name.file, name.absolute, name.backslash) == (file, absolute, "\\" in written)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("../a.jpg", "leaves the upload"),
        ("/x/../a.jpg", "leaves the upload"),
        ("C:\\..\\a.jpg", "leaves the upload"),
        ("\\\\host\\share\\..\\a.jpg", "leaves the upload"),
        ("http://example.org/a.jpg", "leaves the upload"),
        ("/s3://bucket/a.jpg", "leaves the upload"),
        ("file:a.jpg", "leaves the upload"),
        ("a\x00.jpg", "control character"),
        ("a\ud800.jpg", "control character"),
        ("", "names no file"),
        ("/", "names no file"),
        ("C:\\", "names no file"),
        ("\\\\", "names no file"),
        (" . / ./", "names no file"),
    ],
)
def test_a_name_that_reaches_outside_or_is_no_path_is_refused(written: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        file_name(written)


@given(NAMES)
def test_a_normalised_name_has_only_real_parts_and_stays_as_it_is(written: str) -> None:
    try:
        name = file_name(written)
    except ValueError:
        return
    assert not {"", ".", ".."} & set(name.file.split("/"))
    assert "\\" not in name.file
    assert unicodedata.is_normalized("NFC", name.file)
    again = file_name(name.file)
    assert (again.file, again.absolute) == (name.file, False)


def test_a_name_of_a_million_parts_takes_no_time_of_its_square() -> None:
    assert file_name(" / ./C:" * 200_000 + "/a.jpg" + "/ ." * 200_000).file.endswith("a.jpg")


@pytest.mark.parametrize(
    ("written", "name"),
    [(" cat\n", "cat"), ("e\u0301", "\u00e9"), ("\u2000big  cat\u2003", "big  cat"), ("\u3000 ", "")],
)
def test_a_category_is_trimmed_and_in_normal_form(written: str, name: str) -> None:
    assert category_name(written) == name


@given(st.text())
def test_the_name_of_a_category_stays_as_it_is(written: str) -> None:
    assert category_name(category_name(written)) == category_name(written)
