"""Edits between texts."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.text import char_error_rate, word_error_rate

from avpipe.objectives.edits import edited_pairs, num_edits


@pytest.mark.parametrize(
    ("said", "true", "edits"), [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("ab", "ba", 2)]
)
def test_known_distances(said, true, edits):
    assert num_edits(said, true) == edits


@given(st.text("abc ", max_size=12), st.text("abc ", min_size=1, max_size=12))
def test_rates_are_those_of_torchmetrics(said, true):
    assert num_edits(said, true) / len(true) == pytest.approx(float(char_error_rate(said, true)))
    if true.split():
        rate = num_edits(said.split(), true.split()) / len(true.split())
        assert rate == pytest.approx(float(word_error_rate(said, true)))


@given(st.text("abc", max_size=12), st.text("abc", max_size=12))
def test_pairs_tell_both_texts_and_as_many_edits(said, true):
    pairs = list(edited_pairs(said, true))[::-1]
    assert "".join(pair[0] for pair in pairs) == true
    assert "".join(pair[1] for pair in pairs) == said
    assert sum(meant != heard for meant, heard in pairs) == num_edits(said, true)
    assert Counter(pairs)["", ""] == 0
