"""From files to answers; knows nothing of training."""

import sys
from collections.abc import Iterable
from pathlib import Path

from avpipe.bundle import Bundle, find_bundle, load_bundle
from avpipe.device import choose_device
from avpipe.inference.gallery import Gallery, enrol
from avpipe.inference.prediction import Job, Prediction, Summary, TaskAnswer, Turn, WindowAnswer
from avpipe.inference.predictor import Predictor
from avpipe.inference.search import searching
from avpipe.objectives import BeamSettings

__all__ = [
    "BeamSettings",
    "Gallery",
    "Job",
    "Prediction",
    "Predictor",
    "Summary",
    "TaskAnswer",
    "Turn",
    "WindowAnswer",
    "enrol",
    "load",
    "tell_notices",
]


def load(
    bundle: str | Path,
    device: str = "auto",
    gallery: str | Path | None = None,
    turns: bool = False,
    vad: str = "energy",
    decoding: BeamSettings | None = None,
) -> Predictor:
    """A predictor for one bundle, by its folder or by the name of one that ships.

    ``avpipe.load("digits")("take.wav").tasks["digits"].label`` is what was said, and
    ``avpipe.load("speaker", gallery="people")("take.wav").tasks["speaker"].label`` who said it.

    Args:
        bundle: folder or name.
        device: auto, cpu, cuda, mps.
        gallery: a folder a person, with recordings of the voice: these are named by a bundle that compares voices.
        turns: also tell who speaks when.
        vad: by which rule speech is found for that: ``energy`` or ``silero``.
        decoding: of a bundle that transcribes: a search among words, such as
            ``avpipe.BeamSettings(lexicon="words.txt")``; None: greedy.

    Raises:
        AvpipeError: if there is no such bundle, it is damaged, or the device is missing; if the gallery has nobody; if
            what ``vad`` names is unknown or not installed; if ``decoding`` cannot be.
    """
    bundles = [load_bundle(find_bundle(str(bundle)), choose_device(device))]
    tell_notices(bundles)
    bundles = searching(bundles, decoding)
    if gallery is not None:
        bundles = enrol(bundles, Path(gallery)).known_to(bundles)
    return Predictor(bundles, turns=turns, vad=vad)


def tell_notices(bundles: Iterable[Bundle]) -> None:
    """Tell on standard error what the licences of bundles forbid, and what they have learned from."""
    for bundle in bundles:
        if bundle.notice:
            print(bundle.notice, file=sys.stderr)
