"""Scores on a scale, and the metrics that papers on sentiment tell."""

import math

import pytest
import torch

from avpipe.errors import ArgumentError
from avpipe.networks import Output
from avpipe.objectives import Batch, Regression, check_targets
from tests.clips import generator_of


def measured(said, true):
    objective = Regression()
    answers = objective.decode(Output(torch.tensor(said)[:, None]))
    metrics = objective.metrics()
    objective.update(metrics, answers, true)
    by_metrics = {name: float(value) for name, value in metrics.compute().items()}
    assert by_metrics == pytest.approx(objective.scorer(answers, true)(range(len(true))), nan_ok=True)
    return by_metrics


def test_metrics_are_those_of_the_field():
    scores = measured([-2.0, -0.4, 0.2, 1.6, -1.0, 2.0], [-3.0, 0.0, -1.0, 2.0, 0.0, 1.0])
    assert scores["mae"] == pytest.approx((1 + 0.4 + 1.2 + 0.4 + 1 + 1) / 6)
    assert scores["acc7"] == pytest.approx(2 / 6)
    # Negative or not: answers - - + + - +, truth - + - + + +.
    assert scores["acc2"] == pytest.approx(3 / 6)
    # Negative or positive, without the two zeros: answers - + + +, truth - - + +.
    assert scores["acc2_nonzero"] == pytest.approx(3 / 4)
    assert scores["f1_nonzero"] == pytest.approx(0.5 * 2 / 3 + 0.5 * 4 / 5)
    assert scores["f1"] == pytest.approx((2 * (2 / 5) + 4 * (4 / 7)) / 6)


def test_correlation_is_pearsons():
    generator = generator_of()
    said, true = generator.uniform(-2, 2, 50).astype("float32"), generator.uniform(-3, 3, 50)
    wanted = torch.corrcoef(torch.stack([torch.from_numpy(said).double(), torch.from_numpy(true)]))[0, 1]
    assert measured(said, true.tolist())["correlation"] == pytest.approx(float(wanted), abs=1e-6)
    assert math.isnan(measured([1.0, 1.0], [1.0, 2.0])["correlation"])


def test_answers_stay_on_the_scale_and_windows_weigh_by_their_seconds():
    objective = Regression(-1.0, 1.0)
    high, low = objective.decode(Output(torch.tensor([[7.0], [-0.6]])))
    assert (high.score, high.label, low.label) == (1.0, "1", "-1")
    assert objective.combine([high, low], [3.0, 1.0]).score == pytest.approx(0.6)


def test_the_loss_is_the_absolute_error_also_of_mixed_items():
    objective, output = Regression(), Output(torch.tensor([[1.0], [2.0]]))
    batch = Batch({}, {}, torch.tensor([0.0, 2.0]))
    assert objective.loss(output, batch) == pytest.approx(0.5)
    mixed = Batch(
        {},
        {},
        torch.tensor([0.0, 2.0]),
        partner_targets=torch.tensor([2.0, 0.0]),
        partner_weight=torch.tensor([0.5, 0.0]),
    )
    assert objective.loss(output, mixed) == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (3.5, r"its label 3\.5 lies outside the scale from -3 to 3"),
        ("good", "its label 'good' is no number"),
        (math.nan, "its label is no number"),
        (math.inf, "its label inf lies outside the scale"),
    ],
)
def test_labels_off_the_scale_are_one_clear_line(tmp_path, target, reason):
    with pytest.raises(ArgumentError, match=rf"x\.mp4: {reason}") as told:
        check_targets(Regression(), [(tmp_path / "a.mp4", 1.0), (tmp_path / "x.mp4", target)])
    assert "\n" not in str(told.value)


def test_a_scale_that_is_none_is_refused():
    for bounds in ((1.0, 1.0), (2.0, 1.0), (-math.inf, 1.0)):
        with pytest.raises(ValueError, match="the lower first"):
            Regression(*bounds)
