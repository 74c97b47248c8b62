"""What a filter makes of noisy recordings whose clean ones are known."""

import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchmetrics.functional import audio

from avpipe.bundle import Bundle
from avpipe.corpora import Corpus, Example
from avpipe.errors import ArgumentError
from avpipe.inference.denoise.denoiser import Denoiser
from avpipe.media import MediaError, read_clip
from avpipe.progress import counted
from avpipe.report import ScoredAnswer

_RATE = 16_000
"""Hz, at which all is measured: PESQ-WB is defined at no other."""

_CLEAN_DB = 60.0
"""SI-SDR above which a recording has no noise to speak of: 16 bits are little finer."""


def score_recording(denoiser: Denoiser, example: Example) -> dict[str, float]:
    """SI-SDR in dB and, where their packages are installed, PESQ-WB and STOI: of the output, and above the input.

    Raises:
        MediaError: one of the two recordings cannot be read.
        ArgumentError: the example's target is no recording.
    """
    if not isinstance(example.target, Path):
        raise ArgumentError("corpus", "has labels, and no clean recordings to compare with", "give corpus=paired")
    noisy, clean = (_sound(path, example) for path in (example.path, example.target))
    samples = min(len(noisy), len(clean))
    noisy, clean = noisy[:samples], clean[:samples]
    filtered = denoiser(noisy, _RATE)
    before, after = (_measures(each, clean) for each in (noisy, filtered))
    gains = {f"{name}_gain": after[name] - before[name] for name in after}
    if before["si_sdr"] > _CLEAN_DB:
        del gains["si_sdr_gain"]  # of what was clean already there is no end to what it can lose
    return {name: value for name, value in (after | gains).items() if math.isfinite(value)}


def score_recordings(
    bundle: Bundle, corpus: Corpus, examples: Sequence[Example]
) -> tuple[list[ScoredAnswer], list[str]]:
    """An answer for each example that can be measured, its measures as its scores; and why the others cannot."""
    denoiser = Denoiser(bundle)
    answers, reasons = [], []
    for example in counted(examples, len(examples), "files"):
        try:
            scores = score_recording(denoiser, example)
        except MediaError as error:
            reasons.append(str(error))
            continue
        answers.append(
            ScoredAnswer(
                path=example.path,
                name=corpus.relative_path(example),
                start_sec=example.start_sec,
                end_sec=example.end_sec,
                group=example.group,
                target="",
                label="",
                score=0.0,
                scores=scores,
            )
        )
    return answers, reasons


def _sound(path: Path, example: Example) -> np.ndarray:
    """(samples,) float32, of the example's stretch."""
    seconds = None if example.end_sec is None else example.end_sec - example.start_sec
    clip = read_clip(path, example.start_sec, seconds, sample_rate=_RATE, mono=True)
    return np.zeros(0, np.float32) if clip.waveform is None else clip.waveform[0]


def _measures(sound: np.ndarray, clean: np.ndarray) -> dict[str, float]:
    said, true = torch.from_numpy(sound.astype(np.float64)), torch.from_numpy(clean.astype(np.float64))
    measured = {"si_sdr": float(audio.scale_invariant_signal_distortion_ratio(said, true))}
    if find_spec("pesq"):
        measured["pesq"] = _pesq(said, true)
    if find_spec("pystoi"):
        measured["stoi"] = float(audio.short_time_objective_intelligibility(said, true, _RATE))
    return measured


def _pesq(said: Tensor, true: Tensor) -> float:
    try:
        return float(audio.perceptual_evaluation_speech_quality(said, true, _RATE, "wb"))
    except Exception as error:  # its own classes, which are not there without the package
        if type(error).__module__.partition(".")[0] != "pesq":
            raise
        return math.nan  # too short, or no utterance found in it
