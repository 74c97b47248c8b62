"""Transitions from scores of frames, windows put together, and what counts as right."""

import math

import numpy as np
import pytest
import torch

from avpipe.answers import Decoded, FrameScores
from avpipe.corpora import Transition, understood
from avpipe.networks import Output
from avpipe.networks.shots import area_weights
from avpipe.objectives import Batch, Boundaries, matched, rates


def scores_of(length, cuts=(), spans=()):
    """Sure scores, (length, 2): those of cuts, and of frames of gradual transitions."""
    scores = np.full((length, 2), 0.05, np.float32)
    scores[list(cuts), 0] = 0.9
    for first, end in spans:
        scores[first:end, 1] = 0.9
    return scores


def answer_of(scores, times=None, end_sec=None):
    times = np.arange(len(scores)) / 25.0 if times is None else times
    end = float(times[-1] + 0.04) if end_sec is None else end_sec
    return Boundaries().finished(Decoded(frames=(FrameScores(scores, times, end),)))


def test_a_picture_is_seen_by_six_areas_and_as_a_whole():
    picture = torch.arange(12.0).view(3, 4)
    left, right = picture[:, :3], picture[:, 3:]
    left = 0.5 * (left[:, :2].mean(1) + left[:, 2])  # the thirds of four columns are two, one and one
    expected = torch.cat([left, right[:, 0], picture.mean()[None]])
    assert torch.allclose(picture.flatten() @ area_weights(3, 4), expected)
    assert area_weights(7, 12).sum(0).allclose(torch.ones(7))


def test_cuts_and_gradual_transitions_are_told_by_the_times_of_their_frames():
    times = np.cumsum([0.0, *([0.01, 0.04, 0.1] * 10)])
    said = answer_of(scores_of(len(times), cuts=[4], spans=[(10, 16)]), times, end_sec=2.0)
    cut, gradual = said.boundaries
    assert (cut.kind, cut.time_sec, cut.start_sec, cut.end_sec) == ("cut", times[4], times[4], times[4])
    assert (gradual.kind, gradual.start_sec, gradual.end_sec) == ("gradual", times[10], times[16])
    assert gradual.time_sec == times[13]
    assert cut.score == pytest.approx(0.9)
    assert said.text == "0.16 0.46-0.76"
    assert [(shot.start_sec, shot.end_sec) for shot in said.shots] == [
        (0.0, times[4]), (times[4], times[13]), (times[13], 2.0),
    ]  # fmt: skip
    assert [shot.num_frames for shot in said.shots] == [4, 9, len(times) - 13]


def test_a_film_without_boundaries_is_one_shot_and_one_of_a_single_frame_too():
    for length in (40, 1):
        said = answer_of(scores_of(length))
        assert said.boundaries == ()
        assert [shot.num_frames for shot in said.shots] == [length]


def test_what_leads_to_no_other_shot_is_none():
    said = answer_of(scores_of(50, cuts=[0], spans=[(0, 8), (42, 50)]))
    assert said.boundaries == ()


def test_of_two_cuts_side_by_side_the_surer_one_is_told_and_others_two_frames_apart():
    scores = scores_of(30, cuts=[10, 12, 20, 21])
    scores[21, 0] = 0.95
    assert answer_of(scores).text == "0.4 0.48 0.84"


def test_a_cut_within_or_beside_a_gradual_transition_is_its_part():
    assert answer_of(scores_of(60, cuts=[20, 25, 30, 50], spans=[(20, 30)])).text == "0.8-1.2 2"


def test_a_gap_of_one_frame_does_not_part_a_transition_and_one_frame_is_none():
    assert answer_of(scores_of(60, spans=[(20, 25), (26, 30), (40, 41)])).text == "0.8-1.2"


def test_a_transition_needs_one_sure_frame():
    scores = scores_of(60, spans=[(20, 30)])
    scores[20:30, 1] = 0.55
    assert answer_of(scores).text == ""


@pytest.mark.parametrize("shared", [8, 9, 1])
def test_what_two_windows_share_is_parted_in_its_middle(shared):
    objective, times = Boundaries(), np.arange(60) / 25.0
    whole = scores_of(60, cuts=[30, 45], spans=[(10, 16)])
    first, second = whole[:40].copy(), whole[40 - shared :].copy()
    first[40 - shared // 2 :] = 0.9  # what a window says of its edge does not count
    second[: shared // 2] = 0.9
    windows = [
        Decoded(frames=(FrameScores(scores),)).placed(0.0, 0.0, 0.0, end_sec=2.4, frame_times_sec=part)
        for scores, part in ((first, times[:40]), (second, times[40 - shared :]))
    ]
    said = objective.finished(objective.combine(windows, [1.6, 1.0]))
    assert said.text == answer_of(whole).text
    assert said.shots[-1].end_sec == 2.4


def test_windows_that_share_nothing_follow_one_another():
    objective, times, whole = Boundaries(), np.arange(40) / 25.0, scores_of(40, cuts=[20])
    windows = [Decoded(frames=(FrameScores(whole[row], times[row], 1.6),)) for row in (slice(0, 20), slice(20, 40))]
    assert objective.finished(objective.combine(windows, [1, 1])).text == "0.8"


def test_cuts_match_at_the_same_frame_and_gradual_transitions_by_overlap():
    true = understood("1 2-3 4 5-6")
    assert matched(true, true) == {
        "cut_right": 2, "cut_found": 2, "cut_true": 2, "gradual_right": 2, "gradual_found": 2, "gradual_true": 2,
    }  # fmt: skip
    assert matched(understood("1.04 4"), true)["cut_right"] == 1
    assert matched(understood("1.0004"), true)["cut_right"] == 1
    assert matched(understood("2.96-3.5"), true)["gradual_right"] == 1
    assert matched(understood("3-3.5"), true)["gradual_right"] == 0, "the end is the first frame of the new shot"


def test_each_true_transition_is_found_once_and_kinds_are_apart():
    assert matched(understood("2-2.2 2.4-2.6"), understood("2-3"))["gradual_right"] == 1
    assert matched(understood("2.5"), understood("2-3"))["cut_right"] == 0
    assert matched(understood("1-4"), understood("1-2 3-4"))["gradual_right"] == 1


def test_rates_are_the_fields():
    told = rates(matched(understood("1 2 3"), understood("1 2 4 5")))
    assert told["cut_precision"] == pytest.approx(2 / 3)
    assert told["cut_recall"] == 0.5
    assert told["cut_f1"] == pytest.approx(4 / 7)
    assert math.isnan(told["gradual_f1"])
    assert told["f1"] == told["cut_f1"]


def batch_of(labels):
    return Batch({"frame_labels": labels}, {}, torch.empty(len(labels), 0))


def test_the_loss_falls_where_scores_agree_and_does_not_look_at_padding():
    labels = torch.zeros(1, 2, 12)
    labels[0, 0, 5] = labels[0, 1, 8] = 1.0
    right = (labels.transpose(1, 2) - 0.5) * 10.0
    objective, lengths = Boundaries(), torch.tensor([10])
    good, bad = (float(objective.loss(Output(sign * right, lengths), batch_of(labels))) for sign in (1.0, -1.0))
    assert good < 0.1 < bad
    spoilt = right.clone()
    spoilt[0, 10:] = 99.0
    assert float(objective.loss(Output(spoilt, lengths), batch_of(labels))) == good


def test_judgements_are_summed_over_windows_and_scored():
    labels = torch.zeros(2, 2, 20)
    labels[:, 0, 5] = 1.0
    values = (labels.transpose(1, 2) - 0.5) * 10.0
    values[1, 5, 0] = -5.0
    objective = Boundaries()
    judged = objective.judge(Output(values, torch.tensor([20, 20])), batch_of(labels))
    combined = objective.finished(objective.combine(judged, [1.0, 1.0]))
    metrics = objective.metrics()
    objective.update(metrics, [combined], [""])
    assert float(metrics.compute()["cut_recall"]) == 0.5


def test_answers_are_scored_by_what_they_tell():
    objective = Boundaries()
    answers, targets = [Decoded(text="1 2-3"), Decoded(text="")], ["1 2.5-4", "7"]
    measured = objective.scorer(answers, targets)
    assert measured([0])["f1"] == 1.0
    assert measured([0, 1])["cut_recall"] == 0.5
    metrics = objective.metrics()
    objective.update(metrics, answers, targets)
    assert float(metrics.compute()["cut_recall"]) == 0.5
    assert objective.tables(answers, targets)["counts"][2] == [0, 0, 1, 0, 0, 0]


def test_transitions_are_spelled_and_understood():
    assert understood("0.25 1-2.000001") == (Transition(0.25, 0.25), Transition(1.0, 2.000001))
    assert understood("") == ()
