"""Optimizers, schedules and the running mean of weights."""

import io
import math

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from avpipe.config import compose, instantiate, plain
from avpipe.errors import ArgumentError
from avpipe.training import SGD, AdamW, Constant, Cosine, OneCycle
from avpipe.training.optim import warmed_up_average

SCHEDULES = (OneCycle, Cosine, Constant)


def parts_of(recipe, total_steps, module=None):
    configured = recipe.configure(module or nn.Linear(2, 2), total_steps)
    assert configured["lr_scheduler"]["interval"] == "step"
    return configured["optimizer"], configured["lr_scheduler"]["scheduler"]


def momentum_of(group):
    return group["betas"][0] if "betas" in group else group["momentum"]


def course(parts, steps):
    """Rate and momentum at each step; the schedule is stepped after the last one too, as Lightning does."""
    optimizer, schedule = parts
    seen = []
    for _ in range(steps):
        seen.append((optimizer.param_groups[0]["lr"], momentum_of(optimizer.param_groups[1])))
        optimizer.step()
        schedule.step()
    return seen


def rates(recipe, steps):
    return [rate for rate, _ in course(parts_of(recipe, steps), steps)]


@pytest.mark.parametrize("total_steps", [7, 50, 101])
def test_the_default_recipe_is_torchs_one_cycle_with_adamw(total_steps):
    recipe = instantiate(plain(compose("train", []))["optim"])
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    optimizer, schedule = parts_of(recipe, total_steps, module)
    groups = [
        {"params": [p for p in module.parameters() if p.ndim > 1], "weight_decay": 0.05},
        {"params": [p for p in module.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    torchs = torch.optim.AdamW(groups, lr=1e-3)
    torchs_schedule = OneCycleLR(torchs, max_lr=1e-3, total_steps=total_steps, pct_start=0.2)
    assert isinstance(optimizer, torch.optim.AdamW)
    assert optimizer.defaults == torchs.defaults
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.05, 0.0]
    assert course((optimizer, schedule), total_steps) == course((torchs, torchs_schedule), total_steps)


@pytest.mark.parametrize("schedule", [OneCycle, Cosine])
@pytest.mark.parametrize("recipe", [AdamW, SGD])
def test_the_rate_rises_to_its_peak_and_falls_to_nothing(recipe, schedule):
    course_of = rates(recipe(0.1, 0.05, schedule(0.2)), 50)
    assert max(course_of) == pytest.approx(0.1)
    assert course_of.index(max(course_of)) == 9
    assert course_of[:10] == sorted(course_of[:10])
    assert course_of[9:] == sorted(course_of[9:], reverse=True)
    assert 0 < course_of[-1] < 2e-4


def test_the_constant_rate_stays_after_its_warm_up():
    course_of = rates(SGD(0.1, 0.0, Constant(0.2)), 50)
    assert course_of[:10] == pytest.approx([0.01 * step for step in range(1, 11)])
    assert course_of[10:] == [0.1] * 40


def test_the_cosine_goes_through_its_half():
    course_of = rates(AdamW(0.1, 0.0, Cosine(0.0)), 50)
    assert course_of == pytest.approx([0.05 * (1 + math.cos(math.pi * step / 50)) for step in range(50)])


def test_one_cycle_takes_momentum_the_other_way_where_there_is_any():
    for recipe in (AdamW(0.1, 0.0, OneCycle(0.2)), SGD(0.1, 0.0, OneCycle(0.2))):
        momenta = [momentum for _, momentum in course(parts_of(recipe, 50), 50)]
        assert momenta[0] == pytest.approx(0.95)
        assert momenta.index(min(momenta)) == 9
        assert min(momenta) == pytest.approx(0.85)
    plain_sgd = SGD(0.1, 0.0, OneCycle(0.2), momentum=0.0, nesterov=False)
    assert {momentum for _, momentum in course(parts_of(plain_sgd, 50), 50)} == {0.0}


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("fraction", [0, 0.2, 0.5, 0.99])
@pytest.mark.parametrize("total_steps", [1, 2, 3, 4, 5, 10])
def test_the_shortest_runs_have_finite_rates(schedule, fraction, total_steps):
    """Torch's one-cycle divides by zero where the warm-up is one step, as 0.2 of 5 is."""
    assert all(0 < rate <= 0.1 for rate in rates(SGD(0.1, 0.0, schedule(fraction)), total_steps))


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("recipe", [AdamW, SGD])
def test_a_stopped_run_goes_on_where_it_was(recipe, schedule):
    whole = course(parts_of(recipe(0.1, 0.0, schedule(0.2)), 20), 20)
    optimizer, scheduler = parts_of(recipe(0.1, 0.0, schedule(0.2)), 20)
    course((optimizer, scheduler), 7)
    kept = io.BytesIO()
    torch.save([optimizer.state_dict(), scheduler.state_dict()], kept)
    kept.seek(0)
    states = torch.load(kept, weights_only=True)  # as checkpoints are read
    for part, state in zip(again := parts_of(recipe(0.1, 0.0, schedule(0.2)), 20), states, strict=True):
        part.load_state_dict(state)
    assert course(again, 13) == whole[7:]


@pytest.mark.parametrize("recipe", [AdamW, SGD])
def test_only_matrices_decay_and_only_what_is_trained_is_in(recipe):
    module = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 2).requires_grad_(False))
    groups = parts_of(recipe(0.1, 0.05, OneCycle(0.2)), 10, module)[0].param_groups
    assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [(1, 0.05), (3, 0.0)]


def test_what_cannot_be_is_refused_by_its_key():
    one_cycle = OneCycle(0.2)
    for refused, make in (
        ("schedule.warm_up_fraction=1.0", lambda: OneCycle(1.0)),
        ("schedule.warm_up_fraction=-0.1", lambda: Constant(-0.1)),
        ("optim.lr=-1", lambda: AdamW(-1, 0.0, one_cycle)),
        ("optim.weight_decay=nan", lambda: AdamW(1.0, math.nan, one_cycle)),
        ("optim.momentum=1.0", lambda: SGD(0.1, 0.0, one_cycle, momentum=1.0)),
        ("optim.nesterov=true", lambda: SGD(0.1, 0.0, one_cycle, momentum=0.0)),
    ):
        with pytest.raises(ArgumentError, match=refused.replace(".", r"\.")):
            make()


@pytest.mark.parametrize("optim", ["adamw", "sgd"])
@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "constant"])
def test_optimizers_and_schedules_are_chosen_apart(optim, schedule):
    choices = [f"optim={optim}", f"schedule={schedule}", "optim.lr=0.25", "schedule.warm_up_fraction=0"]
    recipe = instantiate(plain(compose("train", choices))["optim"])
    assert type(recipe).__name__.lower() == optim
    assert type(recipe.schedule) is {"one_cycle": OneCycle, "cosine": Cosine, "constant": Constant}[schedule]
    assert recipe.lr == 0.25
    assert recipe.schedule.warm_up_fraction == 0.0
    assert len(rates(recipe, 9)) == 9


def test_the_mean_forgets_where_it_began():
    average = warmed_up_average(0.99)
    means = [torch.tensor([100.0]), torch.tensor(0)]
    for count in range(1, 60):
        average(means, [torch.tensor([1.0]), torch.tensor(7)], count)
    assert means[0].item() == pytest.approx(1.0, abs=0.01)
    late = [torch.tensor([0.0])]
    average(late, [torch.tensor([1.0])], 100_000)
    assert late[0].item() == pytest.approx(0.01)


def test_no_decay_keeps_the_newest():
    means = [torch.tensor([5.0])]
    warmed_up_average(0.0)(means, [torch.tensor([2.0])], 3)
    assert means[0].item() == 2.0
