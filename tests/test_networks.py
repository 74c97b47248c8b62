"""Shapes, gradients, masking; nothing in eval mode looks at neighbours or at padding."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
import torchvision
from torch import nn

from avpipe.networks import (
    AttentivePooling,
    Concatenation,
    EcapaEncoder,
    Ensemble,
    FrameEncoder2d,
    Identity,
    LeNet5,
    LipEncoder,
    MeanPooling,
    MotionEncoder,
    Network,
    Output,
    ResidualEncoder2d,
    ResidualEncoder3d,
    SegmentPooling,
    ShiftEncoder2d,
    ShotEncoder,
    StatisticsPooling,
    TorchvisionEncoder2d,
    TorchvisionEncoder3d,
    X3dEncoder,
)
from avpipe.networks.network import Head
from avpipe.networks.shift2d import shift_frames

ENCODERS: dict[str, tuple[Callable[[], nn.Module], str, tuple[int, ...], int]] = {
    "residual2d": (ResidualEncoder2d, "audio", (1, 40, 50), 50),
    "residual2d_deep": (partial(ResidualEncoder2d, blocks=2), "audio", (1, 40, 50), 50),
    "ecapa": (partial(EcapaEncoder, n_mels=40, channels=32), "audio", (1, 40, 50), 50),
    "residual3d": (ResidualEncoder3d, "video", (3, 9, 48, 48), 9),
    "frames2d": (FrameEncoder2d, "video", (3, 9, 48, 48), 9),
    "frames2d in parts": (partial(FrameEncoder2d, (8, 8, 8), 2, 3), "video", (3, 9, 48, 48), 9),
    "shift2d": (partial(ShiftEncoder2d, blocks=2), "video", (3, 9, 48, 48), 9),
    "lips": (LipEncoder, "video", (1, 9, 32, 32), 9),
    "motion": (MotionEncoder, "video", (3, 9, 48, 48), 9),
    "x3d": (X3dEncoder, "video", (3, 9, 48, 48), 9),
    "shots": (partial(ShotEncoder, neighbours=3), "video", (3, 9, 27, 48), 9),
    "lenet5": (LeNet5, "audio", (1, 40, 70), 70),
    "lenet5 of frames": (partial(LeNet5, 3), "video", (3, 5, 40, 40), 5),
    "resnet18": (partial(TorchvisionEncoder2d, "resnet18"), "audio", (1, 40, 70), 70),
    "alexnet": (partial(TorchvisionEncoder2d, "alexnet"), "audio", (1, 64, 100), 100),
    "mobilenet_v3_small": (partial(TorchvisionEncoder2d, "mobilenet_v3_small"), "audio", (1, 40, 70), 70),
    "mobilenet_v3_small of frames": (
        partial(TorchvisionEncoder2d, "mobilenet_v3_small", 3),
        "video",
        (3, 5, 48, 48),
        5,
    ),
    **{
        name: (partial(TorchvisionEncoder3d, name), "video", (3, 9, 32, 32), 9)
        for name in ("mc3_18", "s3d")  # one that keeps time and one that does not: all are built alike
    },
}


DEPEND_ON_PADDING = (
    *("residual3d", "shots", "lenet5", "lenet5 of frames", "resnet18", "alexnet"),
    *("mobilenet_v3_small", "mobilenet_v3_small of frames", "mc3_18", "s3d"),
)
"""Or see windows of a least length only, or as many frames as there are."""


@pytest.fixture(params=ENCODERS)
def case(request):
    torch.manual_seed(0)
    encoder_class, sense, shape, steps = ENCODERS[request.param]
    network = Network({sense: encoder_class()}, StatisticsPooling, Identity, num_outputs=5)
    return network, sense, torch.randn(4, *shape), torch.tensor([steps, steps - 3, 1, steps])


def test_every_encoder_keeps_its_contract(case):
    network, sense, features, lengths = case
    sequence, sequence_lengths = network.encoders[sense](features, lengths)
    assert sequence.shape[:2] == (4, network.encoders[sense].out_dim)
    assert sequence_lengths.max() == sequence.shape[2]
    assert sequence_lengths.min() >= 1


def test_a_step_gives_finite_gradients_to_every_parameter(case):
    network, sense, features, lengths = case
    network({sense: features}, {sense: lengths}).value.square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0 or parameter.ndim == 1, name


def test_an_answer_is_bit_equal_in_any_place_and_beside_any_neighbour(case):
    network, sense, features, lengths = case
    network.eval()
    with torch.inference_mode():
        whole = network({sense: features}, {sense: lengths}).value
        order = torch.tensor([2, 0, 3, 1])
        turned = network({sense: features[order]}, {sense: lengths[order]}).value
        beside_zeros = network(
            {sense: torch.cat([features[:1], torch.zeros_like(features[1:])])}, {sense: lengths}
        ).value
    assert torch.equal(turned, whole[order])
    assert torch.equal(beside_zeros[0], whole[0])


@pytest.mark.parametrize("name", ENCODERS)
def test_those_that_say_that_they_ignore_padding_do(name):
    torch.manual_seed(0)
    encoder_class, sense, shape, steps = ENCODERS[name]
    network = Network({sense: encoder_class()}, StatisticsPooling, Identity, num_outputs=5)
    if not network.ignores_padding:
        assert name in DEPEND_ON_PADDING
        return
    features, axis = torch.randn(4, *shape), 3 if sense == "audio" else 2
    network({sense: features}, {sense: torch.full((4,), steps)})  # normalisation that moves zeros
    network.eval()
    for longest in (steps // 2, 1):
        lengths = torch.tensor([longest, max(1, longest - 2), 1, longest])
        with torch.inference_mode():
            long = network({sense: features}, {sense: lengths}).value
            short = network({sense: features.narrow(axis, 0, longest)}, {sense: lengths}).value
        torch.testing.assert_close(long, short, rtol=0.0, atol=1e-5)


@pytest.mark.parametrize("time_halvings", [None, 2, 0])
@pytest.mark.parametrize("pooling", [StatisticsPooling, SegmentPooling, AttentivePooling])
def test_how_much_padding_there_is_does_not_matter(time_halvings, pooling):
    torch.manual_seed(0)
    network = Network({"audio": ResidualEncoder2d(time_halvings=time_halvings)}, pooling, Identity, num_outputs=5)
    mel, lengths = torch.randn(3, 1, 40, 50), torch.tensor([30, 17, 1])
    network({"audio": mel}, {"audio": lengths})  # normalisation that moves zeros
    network.eval()
    with torch.inference_mode():
        long = network({"audio": mel}, {"audio": lengths}).value
        short = network({"audio": mel[..., :30]}, {"audio": lengths}).value
    torch.testing.assert_close(long, short, rtol=0.0, atol=1e-5)


def test_what_stands_in_the_padding_does_not_matter(case):
    network, sense, features, lengths = case
    network.eval()
    axis = 3 if sense == "audio" else 2
    padded = features.clone()
    padded[1].narrow(axis - 1, int(lengths[1]), 3).fill_(7.0)
    with torch.inference_mode():
        plain = network({sense: features}, {sense: lengths}).value
        other = network({sense: padded}, {sense: lengths}).value
    if isinstance(network.encoders[sense], FrameEncoder2d):
        torch.testing.assert_close(plain, other)
    else:
        assert torch.equal(plain, other)


@pytest.mark.parametrize("encoder", [X3dEncoder, partial(ShiftEncoder2d, blocks=2)], ids=["x3d", "shift2d"])
def test_how_much_padding_there_is_does_not_matter_to_those_that_look(encoder):
    torch.manual_seed(0)
    network = Network({"video": encoder()}, StatisticsPooling, Identity, num_outputs=5)
    frames, lengths = torch.randn(3, 3, 12, 32, 32), torch.tensor([8, 5, 1])
    network({"video": frames}, {"video": lengths})  # normalisation that moves zeros
    network.eval()
    with torch.inference_mode():
        long = network({"video": frames}, {"video": lengths}).value
        short = network({"video": frames[:, :, :8]}, {"video": lengths}).value
    torch.testing.assert_close(long, short, rtol=0.0, atol=1e-5)


def test_frames_in_parts_tell_where_something_is():
    torch.manual_seed(0)
    encoder = FrameEncoder2d((4, 6), stem_stride=2, parts=2).eval()
    frames = torch.zeros(1, 3, 2, 32, 32)
    frames[..., 26:30, 2:6] = 1.0
    with torch.inference_mode():
        (nothing, marked) = (encoder(each, torch.tensor([2]))[0][0, :, 0] for each in (0.0 * frames, frames))
    changed = (nothing != marked).view(6, 2, 2).any(0)  # channels, down, across
    assert changed.tolist() == [[False, False], [True, False]]


@pytest.mark.parametrize("name", ["r3d_18", "mc3_18", "r2plus1d_18", "s3d"])
def test_a_full_window_goes_through_torchvisions_own_arithmetic(name):
    torch.manual_seed(0)
    theirs, ours = torchvision.models.get_model(name, weights=None).eval(), TorchvisionEncoder3d(name).eval()
    ours.trunk.load_state_dict(ours.fitted(theirs.state_dict()))
    seen = []
    theirs.avgpool = nn.AdaptiveAvgPool3d(1)  # S3D's own takes large pictures only
    theirs.avgpool.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    frames = torch.randn(1, 3, 16, 32, 32)
    with torch.inference_mode():
        theirs(frames)
        sequence, lengths = ours(frames, torch.tensor([16]))
    assert torch.equal(sequence, seen[0].mean((3, 4)))
    assert lengths.tolist() == [sequence.shape[2]]


def test_an_unknown_network_of_torchvision_is_refused():
    with pytest.raises(ValueError, match="name=swin3d_t is none of: r3d_18"):
        TorchvisionEncoder3d("swin3d_t")


def test_channels_go_one_frame_on_and_one_frame_back():
    frames = torch.arange(1.0, 5.0)[None, :, None].expand(1, 4, 8)  # the frame's number in every channel
    shifted = shift_frames(frames, 2)[0]
    assert shifted[:, 0].tolist() == shifted[:, 1].tolist() == [0.0, 1.0, 2.0, 3.0]
    assert shifted[:, 2].tolist() == shifted[:, 3].tolist() == [2.0, 3.0, 4.0, 0.0]
    assert shifted[:, 4].tolist() == shifted[:, 7].tolist() == [1.0, 2.0, 3.0, 4.0]
    assert torch.equal(shift_frames(frames, 0), frames)


def test_what_an_encoder_is_not_is_refused():
    with pytest.raises(ValueError, match="blocks"):
        X3dEncoder((4, 8, 8), blocks=(1,))
    with pytest.raises(ValueError, match=r"fraction=0\.6"):
        ShiftEncoder2d(fraction=0.6)


def test_normalised_statistics_are_as_large_as_one_another():
    pooling, lengths = StatisticsPooling(2, normalised=True), torch.full((64,), 20)
    torch.manual_seed(0)
    vectors = torch.randn(64, 2, 20) * torch.tensor([1.0, 100.0])[:, None]
    torch.testing.assert_close(pooling(vectors, lengths).std(0, correction=0), torch.ones(4), atol=0.01, rtol=0)
    pooling.eval()
    assert torch.equal(pooling(vectors, lengths)[:3], pooling(vectors[:3], lengths[:3]))


@pytest.mark.parametrize("pooling_class", [MeanPooling, StatisticsPooling])
def test_pooling_sees_true_lengths_only(pooling_class):
    sequence = torch.randn(3, 6, 10)
    pooling = pooling_class(6)
    pooled = pooling(sequence, torch.tensor([10, 4, 0]))
    assert pooled.shape == (3, pooling.out_dim)
    torch.testing.assert_close(pooled[1, :6], sequence[1, :, :4].mean(1))
    if pooling_class is StatisticsPooling:
        torch.testing.assert_close(pooled[1, 6:], (sequence[1, :, :4].var(1, unbiased=False) + 1e-5).sqrt())
    assert pooled[2, :6].tolist() == [0.0] * 6


def test_two_senses_are_fused_and_one_may_be_missing():
    encoders = {"audio": ResidualEncoder2d((4, 8), bands=1), "video": ResidualEncoder3d((4, 8, 8))}
    network = Network(encoders, partial(MeanPooling), Concatenation, num_outputs=3).eval()
    features = {"audio": torch.randn(2, 1, 40, 20), "video": torch.randn(2, 3, 4, 32, 32)}
    lengths = {"audio": torch.tensor([20, 9]), "video": torch.tensor([4, 4])}
    output = network(features, lengths)
    assert output.value.shape == (2, 3)
    assert output.embedding.shape == (2, 16)
    heard = network({"audio": features["audio"]}, {"audio": lengths["audio"]})
    assert heard.embedding[:, 8:].abs().sum() == 0
    torch.testing.assert_close(heard.embedding[:, :8], output.embedding[:, :8])


def test_a_network_lacks_the_sense_that_has_no_encoder():
    network = Network({"audio": ResidualEncoder2d((4, 8)), "video": None}, StatisticsPooling, Identity, num_outputs=3)
    assert network.senses == ("audio",)
    mel, frames = torch.randn(2, 1, 40, 20), torch.randn(2, 3, 2, 16, 16)
    network.eval()
    with torch.inference_mode():
        heard = network({"audio": mel}, {"audio": torch.tensor([20, 9])}).value
        shown = network(
            {"audio": mel, "video": frames}, {"audio": torch.tensor([20, 9]), "video": torch.tensor([2, 2])}
        ).value
    assert torch.equal(heard, shown)


def test_identity_refuses_two_senses():
    with pytest.raises(ValueError, match="one sense"):
        Identity({"audio": 3, "video": 4})


class Saying(nn.Module):
    """A member that says the same logits for every item."""

    def __init__(self, logits, embedding=None):
        super().__init__()
        self.logits = torch.tensor(logits)
        self.embedding = None if embedding is None else torch.tensor(embedding)
        self.num_outputs = len(logits)

    def forward(self, features, lengths):
        count = len(lengths["audio"])
        embedding = None if self.embedding is None else self.embedding.expand(count, -1)
        return Output(self.logits.expand(count, -1), embedding=embedding)


LENGTHS = {"audio": torch.tensor([1, 1])}


def test_an_ensemble_says_the_mean_of_its_members_probabilities():
    torch.manual_seed(0)
    members = [Network({"audio": ResidualEncoder2d((4, 8))}, MeanPooling, Identity, num_outputs=3) for _ in range(3)]
    ensemble = Ensemble(members, [0.5, 1.0, 2.0]).eval()
    features, lengths = {"audio": torch.randn(2, 1, 40, 20)}, {"audio": torch.tensor([20, 9])}
    said = ensemble(features, lengths)
    outputs = [member(features, lengths) for member in members]
    mean = sum((output.value / each).softmax(1) for output, each in zip(outputs, [0.5, 1.0, 2.0], strict=True)) / 3
    torch.testing.assert_close(said.value.exp(), mean)
    torch.testing.assert_close(said.value.softmax(1), mean)
    assert torch.equal(said.embedding, torch.cat([output.embedding for output in outputs], dim=1))
    assert ensemble.num_outputs == members[0].num_outputs == 3
    torch.testing.assert_close(Ensemble(members).eval()(features, lengths).value.exp().sum(1), torch.ones(2))


def test_an_ensemble_of_the_very_sure_stays_finite():
    said = Ensemble([Saying([2000.0, 0.0, -2000.0]), Saying([0.0, 2000.0, -2000.0])])({}, LENGTHS)
    assert said.value[0, :2].exp().tolist() == pytest.approx([0.5, 0.5])
    assert said.value.isfinite().all()
    assert said.value[0, 2] < -1000


def test_an_ensemble_has_an_embedding_if_every_member_has_one():
    one, other, none = Saying([0.0, 1.0], [1.0, 2.0]), Saying([0.0, 1.0], [3.0]), Saying([0.0, 1.0])
    assert Ensemble([one, other])({}, LENGTHS).embedding.tolist() == [[1.0, 2.0, 3.0]] * 2
    assert Ensemble([one, none])({}, LENGTHS).embedding is None


def test_an_ensemble_refuses_what_cannot_answer_as_one():
    two, three = Saying([0.0, 1.0]), Saying([0.0, 1.0, 2.0])
    for members in ([], [two], [two, three]):
        with pytest.raises(ValueError, match="two or more members of one width"):
            Ensemble(members)
    for temperatures in ([1.0], [1.0, 0.0], [1.0, -1.0], [1.0, float("nan")]):
        with pytest.raises(ValueError, match="temperatures must be positive"):
            Ensemble([two, two], temperatures)


def test_segments_keep_the_order_whatever_the_tempo():
    pooling = SegmentPooling(1, segments=4)
    for length in (4, 8, 40):
        rising = torch.zeros(1, 1, 50)
        rising[0, 0, :length] = (torch.arange(length) + 0.5) / length
        means = pooling(rising, torch.tensor([length]))[0, :4]
        torch.testing.assert_close(means, torch.tensor([0.14, 0.375, 0.625, 0.86]), atol=0.03, rtol=0.0)
    turned = torch.zeros(1, 1, 50)
    turned[0, 0, :40] = rising[0, 0, :40].flip(0)
    assert pooling(turned, torch.tensor([40]))[0, 0] > 0.8
    assert pooling(torch.zeros(2, 1, 50), torch.tensor([0, 1])).isfinite().all()


@pytest.mark.parametrize("dim", [1, 27, 54, 55, 56])
def test_a_head_answers_alike_in_any_place(dim):
    torch.manual_seed(0)
    head, vectors, order = Head(dim, 5), torch.randn(33, dim), torch.randperm(33)
    with torch.inference_mode():
        assert torch.equal(head(vectors[order]), head(vectors)[order])
        torch.testing.assert_close(head(vectors), nn.functional.linear(vectors, head.weight, head.bias))
