"""What layers cost and see: by formula, by torch's own counter, and by the gradient that comes back."""

import pytest
import torch
import torchvision
from torch import Tensor, nn

from avpipe.bundle import full_window
from avpipe.config import compose, instantiate, plain
from avpipe.networks import (
    DenoisingNetwork,
    FrameEncoder2d,
    LeNet5,
    ResidualEncoder2d,
    ResidualEncoder3d,
    ShiftEncoder2d,
    TimeConvEncoder,
    TorchvisionEncoder2d,
    TorchvisionEncoder3d,
    account,
    folded,
    layer_arithmetic,
)
from avpipe.networks.arithmetic import AXES

PICTURE = (None, None, "height", "width")


def of_picture(module, *shape):
    picture = torch.zeros(1, *shape)
    return account(module, (picture,), [(picture, PICTURE)])


def test_the_first_layer_of_the_course():
    sums = of_picture(nn.Conv2d(3, 6, 5), 3, 32, 32)
    (layer,) = sums.layers
    assert layer.output == (6, 28, 28)
    assert (layer.parameters, layer.multiply_adds) == ((5 * 5 * 3 + 1) * 6, 28 * 28 * 6 * 5 * 5 * 3) == (456, 352_800)
    assert (layer.kernel, layer.stride, layer.padding) == ((5, 5), (1, 1), (0, 0))
    assert layer.fields["width"].places == 5
    assert layer.activation_bytes == 28 * 28 * 6 * 4
    assert sums.counted_flops == 2 * sums.multiply_adds


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 1, 1), (7, 2, 3), (11, 4, 2), (2, 2, 0), (5, 3, 1)])
def test_sizes_are_those_of_the_formula(kernel, stride, padding):
    (layer,) = of_picture(nn.Conv2d(2, 4, kernel, stride, padding), 2, 37, 50).layers
    assert layer.output == (4, *((n + 2 * padding - kernel) // stride + 1 for n in (37, 50)))
    assert layer.parameters == (kernel * kernel * 2 + 1) * 4
    assert (layer.fields["height"].places, layer.fields["height"].step) == (kernel, stride)


@pytest.mark.parametrize(
    ("name", "millions", "size_px", "field"),
    [
        ("alexnet", 61.1, 224, 195),
        ("resnet18", 11.7, 224, 435),
        pytest.param("vgg16", 138.4, 224, 212, marks=pytest.mark.slow),
        pytest.param("resnet50", 25.6, 224, 427, marks=pytest.mark.slow),
        pytest.param("mobilenet_v2", 3.5, 224, 491, marks=pytest.mark.slow),
        pytest.param("inception_v3", 23.8, 299, 1311, marks=pytest.mark.slow),
    ],
)
def test_classics_have_the_sizes_that_are_told_of_them(name, millions, size_px, field):
    tapped = {"init_weights": True, "aux_logits": False} if name == "inception_v3" else {}
    sums = of_picture(torchvision.models.get_model(name, weights=None, **tapped), 3, size_px, size_px)
    assert round(sums.parameters / 1e6, 1) == millions
    assert sums.counted_flops == 2 * sums.multiply_adds
    assert sums.layers[-1].fields["width"].places == field
    assert sums.layers[-1].fields["width"].is_global


def seen_by_gradient(call, value: Tensor, axis: int, out_axis: int) -> int:
    """Places along an axis of the input that the middle value of the output depends on, all weights being positive."""
    value = value.clone().requires_grad_()
    outcome = call(value)
    middle = outcome.narrow(out_axis, outcome.shape[out_axis] // 2, 1)
    (gradient,) = torch.autograd.grad(middle.sum(), value)
    others = [dim for dim in range(value.ndim) if dim != axis]
    (places,) = gradient.abs().sum(others).nonzero(as_tuple=True)
    return int(places.max() - places.min()) + 1


def made_positive(module):
    """Weights that let no path cancel another; means in place of maxima, which pass a gradient to one place only."""
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.MaxPool2d):
                kernel, stride, padding = child.kernel_size, child.stride, child.padding
                # (and below no ceiling, above which ReLU6 passes no gradient at all)
                setattr(parent, name, nn.AvgPool2d(kernel, stride, padding, ceil_mode=child.ceil_mode))
            elif isinstance(child, nn.ReLU6):
                setattr(parent, name, nn.ReLU())
    for layer in module.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear):
            nn.init.constant_(layer.weight, 1.0 / layer.weight[0].numel())
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return module.double().eval()


def check_trunk(encoder, side_px):
    trunk = made_positive(encoder.trunk)
    picture = torch.ones(1, 1, side_px, side_px, dtype=torch.float64)
    sums = account(trunk, (picture,), [(picture, PICTURE)])
    field = sums.layers[-1].fields["width"]
    assert not field.is_global
    computed = max(layer.fields["width"].places for layer in sums.layers)
    assert seen_by_gradient(trunk, picture, 3, 3) == computed <= 512
    return computed


@pytest.mark.parametrize(
    ("name", "side_px", "field"),
    [
        ("alexnet", 420, 195),
        pytest.param("vgg16", 448, 212, marks=pytest.mark.slow),
        pytest.param("resnet18", 640, 435, marks=pytest.mark.slow),
        pytest.param("resnet50", 640, 427, marks=pytest.mark.slow),
        pytest.param("googlenet", 640, 379, marks=pytest.mark.slow),
        pytest.param("mobilenet_v2", 704, 491, marks=pytest.mark.slow),
    ],
)
def test_a_receptive_field_is_what_the_gradient_reaches(name, side_px, field):
    torch.manual_seed(0)
    assert check_trunk(TorchvisionEncoder2d(name, auxiliary=False), side_px) == field


OWN = {
    "residual2d": (lambda: ResidualEncoder2d((2, 3, 4)), "audio", (1, 64, 200), 3, "time"),
    "time_conv": (
        lambda: TimeConvEncoder(ResidualEncoder2d((2, 3), bands=5, time_halvings=1), 4, (3, 5)),
        "audio",
        (1, 40, 200),
        3,
        "time",
    ),
    "lenet5": (LeNet5, "audio", (1, 32, 100), 3, "time"),
    "lenet5, shrunk": (LeNet5, "audio", (1, 64, 200), 3, "time"),
    "residual3d": (lambda: ResidualEncoder3d((2, 3, 4)), "video", (3, 40, 32, 32), 2, "time"),
    "frames2d": (lambda: FrameEncoder2d((2, 3)), "video", (3, 9, 32, 32), 2, "time"),
    "shift2d": (lambda: ShiftEncoder2d((8, 8, 8), blocks=2), "video", (3, 17, 32, 32), 2, "time"),
    "mc3_18": (lambda: TorchvisionEncoder3d("mc3_18"), "video", (3, 17, 16, 16), 2, "time"),
    "r3d_18": (lambda: TorchvisionEncoder3d("r3d_18"), "video", (3, 160, 8, 8), 2, "time"),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * name.startswith("r3d")) for name in OWN]
)
def test_our_own_encoders_see_in_time_what_the_gradient_reaches(name):
    torch.manual_seed(0)
    make, sense, shape, axis, along = OWN[name]
    encoder = made_positive(make())
    features, lengths = torch.ones(1, *shape, dtype=torch.float64), torch.tensor([shape[axis - 1]])
    sums = account(encoder, (features, lengths), [(features, AXES[sense])])
    field = sums.layers[-1].fields[along]
    assert not field.is_global
    # In frames that are all alike differences vanish, but not their gradients.
    seen = seen_by_gradient(lambda value: encoder(value, lengths)[0], features, axis, 2)
    assert seen == field.places


def test_the_filter_sees_what_its_layers_add_up_to():
    network = DenoisingNetwork(4, 8, (1, 2), 4)
    waveform = torch.randn(1, 1, 16_000)
    sums = layer_arithmetic(network, {"waveform": waveform}, {"waveform": torch.tensor([16_000])})
    field = sums.layers[-1].fields["time"]
    frames = 128 + 4 * (1 + 2)  # the level of two seconds, and the taps before
    # Two frames overlap in each sample, and a frame is one window long.
    assert field.places == (frames - 1 + 1) * 256 + 512
    assert (field.is_global, sums.counted_flops) == (False, 2 * sums.multiply_adds)
    assert sums.parameters == sum(parameter.numel() for parameter in network.parameters())


def test_a_squeeze_and_excitation_is_told_as_global_and_what_is_local_besides():
    sums = of_picture(TorchvisionEncoder2d("mobilenet_v3_small").trunk, 1, 64, 64)
    first = next(layer for layer in sums.layers if layer.fields["width"].is_global)
    assert first.kind == "AdaptiveAvgPool2d"
    stem = sums.layers[0]
    assert (stem.kind, stem.fields["width"].places, stem.fields["width"].is_global) == ("Conv2d", 3, False)
    last = sums.layers[-1].fields["width"]
    assert (last.places, last.is_global) == (639, True)


@pytest.mark.parametrize(
    ("task", "encoder"),
    [
        ("sound_event", "ecapa"),
        ("sound_event", "residual2d_deep"),
        ("speech_recognition", "time_conv"),
        ("action", "x3d"),
        ("action", "s3d"),
    ],
)
def test_totals_of_whole_tasks_are_those_of_torch(task, encoder):
    config = plain(compose("train", [f"task={task}", f"encoder={encoder}"]))
    network = instantiate({**config["network"], "num_outputs": 10})
    sums = layer_arithmetic(network.train(), *full_window(instantiate(config["preprocess"])))
    assert network.training
    assert sums.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert sums.counted_flops == 2 * sums.multiply_adds > 0
    rows = folded(sums.layers)
    assert len(rows) < len(sums.layers)
    for column in ("parameters", "multiply_adds", "activation_bytes"):
        assert sum(getattr(row, column) for row in rows) == sum(getattr(layer, column) for layer in sums.layers)


def test_two_senses_have_axes_of_their_own():
    config = plain(compose("train", ["task=sentiment"]))
    preprocessor, network = instantiate(config["preprocess"]), instantiate({**config["network"], "num_outputs": 3})
    sums = layer_arithmetic(network, *full_window(preprocessor))
    seen = {name: field.places for name, field in sums.layers[-1].fields.items()}
    for sense, encoder in sums.encoders.items():
        for axis, field in encoder.fields.items():
            assert axis.startswith(f"{sense} ")
            # Statistics over time see all of it, and nothing of frequency, height and width that the encoder has not.
            assert seen[axis] == field.places


def test_a_layer_that_is_called_twice_has_its_parameters_once_and_its_cost_twice():
    shared = nn.Conv2d(3, 3, 1)
    sums = of_picture(nn.Sequential(shared, shared), 3, 8, 8)
    assert [layer.parameters for layer in sums.layers] == [12, 0]
    assert sums.multiply_adds == 2 * 9 * 64


def test_a_transposed_convolution_spreads():
    sums = of_picture(nn.Sequential(nn.Conv2d(1, 1, 3, 2, 1), nn.ConvTranspose2d(1, 1, 4, 2, 1)), 1, 16, 16)
    field = sums.layers[-1].fields["width"]
    assert (field.places, field.step) == (5, 1)  # two values of the first layer, two places apart
    assert sums.counted_flops == 2 * sums.multiply_adds
