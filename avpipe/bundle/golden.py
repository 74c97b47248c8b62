"""The golden input: what a bundle must still answer, on this machine's CPU, as it did when it was saved."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from avpipe.bundle.errors import BundleError
from avpipe.bundle.manifest import GOLDEN
from avpipe.errors import ArgumentError
from avpipe.features import Features, Preprocessor, collate
from avpipe.media import Clip, Coverage
from avpipe.threads import single_threaded

FEATURE_TOLERANCE = 1e-4
OUTPUT_TOLERANCE = 1e-3

LONGEST_SEC = 1.0
"""Of the input: more proves no more, and the bundle would be an input with some weights."""

MOST_FRAMES = 24


def write_golden(folder: Path, preprocessor: Preprocessor, network: nn.Module) -> None:
    """Draw an input, run it on the CPU, and write all three: input, features, output."""
    inputs = _draw_inputs(preprocessor)
    outcome = _run(preprocessor, network, inputs)
    # Copies: where the features are the sound itself, they share its memory.
    tensors = {name: tensor.contiguous().clone() for name, tensor in {**inputs, **outcome}.items()}
    (folder / GOLDEN).write_bytes(save(tensors))


def prove(folder: Path, preprocessor: Preprocessor, network: nn.Module) -> None:
    """Run the stored input again, on the CPU, and refuse what differs.

    Raises:
        BundleError: if features differ by more than 1e-4, or outputs by more than 1e-3.
    """
    golden = load_file(folder / GOLDEN)
    for name, now in _run(preprocessor, network, golden).items():
        was = golden.get(name)
        tolerance = OUTPUT_TOLERANCE if name == "output" else FEATURE_TOLERANCE
        if was is None or was.shape != now.shape or not torch.allclose(was, now, rtol=0.0, atol=tolerance):
            raise BundleError(folder, f"{name} of the golden input is not what it was", "copy the bundle again")


def try_out(preprocessor: Preprocessor, network: nn.Module) -> None:
    """Run the golden input through a network; its mode stays.

    Raises:
        ArgumentError: its encoder is one of another sense, or of another shape.
    """
    training = network.training
    try:
        _run(preprocessor, network, _draw_inputs(preprocessor))
    except (RuntimeError, ValueError) as error:
        reason = f"does not take what this task gives it ({str(error).strip().partition(chr(10))[0]})"
        raise ArgumentError("encoder", reason, "choose an encoder of the task's sense") from error
    finally:
        network.train(training)


def full_window(preprocessor: Preprocessor) -> tuple[Features, dict[str, Tensor]]:
    """The features of one window that is full, as a batch of one, with their lengths.

    Shape:
        returns (1, ...) and (1,) a sense.
    """
    with torch.inference_mode(), single_threaded():
        features, lengths = collate(
            [preprocessor(_clip(preprocessor, _draw_inputs(preprocessor)))], preprocessor.window_steps
        )
    steps = preprocessor.window_steps
    return (
        {sense: value.clone() for sense, value in features.items()},
        {sense: torch.full_like(value, steps[sense]) for sense, value in lengths.items()},
    )


def golden_clip(folder: Path, preprocessor: Preprocessor) -> Clip:
    """The stored input."""
    return _clip(preprocessor, load_file(folder / GOLDEN))


def _draw_inputs(preprocessor: Preprocessor) -> dict[str, Tensor]:
    """Three quarters of a window at most of a sweep in noise and of moving blocks: all bands, and the padding too."""
    seconds = min(0.75 * preprocessor.window_sec, LONGEST_SEC)
    draw = np.random.default_rng(0)
    inputs = {}
    if rate := preprocessor.clip_format.sample_rate:
        time = np.arange(round(seconds * rate)) / rate
        sweep = np.sin(2 * np.pi * time * np.linspace(50.0, 0.2 * rate, len(time)))
        noisy = 0.3 * sweep + 0.05 * draw.standard_normal(len(time))
        inputs["waveform"] = torch.from_numpy(noisy.astype(np.float32)[None])
    if preprocessor.video is not None:
        steps = min(preprocessor.video.num_steps(seconds), MOST_FRAMES)
        blocks = draw.integers(0, 256, (steps, 4, 4, 3), dtype=np.uint8)
        down, across = (np.arange(side) * 4 // side for side in preprocessor.video.shape_px)
        inputs["frames"] = torch.from_numpy(blocks[:, down][:, :, across])
    return inputs


def _run(preprocessor: Preprocessor, network: nn.Module, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    clip = _clip(preprocessor, inputs)
    network.eval()
    with torch.inference_mode():
        with single_threaded():
            features = preprocessor(clip)
        output = network(*collate([features], preprocessor.window_steps))
    named = {f"features.{sense}": value for sense, value in features.items()}
    return {**named, "output": output.value.float().cpu()}


def _clip(preprocessor: Preprocessor, inputs: dict[str, Tensor]) -> Clip:
    waveform, frames = (inputs[name].numpy() if name in inputs else None for name in ("waveform", "frames"))
    return Clip(Path("golden input"), 0.0, waveform, preprocessor.clip_format.sample_rate, frames, None, Coverage())
