"""Schedules and the running mean of weights."""

import pytest
import torch
from torch import nn

from avpipe.training import OneCycleAdamW
from avpipe.training.optim import warmed_up_average


def test_the_rate_rises_to_its_peak_and_falls_to_nothing():
    module = nn.Linear(2, 2)
    configured = OneCycleAdamW(lr=0.1, weight_decay=0.05, warm_up_fraction=0.2).configure(module, total_steps=50)
    optimizer, schedule = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
    rates = []
    for _ in range(50):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step() if len(rates) < 50 else None
    assert max(rates) == pytest.approx(0.1)
    assert rates.index(max(rates)) == 9
    assert rates[-1] < 1e-5


def test_only_matrices_decay():
    groups = OneCycleAdamW(0.1, 0.05, 0.2).configure(nn.BatchNorm1d(3), 10)["optimizer"].param_groups
    assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [(0, 0.05), (2, 0.0)]


def test_the_mean_forgets_where_it_began():
    average = warmed_up_average(0.99)
    mean = torch.tensor([100.0])
    for count in range(1, 60):
        mean = average(mean, torch.tensor([1.0]), count)
    assert mean.item() == pytest.approx(1.0, abs=0.01)
    late = average(torch.tensor([0.0]), torch.tensor([1.0]), 100_000)
    assert late.item() == pytest.approx(0.01)


def test_no_decay_keeps_the_newest():
    assert warmed_up_average(0.0)(torch.tensor([5.0]), torch.tensor([2.0]), 3).item() == 2.0
