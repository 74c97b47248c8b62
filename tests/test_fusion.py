"""Fusions: what an item lacks weighs nothing, whatever its neighbours have."""

from functools import partial

import pytest
import torch

from avpipe.networks import (
    Concatenation,
    CrossModalAttention,
    Ensemble,
    FrameEncoder2d,
    GatedFusion,
    LowRankFusion,
    MeanPooling,
    Network,
    ResidualEncoder2d,
    StatisticsPooling,
    subsets,
)

FUSIONS = {
    "concatenation": Concatenation,
    "gating": partial(GatedFusion, dim=8),
    "low_rank": partial(LowRankFusion, dim=8, rank=3),
    "cross_modal": partial(CrossModalAttention, dim=8, heads=2),
}


def network_of(fusion, pooling=StatisticsPooling):
    torch.manual_seed(0)
    encoders = {"audio": ResidualEncoder2d((4, 8), bands=2), "video": FrameEncoder2d((4, 8))}
    network = Network(encoders, pooling, fusion, num_outputs=3)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0.0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network.eval()


def batch_of(count=4):
    torch.manual_seed(1)
    features = {"audio": torch.randn(count, 1, 16, 20), "video": torch.randn(count, 3, 4, 16, 16)}
    return features, {"audio": torch.full((count,), 20), "video": torch.full((count,), 4)}


@pytest.mark.parametrize("fusion", FUSIONS.values(), ids=FUSIONS)
def test_what_an_item_lacks_is_not_looked_at(fusion):
    network, (features, lengths) = network_of(fusion), batch_of()
    lengths["video"][1] = 0
    lengths["audio"][2] = 0
    said = network(features, lengths).value
    features["video"][1] = 100.0
    features["audio"][2] = -100.0
    assert torch.equal(network(features, lengths).value, said)
    heard = network({"audio": features["audio"][1:2]}, {"audio": lengths["audio"][1:2]}).value
    torch.testing.assert_close(heard[0], said[1])
    seen = network({"video": features["video"][2:3]}, {"video": lengths["video"][2:3]}).value
    torch.testing.assert_close(seen[0], said[2])
    assert not torch.allclose(said[0], said[1])


@pytest.mark.parametrize("fusion", FUSIONS.values(), ids=FUSIONS)
def test_an_item_answers_the_same_whatever_its_neighbours_lack(fusion):
    network, (features, lengths) = network_of(fusion), batch_of()
    said = network(features, lengths).value[0]
    lengths["video"][1:] = 0
    lengths["audio"][3] = 0
    assert torch.equal(network(features, lengths).value[0], said)
    lacking = {"audio": torch.tensor([20, 20]), "video": torch.tensor([0, 4])}
    features = {sense: value[:2] for sense, value in features.items()}
    masked = network(features, lacking).value[0]
    lacking["video"][1] = 0
    assert torch.equal(network(features, lacking).value[0], masked)


@pytest.mark.parametrize("fusion", FUSIONS.values(), ids=FUSIONS)
def test_answers_by_senses_are_those_of_what_is_left(fusion):
    network, (features, lengths) = network_of(fusion), batch_of()
    apart = network.answers_by_senses(features, lengths)
    assert list(apart) == [(), ("audio",), ("video",), ("audio", "video")]
    assert torch.equal(apart["audio", "video"].value, network(features, lengths).value)
    for sense in ("audio", "video"):
        alone = network({sense: features[sense]}, {sense: lengths[sense]}).value
        torch.testing.assert_close(apart[(sense,)].value, alone)
    assert torch.equal(apart[()].value[0], apart[()].value[1])
    assert all(output.value.isfinite().all() for output in apart.values())


@pytest.mark.parametrize("fusion", FUSIONS.values(), ids=FUSIONS)
def test_both_senses_are_learned_from(fusion):
    network, (features, lengths) = network_of(fusion).train(), batch_of()
    lengths["video"][1] = 0
    network(features, lengths).value.square().sum().backward()
    for sense in ("audio", "video"):
        assert sum(weight.grad.abs().sum() for weight in network.encoders[sense].parameters()) > 0


def test_what_is_lacked_does_not_move_the_statistics_in_training():
    features, lengths = batch_of()
    lengths["video"][2:] = 0
    whole = network_of(Concatenation, MeanPooling).train()
    whole(features, lengths)
    some = network_of(Concatenation, MeanPooling).train()
    some({sense: value[:2] for sense, value in features.items()}, {sense: each[:2] for sense, each in lengths.items()})
    assert torch.equal(whole.encoders["video"].stem[1].running_mean, some.encoders["video"].stem[1].running_mean)


def test_gates_of_one_sense_let_it_through_whole():
    fusion = GatedFusion({"audio": 3, "video": 2}, dim=4)
    vectors = {"audio": torch.randn(2, 3), "video": torch.zeros(2, 2)}
    fused = fusion(vectors, {"audio": torch.tensor([1, 0]), "video": torch.tensor([0, 0])})
    torch.testing.assert_close(fused[0], fusion.states["audio"](vectors["audio"][0]).tanh())
    assert fused[1].abs().sum() == 0


def test_low_rank_is_the_sum_of_products_of_factors():
    fusion = LowRankFusion({"audio": 3, "video": 2}, dim=4, rank=2)
    vectors, lengths = {"audio": torch.randn(1, 3), "video": torch.randn(1, 2)}, {}
    lengths = dict.fromkeys(vectors, torch.ones(1, dtype=torch.long))
    factors = [fusion.factors[name](fusion.norms[name](vector)).view(2, 4) for name, vector in vectors.items()]
    torch.testing.assert_close(fusion(vectors, lengths)[0], 0.5 * (factors[0] * factors[1]).sum(0))


def test_an_ensemble_answers_by_senses_too():
    members = [network_of(Concatenation), network_of(FUSIONS["gating"])]
    ensemble, (features, lengths) = Ensemble(members).eval(), batch_of()
    apart = ensemble.answers_by_senses(features, lengths)
    assert list(apart) == subsets(("audio", "video"))
    assert torch.equal(apart["audio", "video"].value, ensemble(features, lengths).value)
