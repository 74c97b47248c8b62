"""Bundles of untrained networks, made in no time, for tests of all that does not depend on what was learned."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from avpipe.bundle import Bundle, Origin, save_bundle
from avpipe.config import instantiate
from avpipe.features import TIME_AXIS
from avpipe.media import Clip, Coverage
from tests.mouths import PLACE, picture
from tests.synthetic import noise, tone

AUDIO: dict[str, Any] = {
    "preprocessor": {
        "_target_": "avpipe.features.Preprocessor",
        "window_sec": 1.0,
        "hop_sec": 0.5,
        "audio": {
            "_target_": "avpipe.features.LogMel",
            "sample_rate": 8000,
            "n_fft": 256,
            "hop_length": 80,
            "n_mels": 40,
            "mean": -10.0,
            "std": 4.0,
        },
    },
    "encoders": {"audio": {"_target_": "avpipe.networks.ResidualEncoder2d", "channels": [4, 4, 8], "bands": 2}},
}
VIDEO: dict[str, Any] = {
    "preprocessor": {
        "_target_": "avpipe.features.Preprocessor",
        "window_sec": 0.5,
        "hop_sec": 0.25,
        "video": {"_target_": "avpipe.features.FrameStack", "size_px": 40, "crop_px": 32, "stride_sec": 0.125},
    },
    "encoders": {"video": {"_target_": "avpipe.networks.ResidualEncoder3d", "channels": [4, 8, 8]}},
}


def specs_of(kind, labels=("high", "low", "middle")):
    """Specifications of an audio or video bundle that tells ``labels`` apart."""
    network = {
        "_target_": "avpipe.networks.Network",
        "encoders": kind["encoders"],
        "pooling": {"_target_": "avpipe.networks.StatisticsPooling", "_partial_": True},
        "fusion": {"_target_": "avpipe.networks.Identity", "_partial_": True},
        "num_outputs": len(labels),
    }
    objective = {
        "_target_": "avpipe.objectives.Classification",
        "labels": list(labels),
        "class_counts": [1] * len(labels),
    }
    return {"preprocessor": kind["preprocessor"], "network": network, "objective": objective}


def save_tiny_bundle(folder: Path, kind=AUDIO, labels=("high", "low", "middle"), seed=0) -> Path:
    """Write a bundle with random weights whose BatchNorm statistics are sane and whose answers differ between files."""
    torch.manual_seed(seed)
    specs = specs_of(kind, labels)
    network = instantiate(specs["network"])
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            module.running_mean.normal_(0.0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    split = {"by": "group", "seed": 0, "val_fraction": 0.2, "test_fraction": 0.2}
    origin = Origin("tones", "pitch", "folders", "made here", seed, split, "0" * 64, "avpipe train", {}, {"year": 7})
    save_bundle(folder, specs, network, instantiate(specs["objective"]), origin)
    return folder


DENOISER: dict[str, Any] = {
    "preprocessor": {
        "_target_": "avpipe.features.Preprocessor",
        "window_sec": 1.0,
        "hop_sec": 1.0,
        "waveform": {"_target_": "avpipe.features.Waveform", "sample_rate": 16000},
    },
    "network": {
        "_target_": "avpipe.networks.DenoisingNetwork",
        "channels": 4,
        "hidden": 8,
        "outer_channels": 4,
        "dilations": [1, 2, 4],
    },
    "objective": {"_target_": "avpipe.objectives.Enhancement"},
}
_ORIGIN = Origin("denoise", "speech", "mixtures", "made here", 0, {"by": "auto"}, "0" * 64, "avpipe train", {})


def tiny_denoiser(seed=0):
    """An untrained denoising network in eval mode, with sane statistics."""
    torch.manual_seed(seed)
    network = instantiate(DENOISER["network"])
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0.0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network.eval().requires_grad_(False)


def denoiser_bundle(seed=0):
    """A loaded bundle of an untrained denoising network."""
    preprocessor, objective = (instantiate(DENOISER[name]) for name in ("preprocessor", "objective"))
    return Bundle("denoise", _ORIGIN, "0" * 64, preprocessor, tiny_denoiser(seed), objective, torch.device("cpu"))


def save_denoiser_bundle(folder: Path, seed=0) -> Path:
    """Write a bundle of an untrained denoising network."""
    save_bundle(folder, DENOISER, tiny_denoiser(seed), instantiate(DENOISER["objective"]), _ORIGIN)
    return folder


TRANSCRIBER: dict[str, Any] = {
    "preprocessor": {**AUDIO["preprocessor"], "window_sec": 3.0, "hop_sec": 2.0},
    "network": {
        "_target_": "avpipe.networks.SequenceNetwork",
        "encoders": {
            "audio": {
                "_target_": "avpipe.networks.TimeConvEncoder",
                "front": {
                    "_target_": "avpipe.networks.ResidualEncoder2d",
                    "channels": [4, 8],
                    "bands": 5,
                    "time_halvings": 1,
                },
                "channels": 16,
                "kernels": [3, 5],
            }
        },
        "num_outputs": 4,
    },
    "objective": {"_target_": "avpipe.objectives.Transcription", "units": [" ", "a", "b"]},
}


def save_transcriber_bundle(folder: Path, hop_sec=2.0, seed=0) -> Path:
    """Write a bundle of an untrained network that writes something down in nearly every step.

    Args:
        folder: to write.
        hop_sec: of windows that overlap by a second, far more than the network sees to either side.
        seed: of the weights.
    """
    torch.manual_seed(seed)
    windows = {"window_sec": hop_sec + 1.0, "hop_sec": hop_sec}
    specs = {**TRANSCRIBER, "preprocessor": {**TRANSCRIBER["preprocessor"], **windows}}
    network = instantiate(specs["network"])
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0.0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    with torch.no_grad():  # for sound like this all outputs are about equally likely, and sure of themselves
        time = torch.arange(24_000) / 8_000
        sweep = 0.3 * torch.sin(2 * torch.pi * time * torch.linspace(200, 1500, 24_000)) + 0.02 * torch.randn(24_000)
        features = instantiate(specs["preprocessor"]).audio(sweep[None])
        heard = network.eval()({"audio": features[None]}, {"audio": torch.tensor([301])}).value[0]
        scale = 20.0 / heard.std(0)
        network.head.bias.copy_(scale * (network.head.bias - heard.mean(0)))
        network.head.weight.mul_(scale[:, None, None])
    origin = Origin("speech_recognition", "text", "manifest", "made here", seed, {"by": "auto"}, "0" * 64, "", {})
    save_bundle(folder, specs, network, instantiate(specs["objective"]), origin)
    return folder


LIPS: dict[str, Any] = {
    "preprocessor": {
        "_target_": "avpipe.features.Preprocessor",
        "window_sec": 3.0,
        "hop_sec": 1.4,
        "video": {
            "_target_": "avpipe.features.MouthStack",
            "picture_px": 48,
            "size_px": 24,
            "crop_px": 20,
            "stride_sec": 0.04,
            "box": list(PLACE),
        },
    },
    "network": {
        "_target_": "avpipe.networks.SequenceNetwork",
        "encoders": {
            "video": {
                "_target_": "avpipe.networks.TimeConvEncoder",
                "front": {"_target_": "avpipe.networks.LipEncoder", "channels": [4, 8, 8], "parts": 2},
                "channels": 16,
                "kernels": [3, 5],
            }
        },
        "num_outputs": 4,
    },
    "objective": {"_target_": "avpipe.objectives.Transcription", "units": [" ", "a", "o"]},
}
_HEARD = {"_target_": "avpipe.networks.ResidualEncoder2d", "channels": [4, 8], "bands": 5, "time_halvings": 2}
LIPS_AND_SOUND: dict[str, Any] = {
    **LIPS,
    "preprocessor": {
        **LIPS["preprocessor"],
        "audio": {**AUDIO["preprocessor"]["audio"], "sample_rate": 16000, "hop_length": 160},
    },
    "network": {
        "_target_": "avpipe.networks.SequenceNetwork",
        "encoders": {"audio": _HEARD, "video": LIPS["network"]["encoders"]["video"]["front"]},
        "joint": {"_target_": "avpipe.networks.TimeConv", "_partial_": True, "channels": 16, "kernels": [3, 5]},
        "num_outputs": 4,
    },
}


def save_lips_bundle(folder: Path, kind=LIPS, seed=0) -> Path:
    """Write a bundle of an untrained network that writes something down wherever a drawn mouth moves."""
    torch.manual_seed(seed)
    network, preprocessor = instantiate(kind["network"]), instantiate(kind["preprocessor"])
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            module.running_mean.normal_(0.0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    frames = np.stack([picture("aoeaoaae oa", time) for time in np.arange(0.0, 2.4, 0.04)])
    waveform = noise(2.4) if preprocessor.audio is not None else None
    clip = Clip(folder, 0.0, waveform, 16000, frames, np.arange(60) * 0.04, Coverage())
    features = preprocessor(preprocessor.windowing.cut(clip, None))
    lengths = {sense: torch.tensor([value.shape[TIME_AXIS[sense]]]) for sense, value in features.items()}
    with torch.no_grad():  # for such films all outputs are about equally likely, and sure of themselves
        seen = network.eval()({sense: value[None] for sense, value in features.items()}, lengths).value[0]
        scale = 20.0 / seen.std(0)
        network.head.bias.copy_(scale * (network.head.bias - seen.mean(0)))
        network.head.weight.mul_(scale[:, None, None])
    origin = Origin("lip_reading", "text", "manifest", "made here", seed, {"by": "auto"}, "0" * 64, "", {})
    save_bundle(folder, kind, network, instantiate(kind["objective"]), origin)
    return folder


VOICES_HZ = {"ann": 300.0, "bob": 800.0, "eve": 1600.0, "zoe": 2800.0}
"""Whose voices are tones: what the tiny bundle of voices can tell apart."""


def voice(name: str, duration_sec: float, seed=0) -> np.ndarray:
    """(1, samples) float32 at 16 kHz: somebody of ``VOICES_HZ`` in a little noise."""
    draw = np.random.default_rng(seed)
    sound = tone(duration_sec, VOICES_HZ[name], amplitude=0.3)
    return sound + (0.003 * draw.standard_normal(sound.shape)).astype(np.float32)


_PLACES = [(before, long, after) for before in (0, 0.2) for long in (0.3, 0.5, 0.7, 1.0) for after in (0, 0.2)]


def _heard(name: str, before_sec: float, duration_sec: float, after_sec: float) -> torch.Tensor:
    """(1, samples) at 8 kHz: a voice between pauses."""
    draw = np.random.default_rng(1)
    pauses = [0.0005 * draw.standard_normal((1, round(16000 * seconds))) for seconds in (before_sec, after_sec)]
    sound = np.concatenate([pauses[0], voice(name, duration_sec), pauses[1]], axis=1)
    return torch.from_numpy(sound[:, ::2].astype(np.float32))


def save_speaker_bundle(folder: Path, threshold: float | None = 0.8, seed=0, **objective: Any) -> Path:
    """Write a bundle whose untrained network gives the tones of ``VOICES_HZ`` directions of their own.

    Args:
        folder: to write.
        threshold: of its objective.
        seed: of the weights.
        objective: other arguments of :class:`avpipe.objectives.Verification`.
    """
    torch.manual_seed(seed)
    dim = len(VOICES_HZ)
    specs = specs_of(AUDIO, [*VOICES_HZ])
    specs["preprocessor"] = {**AUDIO["preprocessor"], "audio": {**AUDIO["preprocessor"]["audio"], "trim_db": 20.0}}
    specs["objective"] = {
        "_target_": "avpipe.objectives.Verification",
        "voices": ["first", "second", "third"],
        "dim": dim,
        "threshold": threshold,
        **objective,
    }
    network = instantiate(specs["network"]).eval()
    audio = instantiate(specs["preprocessor"]).audio
    with torch.no_grad():  # the head takes out what all tones have in common, and keeps what they differ by
        mels = [audio(_heard(name, *place)) for name in VOICES_HZ for place in _PLACES]
        lengths = [{"audio": torch.tensor([mel.shape[-1]])} for mel in mels]
        pooled = torch.cat(
            [network({"audio": mel[None]}, each).embedding for mel, each in zip(mels, lengths, strict=True)]
        )
        wanted = torch.eye(dim).repeat_interleave(len(_PLACES), 0)
        weight = torch.linalg.lstsq(torch.cat([pooled, torch.ones(len(mels), 1)], 1), wanted, driver="gelsd").solution
        network.head.weight.copy_(weight[:-1].T)
        network.head.bias.copy_(weight[-1])
    origin = Origin("speaker", "voice", "folders", "made here", seed, {"by": "auto"}, "0" * 64, "avpipe train", {})
    save_bundle(folder, specs, network, instantiate(specs["objective"]), origin)
    return folder


SCENES: dict[str, Any] = {
    "preprocessor": {
        "_target_": "avpipe.features.Preprocessor",
        "window_sec": 0.5,
        "hop_sec": 0.5,
        "video": {
            "_target_": "avpipe.features.EveryFrame",
            "height_px": 12,
            "width_px": 16,
            "window_frames": 48,
            "context_frames": 12,
        },
    },
    "network": {
        "_target_": "avpipe.networks.SequenceNetwork",
        "encoders": {
            "video": {
                "_target_": "avpipe.networks.ShotEncoder",
                "channels": [4, 4, 4],
                "dilations": [[1], [1, 2]],
                "width": 8,
                "time_dilations": [1],
                "neighbours": 2,
            }
        },
        "num_outputs": 2,
    },
    "objective": {
        "_target_": "avpipe.objectives.Boundaries",
        "cut_threshold": 0.506,
        "gradual_threshold": 0.459,
        "peak": 0.459,
    },
}


def save_scenes_bundle(folder: Path, window_frames=48, seed=0) -> Path:
    """Write a bundle of an untrained network that sees 8 frames to either side, and finds boundaries here and there."""
    torch.manual_seed(seed)
    preprocessor = {
        **SCENES["preprocessor"],
        "video": {**SCENES["preprocessor"]["video"], "window_frames": window_frames},
    }
    specs = {**SCENES, "preprocessor": preprocessor}
    network = instantiate(specs["network"])
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            module.running_mean.normal_(0.0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    origin = Origin("scenes", "boundaries", "made_films", "made here", 0, {"by": "auto"}, "0" * 64, "avpipe train", {})
    save_bundle(folder, specs, network, instantiate(specs["objective"]), origin)
    return folder
