"""Which answers are given, and how much is told of them."""

import pytest

from avpipe.errors import ArgumentError
from avpipe.inference import Prediction
from avpipe.inference.policy import Policy
from avpipe.inference.prediction import TaskAnswer, WindowAnswer
from avpipe.media import Coverage

SCORES = {"a": 0.2, "b": 0.5, "c": 0.3}


def prediction(coverage=None, label="b", score=0.5, scores=SCORES, windows=None):
    if windows is None:
        windows = (WindowAnswer(0.0, 1.0, "b", 0.9), WindowAnswer(1.0, 2.0, "c", 0.4))
    answer = TaskAnswer(label, score, scores, None, windows)
    return Prediction("x.wav", "partial", "2 frames lost", coverage, {"task": answer})


def test_where_nothing_is_asked_nothing_changes():
    assert Policy()(prediction()) == prediction()
    assert Policy().told == {}


@pytest.mark.parametrize(
    ("coverage", "said"),
    [
        (Coverage(asked_sec=10.0, decoded_sec=6.249), "62.4 % of its seconds could be decoded, and min_coverage=0.9"),
        (Coverage(10.0, 10.0, frames_decoded=3, frames_lost=1), "75 % of its frames could be decoded"),
    ],
)
def test_of_a_file_of_which_too_little_was_decoded_nothing_is_said(coverage, said):
    told = Policy(min_coverage=0.9)(prediction(coverage))
    assert (told.status, told.tasks, told.coverage) == ("abstained", {}, coverage)
    assert told.reason.startswith(said)
    assert told.reason.endswith("; 2 frames lost")


def test_of_a_file_of_which_enough_was_decoded_all_is_said():
    enough = prediction(Coverage(asked_sec=10.0, decoded_sec=9.0, frames_decoded=9, frames_lost=1))
    assert Policy(min_coverage=0.9)(enough) == enough
    nothing_lost = prediction(Coverage())
    assert Policy(min_coverage=1.0)(nothing_lost) == nothing_lost


def test_what_is_less_sure_than_asked_is_unknown():
    told = Policy(min_score=0.6)(prediction()).tasks["task"]
    assert (told.label, told.score, told.scores) == ("unknown", 0.5, SCORES)
    assert [window.label for window in told.windows] == ["b", "unknown"]
    assert Policy(min_score=0.5)(prediction()).tasks["task"].label == "b"


def test_a_transcript_has_no_label_to_take_away():
    assert Policy(min_score=0.9)(prediction(label=None, score=None)).tasks["task"].label is None


@pytest.mark.parametrize("min_score", [0.0, 0.9])
def test_a_number_below_zero_is_told(min_score):
    told = Policy(min_score=min_score)(
        prediction(label="-2", score=-1.9, scores={}, windows=(WindowAnswer(0.0, 1.0, "-2", -1.9),))
    )
    assert told.tasks["task"].label == "-2"
    assert told.tasks["task"].windows[0].label == "-2"


def test_the_highest_scores_are_told_in_their_order():
    assert list(Policy(top_k=2)(prediction()).tasks["task"].scores) == ["b", "c"]
    assert list(Policy(top_k=9)(prediction()).tasks["task"].scores) == ["a", "b", "c"]


@pytest.mark.parametrize("asked", [{"min_coverage": 1.1}, {"min_score": -0.1}, {"top_k": 0}])
def test_what_cannot_be_asked_is_refused(asked):
    with pytest.raises(ArgumentError, match=next(iter(asked))):
        Policy(**asked)
