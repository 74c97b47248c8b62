"""The learning-rate finder: what it finds, and that it leaves no trace."""

import copy
import math

import pytest
import torch

from avpipe.networks import Identity, Network, ResidualEncoder2d, StatisticsPooling
from avpipe.objectives import Batch, Classification
from avpipe.training import SGD, AdamW, OneCycle, find_lr

LABELS = ("a", "b", "c", "d")


@pytest.fixture(scope="module")
def batches():
    """Four patterns in as much noise."""
    draw = torch.Generator().manual_seed(0)
    patterns = torch.randn(4, 1, 16, 12, generator=draw)
    places = torch.arange(240) % 4
    features = patterns[places] + torch.randn(240, 1, 16, 12, generator=draw)
    order = torch.randperm(240, generator=draw)
    return [Batch({"audio": features[i]}, {"audio": torch.full((len(i),), 12)}, places[i]) for i in order.split(16)]


@pytest.fixture
def network():
    torch.manual_seed(0)
    encoder = ResidualEncoder2d((4, 8, 8), bands=2)
    return Network({"audio": encoder}, StatisticsPooling, Identity, num_outputs=4, dropout=0.1)


@pytest.fixture
def objective():
    return Classification(LABELS, [60] * 4)


def recipe(kind, lr=1.0):
    return kind(lr, 0.0, OneCycle(0.2))


def loss_after(network, objective, batches, optim, steps=60):
    """Of the training batches, in eval mode, after training a copy."""
    trained = copy.deepcopy(network).train()
    configured = optim.configure(trained, steps)
    optimizer, schedule = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
    for step in range(steps):
        batch = batches[step % len(batches)]
        loss = objective.loss(trained(batch.features, batch.lengths), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    trained.eval()
    with torch.no_grad():
        losses = [objective.loss(trained(batch.features, batch.lengths), batch) for batch in batches]
    return float(torch.stack(losses).mean())


@pytest.mark.parametrize("kind", [AdamW, SGD])
def test_the_found_rate_trains_better_than_rates_far_off(network, objective, batches, kind):
    found = find_lr(network, objective, batches, recipe(kind).optimizer)
    at_found = loss_after(network, objective, batches, recipe(kind, found.chosen))
    assert at_found < 0.1
    for factor in (0.01, 100):
        assert at_found < 0.5 * loss_after(network, objective, batches, recipe(kind, found.chosen * factor))


def test_nothing_is_left_behind_and_equal_calls_find_equal_rates(network, objective, batches):
    network.eval()
    before, targets = copy.deepcopy(network.state_dict()), [batch.targets.clone() for batch in batches]
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = find_lr(network, objective, batches, recipe(AdamW).optimizer, num_steps=30)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not network.training
    assert all(torch.equal(batch.targets, was) for batch, was in zip(batches, targets, strict=True))
    torch.manual_seed(6)
    assert find_lr(network, objective, batches, recipe(AdamW).optimizer, num_steps=30) == first


def test_the_sweep_rises_by_one_factor_and_ends_where_the_loss_diverges(network, objective, batches):
    found = find_lr(network, objective, batches, recipe(SGD).optimizer, num_steps=40, low=1e-4, high=1e4)
    assert len(found.rates) == len(found.losses) < 40
    factors = [after / before for before, after in zip(found.rates, found.rates[1:], strict=False)]
    assert factors == pytest.approx([10 ** (8 / 39)] * len(factors))
    assert all(map(math.isfinite, found.losses))
    assert found.rates[0] == 1e-4
    least = found.rates[found.losses.index(min(found.losses))]
    assert found.chosen == pytest.approx(least / 10)
    whole = find_lr(network, objective, batches, recipe(SGD).optimizer, num_steps=10, low=1e-9, high=1e-8)
    assert len(whole.rates) == 10
    assert whole.rates[-1] == pytest.approx(1e-8)
    assert whole.chosen >= 1e-9


def test_what_makes_no_sweep_is_refused(network, objective, batches):
    make = recipe(AdamW).optimizer
    for options in ({"low": 0.0}, {"low": 1.0, "high": 0.1}, {"num_steps": 1}):
        with pytest.raises(ValueError, match="no rising sweep"):
            find_lr(network, objective, batches, make, **options)
    one_shot = iter(batches)
    for used_up in (list[Batch](), one_shot):
        with pytest.raises(ValueError, match="used up, or there are none"):
            find_lr(network, objective, used_up, make)
    noise, lengths = torch.full((2, 1, 16, 12), math.nan), torch.tensor([12, 12])
    spoilt = Batch({"audio": noise}, {"audio": lengths}, torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="is no number"):
        find_lr(network, objective, [spoilt], make)
