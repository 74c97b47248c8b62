"""2D CNNs of torchvision, timm and 1998 over spectrograms and frames: one training step, gradients, bundles, sizes."""

import pytest
import torch
import torchvision
from torch import nn

from avpipe.bundle import Origin, full_window, load_bundle, save_bundle
from avpipe.bundle.trust import check_spec
from avpipe.config import compose, conf_dir, instantiate, plain
from avpipe.errors import ArgumentError
from avpipe.networks import (
    Identity,
    LeNet5,
    MeanPooling,
    Network,
    TimmEncoder2d,
    TorchvisionEncoder2d,
    layer_arithmetic,
    stages,
)
from avpipe.networks.pictures import as_sequence
from avpipe.networks.torchvision2d import _NETWORKS
from avpipe.objectives import Batch
from avpipe.training.pretrained import for_bundle
from tests.tiny import AUDIO, VIDEO, specs_of

LABELS = ("high", "low", "middle")
QUICK = ("alexnet", "resnet18", "googlenet", "mobilenet_v3_small")
"""One of each kind: the others are built alike, and take longer."""
NAMES = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in _NETWORKS]
SOUND = {**AUDIO["preprocessor"], "audio": {**AUDIO["preprocessor"]["audio"], "n_mels": 80}}
FILM = {**VIDEO["preprocessor"], "video": {**VIDEO["preprocessor"]["video"], "size_px": 96, "crop_px": 80}}


def specs(encoder, sense):
    """Specifications of a bundle with an encoder on pictures that are large enough for all of them."""
    preprocessor = SOUND if sense == "audio" else FILM
    return specs_of({"preprocessor": preprocessor, "encoders": {sense: encoder}}, LABELS)


def spec_of(target, sense, **settings):
    return {"_target_": f"avpipe.networks.{target}", "in_channels": 1 if sense == "audio" else 3, **settings}


def take_a_step(network, objective, preprocessor):
    """Forward and backward of two windows, one of them short."""
    features, lengths = full_window(preprocessor)
    (sense,) = features
    given = {sense: torch.randn(2, *features[sense].shape[1:])}
    steps = int(lengths[sense])
    batch = Batch(given, {sense: torch.tensor([steps, max(1, steps // 2)])}, torch.tensor([0, 2]), (0, 1), (1.0, 1.0))
    output = network.train()(batch.features, batch.lengths)
    objective.training_loss(output, batch).backward()
    return output


def check(encoder, sense, folder):
    torch.manual_seed(0)
    built = specs(encoder, sense)
    preprocessor, network, objective = (instantiate(built[name]) for name in ("preprocessor", "network", "objective"))
    take_a_step(network, objective, preprocessor)
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    with torch.no_grad():
        for parameter in network.parameters():
            parameter -= 1e-3 * parameter.grad
    network.drop_auxiliary()
    bundled = {**built, "network": for_bundle(built["network"])}
    origin = Origin("tones", "pitch", "folders", "made here", 0, {"by": "group"}, "0" * 64, "avpipe train", {})
    save_bundle(folder, bundled, network, objective, origin)
    loaded = load_bundle(folder)
    features, lengths = full_window(preprocessor)
    with torch.inference_mode():
        own, theirs = (each.eval()(features, lengths).value for each in (network, loaded.network))
    assert torch.equal(own, theirs)
    sums = layer_arithmetic(network, features, lengths)
    assert sums.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert (sums.training_only, sums.counted_flops) == (0, 2 * sums.multiply_adds)
    assert sums.encoders[sense].output[0] == network.encoders[sense].out_dim


@pytest.mark.parametrize("sense", ["audio", "video"])
@pytest.mark.parametrize("name", NAMES)
def test_each_of_torchvision_learns_is_saved_and_accounted_for(name, sense, tmp_path):
    check(spec_of("TorchvisionEncoder2d", sense, name=name, auxiliary=True), sense, tmp_path / "bundle")


@pytest.mark.parametrize("sense", ["audio", "video"])
def test_lenet_learns_is_saved_and_accounted_for(sense, tmp_path):
    check(spec_of("LeNet5", sense), sense, tmp_path / "bundle")


@pytest.mark.parametrize("sense", ["audio", "video"])
@pytest.mark.parametrize("name", ["resnet10t", pytest.param("mobilenetv4_conv_small", marks=pytest.mark.slow)])
def test_networks_of_timm_learn_are_saved_and_accounted_for(name, sense, tmp_path):
    pytest.importorskip("timm")
    check(spec_of("TimmEncoder2d", sense, name=name), sense, tmp_path / "bundle")


@pytest.mark.parametrize("name", ["convnext_atto", "vit_tiny_patch16_224"])
def test_maps_of_timm_come_in_one_layout(name):
    pytest.importorskip("timm")
    encoder = TimmEncoder2d(name)
    sequence, lengths = encoder.eval()(torch.randn(2, 1, 64, 96), torch.tensor([96, 20]))
    assert sequence.shape == (2, encoder.out_dim, 96 // encoder.time_stride)
    assert lengths.tolist() == [96 // encoder.time_stride, -(-20 // encoder.time_stride)]


def test_lenet_has_the_parameters_that_are_told_of_it():
    network = instantiate(
        {
            **plain(compose("train", ["encoder=lenet5", "task=sound_event", "pooling=mean"]))["network"],
            "num_outputs": 10,
        }
    )
    assert sum(parameter.numel() for parameter in network.parameters()) == 61_706
    assert sum(parameter.numel() for parameter in LeNet5(3).c1.parameters()) == 456


def test_lenet_says_of_a_square_what_it_says_of_it_in_a_row():
    torch.manual_seed(0)
    encoder, row = LeNet5().eval(), torch.randn(1, 1, 32, 64)
    sequence, lengths = encoder(row, torch.tensor([64]))
    assert (sequence.shape[2], lengths.tolist()) == (9, [9])
    for step in (0, 4, 8):
        square, _ = encoder(row[..., 4 * step : 4 * step + 32], torch.tensor([32]))
        torch.testing.assert_close(square[0, :, 0], sequence[0, :, step])
    _, short = encoder(row.expand(3, -1, -1, -1), torch.tensor([40, 32, 3]))
    assert short.tolist() == [3, 1, 1]


@pytest.mark.parametrize("name", NAMES)
def test_a_full_picture_goes_through_torchvisions_own_arithmetic(name):
    torch.manual_seed(0)
    tapped = {"init_weights": True, "aux_logits": False} if name in ("googlenet", "inception_v3") else {}
    # In double precision: through a hundred layers that learned nothing, values grow and so does what is rounded.
    theirs = torchvision.models.get_model(name, weights=None, **tapped).eval().double()
    theirs.transform_input = bool(tapped)
    ours = TorchvisionEncoder2d(name, 3).eval().double()
    ours.trunk.load_state_dict(ours.fitted(theirs.state_dict()))
    frames = torch.randn(1, 3, 1, 96, 96, dtype=torch.float64)
    head = next(module for module in theirs.modules() if isinstance(module, nn.Linear))
    seen = []
    if name in ("alexnet", "vgg16", "vgg16_bn"):  # whose heads see the map and not its mean
        theirs.avgpool.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].mean((2, 3))))
    else:
        head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        theirs(frames[:, :, 0])
        sequence, _ = ours(frames, torch.tensor([1]))
    torch.testing.assert_close(sequence[:, :, 0], seen[-1] if name not in _MORE_MEANS else seen[0])


_MORE_MEANS = ("mobilenet_v3_small", "mobilenet_v3_large")


def test_one_channel_sees_in_a_grey_picture_what_three_saw():
    torch.manual_seed(0)
    theirs = torchvision.models.get_model("resnet18", weights=None)
    ours, grey = TorchvisionEncoder2d("resnet18").eval(), torch.randn(1, 1, 64, 64)
    state = theirs.state_dict()
    ours.trunk.load_state_dict(ours.fitted(state))
    assert ours.trunk.get_parameter("conv1.weight").shape == (64, 1, 7, 7)
    assert state["conv1.weight"].shape == (64, 3, 7, 7)
    coloured = TorchvisionEncoder2d("resnet18", 3).eval()
    coloured.trunk.load_state_dict(coloured.fitted(state))
    with torch.inference_mode():
        maps = [encoder.trunk(picture) for encoder, picture in ((ours, grey), (coloured, grey.expand(-1, 3, -1, -1)))]
    torch.testing.assert_close(*maps, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_the_least_size_is_the_least(name):
    encoder = TorchvisionEncoder2d(name).eval()
    least = encoder.least_px
    with torch.inference_mode():
        assert encoder(torch.randn(1, 1, least, least + 3), torch.tensor([least]))[0].numel()
        for shape in ((least - 1, least + 9), (least + 9, least - 1)):
            if least > 1:
                with pytest.raises(RuntimeError):
                    encoder.trunk(torch.randn(1, 1, *shape))
                with pytest.raises(
                    ArgumentError, match=rf"encoder {name}: sees {least}x{least} at least.*{shape[0]} bands"
                ):
                    encoder(torch.randn(1, 1, *shape), torch.tensor([1]))


def test_too_small_a_picture_of_another_kind_is_one_line_too():
    for shape, told in (
        ((20, 90), "sees 32x32 at least, and not a window of 20 bands"),
        ((64, 50), "needs as many frames as bands, and not 64 bands and 50 frames; give fewer bands"),
    ):
        with pytest.raises(ArgumentError, match=f"lenet5: {told}"):
            LeNet5()(torch.randn(1, 1, *shape), torch.tensor([5]))
    with pytest.raises(ArgumentError, match="frames of 40x40; give larger frames"):
        TorchvisionEncoder2d("alexnet", 3)(torch.randn(1, 3, 2, 40, 40), torch.tensor([2]))
    pytest.importorskip("timm")
    with pytest.raises(ArgumentError, match="convnext_atto: sees 32x32 at least"):
        TimmEncoder2d("convnext_atto")(torch.randn(1, 1, 20, 40), torch.tensor([2]))
    with pytest.raises(ArgumentError, match="takes pictures of 224x224 only"):
        TimmEncoder2d("swin_tiny_patch4_window7_224")(torch.randn(1, 1, 64, 64), torch.tensor([2]))


def test_an_unknown_name_tells_the_choices():
    with pytest.raises(ArgumentError, match=r"encoder\.name=resnet19: no such network; choose from: alexnet, vgg16"):
        TorchvisionEncoder2d("resnet19")
    pytest.importorskip("timm")
    for name in ("resnet19", "hf-hub:timm/resnet18.a1_in1k", "local-dir:/tmp"):
        with pytest.raises(
            ArgumentError, match=r"timm knows no such network; choose from timm\.list_models\(\), such as"
        ):
            TimmEncoder2d(name)


def test_the_sense_of_a_task_tells_the_channels():
    for name in ("torchvision", "lenet5", "timm"):
        for task, channels in (("sound_event", 1), ("action", 3)):
            assert plain(compose("train", [f"task={task}", f"encoder={name}"]))["encoder"]["in_channels"] == channels
    assert plain(compose("train", ["encoder=lenet5", "encoder.in_channels=2"]))["encoder"]["in_channels"] == 2


def test_two_senses_have_channels_each(tmp_path):
    (tmp_path / "task").mkdir()
    lines = [
        "# @package _global_",
        "defaults: [/corpus: folders, /encoder@audio_encoder: lenet5, /encoder@video_encoder: lenet5, _self_]",
        "preprocess: {audio: {n_mels: 64}, video: {crop_px: 64}}",
        "task: {name: both, label: both}",
    ]
    (tmp_path / "task" / "both.yaml").write_text("\n".join(lines))
    config = plain(compose("train", ["task=both"], [tmp_path]))
    assert [config[f"{sense}_encoder"]["in_channels"] for sense in ("audio", "video")] == [1, 3]


@pytest.mark.parametrize(
    ("name", "heads"),
    [
        ("googlenet", ["audio_aux1", "audio_aux2"]),
        pytest.param("inception_v3", ["audio_AuxLogits"], marks=pytest.mark.slow),
    ],
)
def test_heads_half_way_up_are_trained_and_left_out_of_answers_and_bundles(name, heads):
    torch.manual_seed(0)
    built = specs(spec_of("TorchvisionEncoder2d", "audio", name=name, auxiliary=True), "audio")
    network, objective = instantiate(built["network"]), instantiate(built["objective"])
    output = take_a_step(network, objective, instantiate(built["preprocessor"]))
    assert list(output.auxiliary) == heads
    assert all(value.shape == output.value.shape for value in output.auxiliary.values())
    batch = Batch({}, {}, torch.tensor([0, 2]), (0, 1), (1.0, 1.0))
    alone = sum(nn.functional.cross_entropy(each, batch.targets) for each in output.auxiliary.values())
    torch.testing.assert_close(objective.training_loss(output, batch), objective.loss(output, batch) + 0.3 * alone)
    network.eval()
    features, lengths = full_window(instantiate(built["preprocessor"]))
    assert network(features, lengths).auxiliary == {}
    network.drop_auxiliary()
    bare = instantiate(for_bundle(built["network"]))
    assert bare.state_dict().keys() == network.state_dict().keys()
    assert not any("aux" in layer.lower() for layer in bare.state_dict())
    with torch.inference_mode():
        bare.load_state_dict(network.state_dict())
        assert torch.equal(bare.eval()(features, lengths).value, network(features, lengths).value)


def test_a_network_without_such_heads_has_none():
    assert not Network({"audio": LeNet5()}, MeanPooling, Identity, 2).auxiliary
    assert not TorchvisionEncoder2d("googlenet", auxiliary=False).taps
    assert not TorchvisionEncoder2d("resnet18").taps


def test_steps_count_where_any_of_them_was_heard():
    maps, features = torch.randn(3, 4, 2, 5), torch.zeros(3, 1, 64, 150)
    sequence, lengths = as_sequence(maps, features, torch.tensor([150, 61, 0]))
    torch.testing.assert_close(sequence, maps.mean(2))
    assert lengths.tolist() == [5, 3, 1]


def test_a_bundle_may_build_them_by_name(tmp_path):
    for encoder in ({"_target_": "avpipe.networks.TimmEncoder2d", "name": "x"}, {"_target_": "avpipe.networks.LeNet5"}):
        check_spec(tmp_path, "network", encoder)


ENCODERS = sorted(path.stem for path in (conf_dir() / "encoder").glob("*.yaml"))


@pytest.mark.parametrize("name", ENCODERS)
def test_every_weight_of_an_encoder_is_in_one_of_its_blocks(name):
    if name == "timm":
        pytest.importorskip("timm")
    task = "action" if "video" in _senses(name) else "sound_event"
    encoder = instantiate(plain(compose("train", [f"task={task}", f"encoder={name}"]))["encoder"])
    blocks = stages(encoder)
    held = [id(parameter) for block in blocks for module in block for parameter in module.parameters()]
    assert sorted(held) == sorted(id(parameter) for parameter in encoder.parameters())
    assert len(blocks) >= (1 if name == "motion" else 4)  # which learns a normalisation and nothing else


def _senses(name):
    text = (conf_dir() / "encoder" / f"{name}.yaml").read_text(encoding="utf-8")
    return "video" if any(word in text for word in ("3d", "X3d", "2D CNN on each frame", "Motion")) else "audio"


def test_blocks_of_a_residual_network_are_its_stem_and_its_blocks():
    blocks = stages(TorchvisionEncoder2d("resnet18"))
    assert [type(block[0]).__name__ for block in blocks] == ["Conv2d", *["BasicBlock"] * 8]
    assert [type(module).__name__ for module in blocks[0]] == ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"]
    assert len(stages(TorchvisionEncoder2d("vgg16"))) == 13
