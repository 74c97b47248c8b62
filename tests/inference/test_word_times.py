"""When words were said."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from avpipe.answers import Word
from avpipe.inference.word_times import within_speech


def told(spans, *speech):
    words = [Word("x", start, end, 1.0) for start, end in spans]
    return [(word.start_sec, word.end_sec) for word in within_speech(words, speech)]


def test_a_word_beside_a_pause_lasts_from_pause_to_pause():
    assert told([(0.4, 0.42), (1.5, 1.6)], (0.3, 0.8), (1.4, 2.0)) == [(0.3, 0.8), (1.4, 2.0)]


def test_between_words_without_a_pause_nothing_is_known():
    assert told([(0.4, 0.5), (0.7, 0.8), (1.0, 1.1)], (0.3, 1.4)) == [(0.3, 0.5), (0.7, 0.8), (1.0, 1.4)]


def test_a_word_that_no_speech_is_found_around_stays():
    spans = [(0.4, 0.5), (3.0, 3.2)]
    assert told(spans) == spans
    assert told(spans, (1.0, 2.0), (5.0, 6.0)) == spans


def test_a_soft_beginning_is_found_late_and_nothing_is_cut_off():
    assert told([(0.4, 0.5), (2.0, 2.4)], (0.5, 0.9), (1.9, 2.3)) == [(0.4, 0.9), (1.9, 2.4)]


def test_what_is_heard_for_long_beside_a_word_is_something_else():
    assert told([(30.0, 30.2)], (0.0, 31.0)) == [(30.0, 31.0)]
    assert told([(0.5, 0.6)], (0.0, 90.0)) == [(0.0, 0.6)]


TIMES = st.lists(st.integers(0, 200), unique=True, max_size=30).map(sorted)


@given(TIMES, TIMES)
def test_words_stay_in_order_and_never_become_shorter(edges, pauses):
    spans = [(start / 10, end / 10) for start, end in zip(edges[::2], edges[1::2], strict=False)]
    speech = [(start / 10, end / 10) for start, end in zip(pauses[::2], pauses[1::2], strict=False)]
    found = told(spans, *speech)
    assert all(one[0] <= other[0] and one[1] >= other[1] for one, other in zip(found, spans, strict=True))
    assert all(one[1] <= other[0] for one, other in pairwise(found))
