"""Which layers learn, how fast, and what is taken from another network."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

from avpipe.config import compose, instantiate, plain
from avpipe.errors import ArgumentError
from avpipe.networks import Identity, Network, StatisticsPooling, stages_of
from avpipe.objectives import Classification
from avpipe.training import AdamW, Auto, Constant, Features, Full, LastBlocks, Scratch, Staged
from avpipe.training.initial import begin_with, first_difference
from avpipe.training.optim import warmed_up_average
from tests.tiny import AUDIO, VIDEO, save_denoiser_bundle, save_tiny_bundle, specs_of

BLOCKS = ["stem", "stages.0", "stages.1"]


def network_of(kind=AUDIO, labels=("high", "low", "middle"), seed=1):
    torch.manual_seed(seed)
    return instantiate(specs_of(kind, labels)["network"])


def objective_of(labels=("high", "low", "middle")):
    return Classification(list(labels), [1] * len(labels))


def first_epochs(transfer, max_epochs=8, network=None):
    return [each.first_epoch for each in transfer.plan(network or network_of(), max_epochs).stages]


def learning(network):
    """The stages that have a gradient to come, and those whose BatchNorm measures."""
    stages = stages_of(network)
    wants = [all(p.requires_grad for m in stage.modules for p in m.parameters()) for stage in stages]
    norms = [[p for m in stage.modules for p in m.modules() if isinstance(p, nn.BatchNorm2d)] for stage in stages]
    measures = [all(norm.training for norm in of_one) for of_one in norms if of_one]
    return wants, measures


@pytest.fixture
def bundle(tmp_path):
    return save_tiny_bundle(tmp_path / "given")


# Stages


@pytest.mark.parametrize(
    ("task", "encoder", "first", "last"),
    [
        ("sound_event", "residual2d", "stem", "stages.2"),
        ("sound_event", "ecapa", "stem", "join.0"),
        ("sound_event", "time_conv", "front.stem", "blocks.3"),
        ("action", "r3d_18", "trunk.stem", "trunk.layer4.1"),
        ("action", "x3d", "stem.0", "last"),
    ],
)
def test_stages_go_from_the_input_to_the_head_and_hold_each_weight_once(task, encoder, first, last):
    config = plain(compose("train", [f"task={task}", f"encoder={encoder}"]))
    network = instantiate({**config["network"], "num_outputs": 3})
    stages = stages_of(network)
    assert (stages[0].name, stages[-2].name, stages[-1].name) == (first, last, "head")
    held = [id(p) for stage in stages for module in stage.modules for p in module.parameters()]
    assert sorted(held) == sorted(id(p) for p in network.parameters())


def test_two_senses_stand_side_by_side_with_their_last_blocks_at_one_depth():
    encoders = {sense: instantiate(kind["encoders"][sense]) for sense, kind in (("audio", AUDIO), ("video", VIDEO))}
    encoders["video"].stages.append(nn.Sequential(nn.Sequential(nn.Conv3d(1, 1, 1))))
    fusion = instantiate({"_target_": "avpipe.networks.Concatenation", "_partial_": True})
    names = [stage.name for stage in stages_of(Network(encoders, StatisticsPooling, fusion, 2))]
    assert names[-2:] == ["audio.stages.1+video.stages.2.0.0", "head"]
    assert names[0] == "video.stem.0"


# Plans


def test_each_way_says_which_blocks_learn_and_when():
    assert first_epochs(Full()) == first_epochs(Scratch()) == [0, 0, 0, 0]
    assert first_epochs(Features()) == [None, None, None, 0]
    assert first_epochs(LastBlocks(2)) == [None, 0, 0, 0]
    assert first_epochs(Staged(), 12) == [6, 4, 2, 0]
    assert first_epochs(Staged(), 2) == [1, 1, 1, 0]
    assert first_epochs(Staged(), 1) == [0, 0, 0, 0]
    stages: list[dict[str, Any]] = [{"epoch": 3, "block": 1}, {"epoch": 6, "block": "stages.0"}]
    assert first_epochs(Staged(stages)) == [None, 5, 2, 0]
    assert first_epochs(Staged([{"epoch": 2, "block": "all"}])) == [1, 1, 1, 0]


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda: LastBlocks(4), ["transfer.count=4", "names no layer", "3 blocks", *BLOCKS]),
        (lambda: LastBlocks(0), ["transfer.count=0", "give 1 to 3"]),
        (lambda: Staged([{"epoch": 1, "block": "layer9"}]), ["block layer9", "names no layer", *BLOCKS]),
        (lambda: Staged([{"epoch": 9, "block": 1}]), ["epoch 9", "trainer.max_epochs=8"]),
        (lambda: Staged([{"epoch": 1}]), ["transfer.stages", "an epoch and a block"]),
        (lambda: Full(lr_decay=0), ["transfer.lr_decay=0"]),
        (lambda: Features(batch_norm="on"), ["transfer.batch_norm=on", "train, eval"]),
    ],
)
def test_a_stage_that_there_is_not_is_one_line_with_the_choices(make, parts):
    with pytest.raises(ArgumentError) as caught:
        make().plan(network_of(), 8)
    for part in parts:
        assert part in str(caught.value)


def test_what_has_no_encoder_has_nothing_to_keep():
    with pytest.raises(ArgumentError, match="no encoder to keep"):
        Features().plan(nn.Linear(2, 2), 3)
    assert first_epochs(Full(), network=nn.Linear(2, 2)) == [0]


@pytest.mark.parametrize("way", [Features(), LastBlocks(1), Staged()])
def test_to_keep_what_was_not_given_is_refused(way):
    with pytest.raises(ArgumentError, match="nothing is given to keep"):
        way.chosen(100, 3, given=False)


def test_to_begin_with_nothing_and_something_is_refused():
    with pytest.raises(ArgumentError, match="begins with nothing, and weights are given"):
        Scratch().chosen(100, 3, given=True)


@pytest.mark.parametrize(
    ("examples", "labels", "given", "epochs", "why"),
    [
        (9_999, 3, True, [None, None, 0, 0], "fewer than 10000"),
        (10_000, 3, True, [None, 0, 0, 0], "upper half"),
        (50_000, 3, True, [0, 0, 0, 0], "every layer"),
        (50_000, 101, True, [None, 0, 0, 0], "101 labels"),
        (50_000, None, True, [0, 0, 0, 0], "every layer"),
        (10, 3, False, [0, 0, 0, 0], "no weights are given"),
    ],
)
def test_the_size_of_the_corpus_chooses_and_says_why(examples, labels, given, epochs, why):
    way, told = Auto(lr_decay=0.5).chosen(examples, labels, given)
    assert why in told
    assert first_epochs(way) == epochs
    assert way.lr_decay == (0.5 if given else 1.0)


# What stands still


def test_a_plan_sets_gradients_and_batch_norm_from_the_epoch_alone():
    network = network_of()
    plan = Staged([{"epoch": 2, "block": 1}, {"epoch": 4, "block": "all"}]).plan(network, 8)
    seen = []
    for epoch in (0, 1, 3, 0):
        plan.begin_epoch(epoch)
        seen.append(learning(network))
    assert seen[0] == ([False, False, False, True], [False, False, False])
    assert seen[1] == ([False, False, True, True], [False, False, True])
    assert seen[2] == ([True, True, True, True], [True, True, True])
    assert seen[3] == seen[0]
    plan.prepare()
    assert learning(network)[0] == [True] * 4


def test_given_means_and_variances_can_be_kept_in_layers_that_learn():
    network = network_of()
    Full(batch_norm="eval").plan(network, 3).begin_epoch(0)
    assert learning(network) == ([True] * 4, [False] * 3)


def test_a_step_leaves_every_bit_of_what_stands_still_also_in_the_running_mean():
    network = network_of()
    plan = LastBlocks(1).plan(network, 3)
    plan.prepare()
    plan.begin_epoch(0)
    before = copy.deepcopy(network.state_dict())
    average: Any = warmed_up_average(0.99)
    mean = torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=average, use_buffers=True)
    optimizer = AdamW(0.1, 0.5, Constant(0.0)).optimizer(network, plan.rate_factors)
    for _ in range(3):
        output = network({"audio": torch.randn(4, 1, 40, 50)}, {"audio": torch.tensor([50, 50, 40, 30])})
        nn.functional.cross_entropy(output.value, torch.tensor([0, 1, 2, 0])).backward()
        optimizer.step()
        mean.update_parameters(network)
    for state in (network.state_dict(), mean.module.state_dict()):
        moved = {name for name, value in state.items() if not torch.equal(value, before[name])}
        assert {name.split(".")[0] for name in moved} == {"encoders", "head"}
        assert {name[: len("encoders.audio.stages.1")] for name in moved if name[0] == "e"} == {
            "encoders.audio.stages.1"
        }


# Rates and decay


def test_rates_fall_from_the_head_down_and_what_normalises_does_not_decay():
    network = network_of()
    plan = Full(lr_decay=0.5).plan(network, 3)
    optimizer = AdamW(0.08, 0.05, Constant(0.0)).optimizer(network, plan.rate_factors)
    assert [group["lr"] for group in optimizer.param_groups] == [0.08, 0.08, 0.04, 0.04, 0.02, 0.02, 0.01, 0.01]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.05, 0.0] * 4
    rate_of = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert len(rate_of) == len(list(network.parameters()))
    assert {rate_of[id(p)] for p in network.head.parameters()} == {0.08}
    assert {rate_of[id(p)] for p in network.encoders["audio"].stem.parameters()} == {0.01}
    assert {rate_of[id(p)] for p in network.encoders["audio"].stages[1].parameters()} == {0.04}


def test_scales_of_two_dimensions_do_not_decay_either():
    module = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm([3, 4]))
    decaying, others = AdamW(0.1, 0.05, Constant(0.0)).optimizer(module).param_groups
    assert ([p.shape for p in decaying["params"]], len(others["params"])) == ([(4, 4)], 3)


# What is taken


def begun(bundle, network, objective=None, label="pitch", preprocessor=None):
    return begin_with(network, objective or objective_of(), str(bundle), label, preprocessor or AUDIO["preprocessor"])


def given(bundle):
    from avpipe.bundle import load_bundle

    return load_bundle(bundle).network


def test_the_same_network_takes_all(bundle):
    network = network_of()
    found = begun(bundle, network)
    assert (found.taken, found.new) == (["encoders.audio", "head"], {})
    for name, value in given(bundle).state_dict().items():
        assert torch.equal(network.state_dict()[name], value)
    assert "taken: encoders.audio, head; new: nothing" in str(found)


def test_a_new_class_list_keeps_the_encoder_and_replaces_the_head(bundle):
    labels = ("high", "low", "other")
    network = network_of(labels=labels)
    head = copy.deepcopy(network.head.state_dict())
    found = begun(bundle, network, objective_of(labels))
    assert found.taken == ["encoders.audio"]
    assert found.new == {"head": "it is to tell 3 labels apart, and the bundle's 3, 2 of them the same"}
    assert first_difference(network.encoders, given(bundle).encoders) is None
    for name, value in given(bundle).encoders.state_dict().items():
        assert torch.equal(network.encoders.state_dict()[name], value)
    assert all(torch.equal(value, head[name]) for name, value in network.head.state_dict().items())


def test_a_head_of_the_same_labels_is_taken_row_by_row(bundle):
    labels = ("middle", "high", "low")
    network = network_of(labels=labels)
    assert "head" in begun(bundle, network, objective_of(labels)).taken
    theirs = given(bundle).head.weight  # high, low, middle
    assert torch.equal(network.head.weight, theirs[[2, 0, 1]])


def test_labels_of_another_kind_are_not_taken_for_the_same(bundle):
    found = begun(bundle, network_of(), label="loudness")
    assert found.new == {"head": "it is to say loudness, and the bundle's says pitch"}


def test_an_encoder_of_another_sense_or_shape_is_refused(bundle, tmp_path):
    with pytest.raises(ArgumentError, match=r"takes audio, and the one to be trained video; give a bundle of the same"):
        begun(bundle, network_of(VIDEO))
    wider = {**AUDIO, "encoders": {"audio": {**AUDIO["encoders"]["audio"], "channels": [4, 4, 9]}}}
    with pytest.raises(ArgumentError, match=r"first in encoders\.audio\.stages\.1"):
        begun(bundle, network_of(wider))
    # Of equal shapes, and another network all the same.
    finer = {**AUDIO, "encoders": {"audio": {**AUDIO["encoders"]["audio"], "time_halvings": 1}}}
    with pytest.raises(ArgumentError, match=r"first in encoders\.audio\.halve\.1"):
        begun(bundle, network_of(finer))
    with pytest.raises(ArgumentError, match="differs"):
        begun(save_denoiser_bundle(tmp_path / "filter"), network_of())


def test_another_pooling_takes_the_encoder_and_no_head(bundle):
    pooling = instantiate({"_target_": "avpipe.networks.AttentivePooling", "_partial_": True})
    encoder = instantiate(AUDIO["encoders"]["audio"])
    network = Network({"audio": encoder}, pooling, Identity, 3)
    found = begun(bundle, network)
    assert found.taken == ["encoders.audio"]
    assert found.new == {"pooling.audio": "the bundle has another", "head": "other vectors reach it"}


def test_other_features_are_told(bundle):
    other = {**AUDIO["preprocessor"], "window_sec": 9.0, "audio": {**AUDIO["preprocessor"]["audio"], "n_fft": 512}}
    assert begun(bundle, network_of()).warnings == []
    (line,) = begun(bundle, network_of(), preprocessor=other).warnings
    assert line.endswith("audio.n_fft 256 there and 512 here")
