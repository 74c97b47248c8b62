"""Sound and lips in one network: in step, each masked where it is not, no item hanging on others."""

import pytest
import torch

from avpipe.config import instantiate
from avpipe.networks import LipEncoder, ResidualEncoder2d, SequenceNetwork, TimeConvEncoder
from tests.tiny import LIPS, LIPS_AND_SOUND

STEPS = 30


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return instantiate(LIPS_AND_SOUND["network"]).eval()


@pytest.fixture(scope="module")
def batch():
    draw = torch.Generator().manual_seed(0)
    features = {
        "audio": torch.randn(3, 1, 40, 4 * STEPS + 1, generator=draw),
        "video": torch.randn(3, 1, STEPS, 20, 20, generator=draw),
    }
    return features, {"audio": torch.tensor([121, 60, 0]), "video": torch.tensor([30, 30, 20])}


def only(batch, row):
    features, lengths = batch
    return tuple({sense: value[row : row + 1] for sense, value in part.items()} for part in (features, lengths))


def test_an_answer_is_as_long_as_the_longest_sense(network, batch):
    output = network(*batch)
    assert output.value.shape == (3, STEPS + 1, 4)
    assert output.lengths.tolist() == [31, 30, 20]
    output.value.sum().backward()
    assert all(each.grad is not None for each in network.parameters())


def test_both_senses_count(network, batch):
    features, lengths = batch
    whole = network(features, lengths).value
    for sense in features:
        changed = network({**features, sense: features[sense].flip(0)}, lengths).value
        assert not torch.equal(changed[0], whole[0])


def test_a_sense_that_is_missing_is_the_same_as_one_of_no_length(network, batch):
    features, lengths = only(batch, 2)
    alone = network({"video": features["video"]}, {"video": lengths["video"]})
    beside = network(features, lengths)
    torch.testing.assert_close(alone.value[:, :20], beside.value[:, :20], rtol=0, atol=1e-5)
    assert alone.lengths.tolist() == beside.lengths.tolist() == [20]
    heard = {"audio": features["audio"]}, {"audio": torch.tensor([121])}
    both = {**features}, {"audio": torch.tensor([121]), "video": torch.tensor([0])}
    torch.testing.assert_close(network(*heard).value, network(*both).value, rtol=0, atol=1e-5)


def test_what_stands_in_the_padding_is_not_seen(network, batch):
    features, lengths = only(batch, 2)
    other = {"audio": features["audio"] + 7.0, "video": features["video"].clone()}
    other["video"][:, :, 20:] = 3.0
    one, two = network(features, lengths).value, network(other, lengths).value
    torch.testing.assert_close(one[:, :20], two[:, :20], rtol=0, atol=1e-5)


def test_neighbours_change_no_bit(network, batch):
    features, lengths = batch
    with torch.inference_mode():
        whole = network(features, lengths).value
        order = torch.tensor([2, 0, 1])
        turned = network(
            {sense: value[order] for sense, value in features.items()},
            {sense: value[order] for sense, value in lengths.items()},
        ).value
    assert torch.equal(whole[order], turned)


def test_in_training_one_sense_is_left_out_now_and_then_and_never_both(batch):
    torch.manual_seed(0)
    network = instantiate({**LIPS_AND_SOUND["network"], "sense_dropout": 0.5})
    present = torch.ones(2, 1000, dtype=torch.bool)
    heard = network.train()._heard(present)
    assert heard.any(0).all()
    missing = (~heard).float().mean(1)
    assert (missing > 0.2).all()
    assert (missing < 0.3).all()
    lacking = torch.tensor([[True] * 50, [False] * 50])
    assert torch.equal(network._heard(lacking), lacking)
    assert torch.equal(network.eval()._heard(present), present)


def test_senses_go_at_one_pace(network):
    preprocessor = instantiate(LIPS_AND_SOUND["preprocessor"])
    assert network.step_sec(preprocessor) == pytest.approx(0.04)
    assert network.context_steps == 2 * (1 + 2) + 2
    audio = {**LIPS_AND_SOUND["preprocessor"]["audio"], "hop_length": 80}
    with pytest.raises(ValueError, match=r"audio 0.02 s, video 0.04 s"):
        network.step_sec(instantiate({**LIPS_AND_SOUND["preprocessor"], "audio": audio}))


def test_joint_layers_are_of_several_senses():
    encoders = {"audio": ResidualEncoder2d(), "video": LipEncoder()}
    with pytest.raises(ValueError, match="without joint layers"):
        SequenceNetwork(encoders, 3)
    with pytest.raises(ValueError, match="sense_dropout"):
        SequenceNetwork({"video": LipEncoder()}, 3, sense_dropout=1.0)


def test_lips_are_seen_no_further_than_the_encoder_says():
    network = instantiate(LIPS["network"]).eval()
    encoder = network.encoders["video"]
    assert isinstance(encoder, TimeConvEncoder)
    video = torch.randn(1, 1, 60, 20, 20, generator=torch.Generator().manual_seed(0))
    changed = video.clone()
    changed[:, :, 30:] += 1.0
    lengths = {"video": torch.tensor([60])}
    one, other = (network({"video": each}, lengths).value for each in (video, changed))
    moved = (one != other).any(2)[0].nonzero()[0].item()
    assert moved == 30 - network.context_steps == 30 - (2 * (1 + 2) + 2)
