"""The category rules, which are judged in plain Python."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelake.quality.category_names import root_names, similar_names

NAMES = st.text(st.sampled_from("aAbBß \t\u00e9e\u0301E"), min_size=1, max_size=4)
PARENTS = st.dictionaries(NAMES, st.none() | NAMES, max_size=8)


@pytest.mark.parametrize(
    ("parents", "used", "roots"),
    [
        # as Roboflow writes it: an empty root before the classes
        ({"shapes": "none", "circle": "shapes", "square": "shapes"}, {"circle", "square"}, {"shapes"}),
        ({"shapes": "none", "circle": "shapes"}, {"circle", "shapes"}, set()),
        # as COCO writes it: person is its own parent, whether it is used or not
        ({"person": "person", "dog": "animal"}, {"dog"}, set()),
        ({"person": "person", "child": "person"}, {"child"}, {"person"}),
        # a parent that no document declares as a category is none
        ({"dog": "animal", "cat": "animal"}, set(), set()),
        ({"a": "b", "b": "a"}, set(), {"a", "b"}),
        ({"a": None}, set(), set()),
        ({}, {"a"}, set()),
    ],
)
def test_a_root_is_the_parent_of_another_category_and_has_no_annotation(parents, used, roots):
    assert root_names(parents, used) == roots


@given(PARENTS, st.sets(NAMES))
def test_roots_are_declared_unused_and_have_a_child(parents, used):
    roots = root_names(parents, used)
    assert roots <= parents.keys() - used
    assert all(any(parent == root and name != root for name, parent in parents.items()) for root in roots)
    others = parents.keys() - used - roots
    assert not any(parent in others and parent != name for name, parent in parents.items())


@given(PARENTS, st.sets(NAMES), st.sets(NAMES))
def test_more_annotations_never_make_a_root(parents, used, more):
    assert root_names(parents, used | more) == root_names(parents, used) - more


@pytest.mark.parametrize(
    ("names", "similar"),
    [
        (["cat", "dog"], {}),
        (["cat", "Cat", " CAT"], {"Cat": "cat", " CAT": "cat"}),
        (
            ["traffic light", "trafficlight", "Traffic  Light"],
            dict.fromkeys(("trafficlight", "Traffic  Light"), "traffic light"),
        ),
        (["caf\u00e9", "CAFE\u0301"], {"CAFE\u0301": "caf\u00e9"}),
        (["Straße", "STRASSE"], {"STRASSE": "Straße"}),
        (["traffic light", "traffic_light"], {}),
        (["cat", "cats"], {}),
        # one name given twice is one category
        (["cat", "cat"], {}),
    ],
)
def test_names_that_differ_by_case_or_spaces_break_the_rule_but_for_the_first(names, similar):
    assert similar_names(names) == similar


@given(st.lists(NAMES, unique=True))
def test_no_two_of_the_names_that_remain_are_similar(names):
    similar = similar_names(names)
    remaining = [name for name in names if name not in similar]
    assert similar_names(remaining) == {}
    assert set(similar.values()) <= set(remaining)
    assert all(names.index(first) < names.index(name) for name, first in similar.items())


@given(st.lists(NAMES, unique=True), st.randoms())
def test_the_order_says_which_name_breaks_the_rule_and_not_how_many(names, random):
    shuffled = random.sample(names, len(names))
    assert len(similar_names(shuffled)) == len(similar_names(names))


@given(NAMES)
def test_case_spaces_and_unicode_forms_make_no_new_name(name):
    variants = [name, f" {name}\t", " ".join(name), name.upper(), unicodedata.normalize("NFD", name)]
    assert set(similar_names(variants)) == set(variants) - {name}
