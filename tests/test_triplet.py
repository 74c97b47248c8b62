"""Voices by triplets: what costs, what is learned."""

import pytest
import torch

from avpipe.errors import ArgumentError
from avpipe.networks import Output
from avpipe.objectives import Batch, TripletVerification, triplet


def batch(*targets):
    return Batch({}, {}, torch.tensor(targets))


def objective(**options):
    return TripletVerification(["ann", "bob"], dim=3, **options)


def test_it_needs_its_library_to_learn_and_not_to_answer(monkeypatch):
    monkeypatch.setattr(triplet, "find_spec", lambda name: None)
    with pytest.raises(ArgumentError, match=r"avpipe\[speaker\]"):
        TripletVerification.vocabulary(["ann", "bob"])
    (answer,) = objective().decode(Output(torch.tensor([[3.0, 0.0, 4.0]])))
    assert answer.embedding == pytest.approx((0.6, 0.0, 0.8))


def test_there_are_no_prototypes_to_keep():
    assert not objective().state_dict()
    assert objective(threshold=0.4).threshold == 0.4


def test_what_lies_apart_costs_nothing_and_what_is_mixed_up_does():
    pytest.importorskip("pytorch_metric_learning")
    apart = torch.tensor([[1.0, 0, 0], [1.0, 0.01, 0], [0, 1.0, 0], [0, 1.0, 0.01]])
    assert objective().loss(Output(apart), batch(0, 0, 1, 1)) == 0
    # The hardest: of one voice at a right angle, of another the very same.
    assert objective().loss(Output(apart), batch(0, 1, 0, 1)).item() == pytest.approx(1.2, abs=0.02)
    assert objective().loss(Output(apart[:2]), batch(0, 1)) == 0


def test_it_is_learned_away_and_an_unknown_voice_costs_nothing():
    pytest.importorskip("pytorch_metric_learning")
    value = torch.randn(6, 3, generator=torch.Generator().manual_seed(3), requires_grad=True)
    optimizer = torch.optim.Adam([value], 0.05)
    first = objective().loss(Output(value), batch(0, 0, 1, 1, -1, -1))
    for _ in range(100):
        optimizer.zero_grad()
        loss = objective().loss(Output(value), batch(0, 0, 1, 1, -1, -1))
        loss.backward()
        assert value.grad[4:].abs().max() == 0
        optimizer.step()
    assert first > 0.1
    assert loss < 0.01
