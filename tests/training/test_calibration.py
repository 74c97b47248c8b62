"""Temperature and threshold, fitted on answers of which it is known how sure they ought to be."""

import pytest
import torch

from avpipe.objectives import Classification

LABELS = ("a", "b", "c", "d")
TRUE_TEMPERATURE = 2.5


def objective(**options):
    return Classification(LABELS, [1] * len(LABELS), **options)


def overconfident(count, windows_each=(1,), seed=0):
    """(windows, targets) where the softmax of each file's values over ``TRUE_TEMPERATURE`` is its targets' chance."""
    draw = torch.Generator().manual_seed(seed)
    windows, targets = [], []
    for place in range(count):
        num_windows = windows_each[place % len(windows_each)]
        values = 4.0 * torch.randn(num_windows, len(LABELS), generator=draw)
        seconds = torch.linspace(1.0, 0.3, num_windows)
        chances = ((values / TRUE_TEMPERATURE).softmax(1) * (seconds / seconds.sum())[:, None]).sum(0)
        targets.append(LABELS[int(torch.multinomial(chances, 1, generator=draw))])
        windows.append((values, seconds))
    return windows, targets


def answers_of(chosen, windows):
    """What prediction says of the files, window by window."""
    decoded = []
    for values, seconds in windows:
        each = [chosen._answer(row) for row in (values.double() / chosen.temperature).softmax(1)]
        decoded.append(chosen.combine(each, seconds.tolist()))
    return decoded


def calibration_error(chosen, windows, targets):
    return chosen.scorer(answers_of(chosen, windows), targets)(range(len(targets)))["ece"]


@pytest.mark.parametrize("windows_each", [(1,), (1, 2, 5)])
def test_the_true_temperature_is_found_from_files_of_any_number_of_windows(windows_each):
    windows, targets = overconfident(3000, windows_each)
    fitted = objective().calibration(windows, targets, refuse_right=0.05)
    assert fitted["temperature"] == pytest.approx(TRUE_TEMPERATURE, rel=0.1)


def test_the_calibration_error_falls_also_on_files_that_were_not_fitted_on():
    fitted = objective().calibration(*overconfident(400, (1, 3)), refuse_right=0.05)
    for windows, targets in (overconfident(400, (1, 3)), overconfident(2000, (1, 3), seed=1)):
        before = calibration_error(objective(), windows, targets)
        after = calibration_error(objective(**fitted), windows, targets)
        assert before > 0.1
        assert after < 0.5 * before


@pytest.mark.parametrize("refuse_right", [0.02, 0.05, 0.2, 0.9])
def test_the_threshold_refuses_at_most_the_asked_part_of_what_is_right_and_no_more_of_it_than_of_what_is_wrong(
    refuse_right,
):
    windows, targets = overconfident(600, (1, 2))
    fitted = objective().calibration(windows, targets, refuse_right)
    answers = answers_of(objective(**fitted), windows)
    likeliest = [max(answer.scores, key=answer.scores.__getitem__) for answer in answers]
    right = [one == other for one, other in zip(likeliest, targets, strict=True)]
    refused_right = sum(answer.label == "unknown" for answer, good in zip(answers, right, strict=True) if good)
    refused_wrong = sum(answer.label == "unknown" for answer, good in zip(answers, right, strict=True) if not good)
    assert refused_right <= refuse_right * sum(right)
    assert refused_right <= refused_wrong
    assert refused_wrong > 0
    if refuse_right == 0.02:
        assert refused_right >= 0.5 * refuse_right * sum(right)  # the bound is used, as most doubtful answers are wrong


def test_where_nothing_right_may_be_refused_nothing_is():
    windows, targets = overconfident(200)
    assert objective().calibration(windows, targets, refuse_right=0)["threshold"] == 0.0


def test_answers_that_are_all_right_are_not_refused():
    values = 3.0 * torch.eye(len(LABELS)).repeat(10, 1)
    windows = [(row[None], torch.ones(1)) for row in values]
    fitted = objective().calibration(windows, [*LABELS] * 10, refuse_right=0.05)
    assert fitted["threshold"] == 0.0
    assert fitted["temperature"] < 1.0


def test_scores_and_metrics_do_not_know_of_the_threshold():
    windows, targets = overconfident(100)
    sceptic = objective(threshold=0.99)
    plain, refused = answers_of(objective(), windows), answers_of(sceptic, windows)
    assert "unknown" in {answer.label for answer in refused}
    assert [answer.scores for answer in plain] == [answer.scores for answer in refused]
    places = range(len(targets))
    assert sceptic.scorer(refused, targets)(places) == objective().scorer(plain, targets)(places)


def test_the_uncalibrated_objective_is_as_it_was():
    raw = objective(temperature=3.0, threshold=0.5).uncalibrated()
    assert (raw.temperature, raw.threshold) == (1.0, 0.0)
