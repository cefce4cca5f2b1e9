"""Columns become lists as Arrow itself makes them."""

from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from imagelake.client.delta.arrow_columns import plain_values

TEXTS = st.lists(st.none() | st.text(max_size=3), max_size=20)
NUMBERS = st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=20)


@given(chunks=st.lists(TEXTS.map(lambda t: pa.array(t, pa.string()).dictionary_encode()), min_size=1, max_size=3))
def test_texts_in_dictionaries(chunks: list[Any]) -> None:
    column = pa.chunked_array(chunks)
    for part in (column, column.slice(1), column.slice(2, 3)):
        assert plain_values(part) == part.to_pylist()


@given(chunks=st.lists(NUMBERS.map(lambda n: pa.array(n, pa.int64())), min_size=1, max_size=3))
def test_numbers(chunks: list[Any]) -> None:
    column = pa.chunked_array(chunks)
    for part in (column, column.slice(1), column.slice(2, 3)):
        assert plain_values(part) == part.to_pylist()


@given(texts=TEXTS)
def test_texts_without_a_dictionary(texts: list[str | None]) -> None:
    column = pa.chunked_array([pa.array(texts, pa.string())])
    assert plain_values(column) == texts
