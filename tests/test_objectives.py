"""Classification: its loss, its answers, its metrics."""

from dataclasses import replace

import pytest
import torch

from avpipe.networks import Output
from avpipe.objectives import Batch, Classification


def objective(**options):
    return Classification(["a", "b", "c"], [2, 1, 1], **options)


def batch(*targets):
    return Batch({}, {}, torch.tensor(targets))


def test_labels_and_counts_come_from_the_targets():
    assert Classification.vocabulary(["b", "a", "b"]) == {"labels": ["a", "b"], "class_counts": [1, 2]}
    assert objective().encode("c").item() == 2


def test_loss_is_cross_entropy_with_smoothing_and_weights():
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([0, 1, 2, 0])
    plain = torch.nn.functional.cross_entropy(logits, targets)
    assert objective().loss(Output(logits), batch(0, 1, 2, 0)) == plain
    assert objective(label_smoothing=0.1).loss(Output(logits), batch(0, 1, 2, 0)) != plain
    weighted = torch.nn.functional.cross_entropy(logits, targets, weight=torch.tensor([2 / 3, 4 / 3, 4 / 3]))
    torch.testing.assert_close(objective(class_weights="balanced").loss(Output(logits), batch(0, 1, 2, 0)), weighted)


def test_an_answer_names_the_label_and_all_scores():
    (answer,) = objective().decode(Output(torch.tensor([[0.0, 2.0, 0.0]])))
    assert answer.label == "b"
    assert answer.score == answer.scores["b"] == max(answer.scores.values())
    assert sum(answer.scores.values()) == pytest.approx(1.0)


def test_windows_are_weighed_by_their_seconds_in_any_grouping():
    target = objective()
    windows = target.decode(Output(torch.randn(3, 3, generator=torch.Generator().manual_seed(0))))
    seconds = [1.0, 1.0, 0.25]
    whole = target.combine(windows, seconds)
    stepwise = target.combine([target.combine(windows[:2], seconds[:2]), windows[2]], [2.0, 0.25])
    for label in "abc":
        expected = sum(w.scores[label] * s for w, s in zip(windows, seconds, strict=True)) / 2.25
        assert whole.scores[label] == pytest.approx(expected, abs=1e-7)
        assert stepwise.scores[label] == pytest.approx(expected, abs=1e-7)


def test_metrics_are_what_their_names_say():
    target = objective()
    logits = 50.0 * torch.eye(3)[[0, 0, 1, 2, 1]]
    metrics = target.metrics()
    target.update(metrics, target.decode(Output(logits)), ["a", "a", "a", "c", "b"])
    values = {name: float(value) for name, value in metrics.compute().items()}
    assert values["accuracy"] == pytest.approx(0.8)
    assert values["uar"] == pytest.approx((2 / 3 + 1 + 1) / 3)
    assert values["f1"] == pytest.approx((0.8 + 2 / 3 + 1) / 3)
    assert values["ece"] == pytest.approx(0.2, abs=1e-6)
    table = target.tables(target.decode(Output(logits)), ["a", "a", "a", "c", "b"])["confusion"]
    assert table == [["label", "a", "b", "c"], ["a", 2, 1, 0], ["b", 0, 1, 0], ["c", 0, 0, 1]]


def test_the_five_likeliest_count_where_there_are_more_labels():
    logits = torch.arange(7.0).expand(4, 7)  # g is the likeliest, then f, e, d, c
    target = Classification("abcdefg", [1] * 7)
    measured = target.scorer(target.decode(Output(logits)), ["g", "c", "b", "a"])(range(4))
    assert (measured["accuracy"], measured["top5"]) == (0.25, 0.5)
    assert "top5" not in Classification("abcde", [1] * 5).metrics()


@pytest.mark.parametrize(
    "arguments",
    [
        {"labels": ["a"], "class_counts": [1]},
        {"labels": ["a", "a"], "class_counts": [1, 1]},
        {"labels": ["a", "b"], "class_counts": [1]},
        {"labels": ["a", "b"], "class_counts": [1, 1], "class_weights": "heavy"},
    ],
)
def test_unusable_labels_are_refused(arguments):
    with pytest.raises(ValueError, match=r"labels must|class_weights="):
        Classification(**arguments)


@pytest.mark.parametrize("options", [{}, {"class_weights": "balanced"}, {"label_smoothing": 0.2}])
def test_the_loss_of_mixed_items_lies_between_those_of_their_labels(options):
    logits, target = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), objective(**options)
    own, other = batch(0, 1, 2, 0), batch(2, 0, 0, 1)

    def mixed(*weights):
        changed = replace(own, partner_targets=other.targets, partner_weight=torch.tensor(weights))
        return target.loss(Output(logits), changed)

    torch.testing.assert_close(mixed(0.0, 0.0, 0.0, 0.0), target.loss(Output(logits), own))
    torch.testing.assert_close(mixed(1.0, 1.0, 1.0, 1.0), target.loss(Output(logits), other))
    if "class_weights" not in options:
        expected = 0.7 * target.loss(Output(logits), own) + 0.3 * target.loss(Output(logits), other)
        torch.testing.assert_close(mixed(0.3, 0.3, 0.3, 0.3), expected)
    else:
        cost, places = -logits.log_softmax(1), torch.arange(4)
        parts = [(0.7, own.targets), (0.3, other.targets)]
        above = sum(share * target.class_weight[each] * cost[places, each] for share, each in parts).sum()
        below = sum(share * target.class_weight[each] for share, each in parts).sum()
        torch.testing.assert_close(mixed(0.3, 0.3, 0.3, 0.3), above / below)


def test_a_batch_takes_its_partners_to_a_device():
    mixed = replace(batch(0, 1), partner_targets=torch.tensor([1, 0]), partner_weight=torch.tensor([0.5, 0.0]))
    moved = mixed.to(torch.device("meta"))
    assert moved.partner_targets.device.type == moved.partner_weight.device.type == "meta"
    assert batch(0, 1).to(torch.device("cpu")).partner_targets is None
