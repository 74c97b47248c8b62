"""From files to answers; knows nothing of training."""

import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avpipe.inference.gallery import Gallery, enrol
from avpipe.inference.model import Model
from avpipe.inference.prediction import Job, Prediction, Summary, TaskAnswer, Turn, WindowAnswer
from avpipe.inference.predictor import Predictor
from avpipe.inference.runtime import CPU, load_models
from avpipe.inference.search import searching

if TYPE_CHECKING:
    from avpipe.objectives import BeamSettings as BeamSettings

__all__ = [
    "BeamSettings",
    "Gallery",
    "Job",
    "Model",
    "Prediction",
    "Predictor",
    "Summary",
    "TaskAnswer",
    "Turn",
    "WindowAnswer",
    "enrol",
    "load",
    "load_models",
    "tell_notices",
]


def __getattr__(name: str) -> Any:
    if name == "BeamSettings":  # beside torch, which graphs do without
        return import_module("avpipe.objectives").BeamSettings
    raise AttributeError(f"module 'avpipe.inference' has no attribute {name!r}")


def load(
    bundle: str | Path,
    device: str = "auto",
    gallery: str | Path | None = None,
    turns: bool = False,
    vad: str = "energy",
    decoding: "BeamSettings | None" = None,
    runtime: str = "auto",
) -> Predictor:
    """A predictor for one bundle, by its folder or by the name of one that ships.

    ``avpipe.load("digits")("take.wav").tasks["digits"].label`` is what was said, and
    ``avpipe.load("speaker", gallery="people")("take.wav").tasks["speaker"].label`` who said it.

    Args:
        bundle: folder or name, or a file that ``avpipe export`` has written.
        device: auto, cpu, cuda, mps.
        gallery: a folder a person, with recordings of the voice: these are named by a bundle that compares voices.
        turns: also tell who speaks when.
        vad: by which rule speech is found for that: ``energy`` or ``silero``.
        decoding: of a bundle that transcribes: a search among words, such as
            ``avpipe.BeamSettings(lexicon="words.txt")``; None: greedy.
        runtime: what computes: torch, onnx (without torch), or auto.

    Raises:
        AvpipeError: if there is no such bundle, it is damaged, or the device is missing; if the gallery has nobody; if
            what ``vad`` names is unknown or not installed; if ``decoding`` cannot be.
    """
    bundles = load_models([str(bundle)], runtime, {**CPU, "name": device})
    tell_notices(bundles)
    bundles = searching(bundles, decoding)
    if gallery is not None:
        bundles = enrol(bundles, Path(gallery)).known_to(bundles)
    return Predictor(bundles, turns=turns, vad=vad)


def tell_notices(bundles: Iterable[Model]) -> None:
    """Tell on standard error what the licences of bundles forbid, and what they have learned from."""
    for bundle in bundles:
        if bundle.notice:
            print(bundle.notice, file=sys.stderr)
