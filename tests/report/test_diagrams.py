import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassCalibrationError, MulticlassRecall

from avpipe.report import ScoredAnswer
from avpipe.report.diagrams import calibration, confusion_matrix, group_scores, recalls, selective_accuracy

TARGETS = ["a", "a", "a", "b", "b", "c"]
SAID = ["a", "b", "a", "b", "?", "a"]


def test_confusion_counts_rows_of_truth_and_columns_of_answers():
    matrix = confusion_matrix(TARGETS, SAID, ["a", "b", "c"], ["a", "b", "c", "?"])
    np.testing.assert_array_equal(matrix, [[2, 1, 0, 0], [0, 1, 0, 1], [1, 0, 0, 0]])


def test_recall_of_each_label_also_of_one_without_examples():
    found = recalls(TARGETS, SAID, ["a", "b", "c", "d"])
    assert [(one.label, one.num_examples, one.num_found) for one in found] == [
        ("a", 3, 2), ("b", 2, 1), ("c", 1, 0), ("d", 0, 0),
    ]  # fmt: skip
    assert found[0].value == pytest.approx(2 / 3)
    assert math.isnan(found[3].value)


def test_groups_come_weakest_first():
    scores = group_scores(["x", "x", "y", "x", "z", "z"], TARGETS, SAID)
    assert [score.name for score in scores] == ["z", "x", "y"]
    # x: a right, a wrong, b right.
    assert scores[1].accuracy == pytest.approx(2 / 3)
    assert (scores[1].num_examples, scores[1].uar) == (3, 0.75)
    assert scores[0].accuracy == scores[0].uar == 0.0


def test_calibration_by_hand():
    bins = calibration(np.array([0.55, 0.58, 0.95, 1.0]), np.array([True, False, True, True]), num_bins=10)
    np.testing.assert_array_equal(bins.counts, [0, 0, 0, 0, 0, 2, 0, 0, 0, 2])
    assert bins.accuracy[5] == 0.5
    assert bins.confidence[5] == pytest.approx(0.565)
    assert bins.confidence[9] == pytest.approx(0.975)
    assert np.isnan(bins.accuracy[:5]).all()
    assert bins.error == pytest.approx((2 * 0.065 + 0.05 + 0.0) / 4)


@pytest.mark.parametrize(
    ("count", "classes", "sharpness"), [(1, 2, 1.0), (500, 2, 1.0), (1000, 8, 3.0), (300, 60, 9.0)]
)
def test_calibration_error_is_that_of_torchmetrics(count, classes, sharpness):
    torch.manual_seed(count)
    scores = (torch.randn(count, classes, dtype=torch.float64) * sharpness).softmax(1)
    targets = torch.randint(classes, (count,))
    expected = MulticlassCalibrationError(classes, n_bins=15, norm="l1")(scores, targets)
    bins = calibration(scores.max(1).values.numpy(), (scores.argmax(1) == targets).numpy())
    assert bins.error == pytest.approx(float(expected), abs=1e-5)
    assert bins.counts.sum() == count


def test_certain_answers_stand_in_a_bin_of_their_own_as_in_torchmetrics():
    scores = torch.tensor([[1.0, 0.0]] * 4 + [[0.95, 0.05]] * 4)
    targets = torch.tensor([1, 0, 0, 0, 0, 0, 0, 0])
    expected = MulticlassCalibrationError(2, n_bins=15, norm="l1")(scores, targets)
    bins = calibration(scores.max(1).values.double().numpy(), (scores.argmax(1) == targets).numpy())
    assert bins.error == pytest.approx(float(expected), abs=1e-6)
    assert bins.counts[-1] == 8


def test_calibration_of_nothing():
    assert math.isnan(calibration(np.array([]), np.array([], dtype=bool)).error)


def test_uar_of_a_group_is_that_of_torchmetrics():
    rng = np.random.default_rng(0)
    targets, said = rng.integers(5, size=200), rng.integers(5, size=200)
    (score,) = group_scores([""] * 200, [str(label) for label in targets], [str(label) for label in said])
    expected = MulticlassRecall(5, average="macro")(torch.from_numpy(said), torch.from_numpy(targets))
    assert score.uar == pytest.approx(float(expected), abs=1e-6)


def test_refusing_by_hand():
    confidences = np.array([0.9, 0.5, 0.7, 0.3])
    share, accuracy = selective_accuracy(confidences, np.array([True, True, False, False]), np.array([0, 0.5, 0.8, 1]))
    np.testing.assert_allclose(share, [1, 0.75, 0.25, 0])
    np.testing.assert_allclose(accuracy, [0.5, 2 / 3, 1, np.nan])


def test_a_refused_answer_keeps_its_best_label():
    answer = ScoredAnswer(Path("x"), "x", 0, None, "", "a", "unknown", 0.4, {"a": 0.4, "b": 0.3, "c": 0.3})
    assert answer.refused
    assert answer.correct
    assert (answer.best, answer.confidence) == ("a", 0.4)
