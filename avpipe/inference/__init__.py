"""From files to answers; knows nothing of training."""

import sys
from collections.abc import Iterable
from pathlib import Path

from avpipe.bundle import Bundle, find_bundle, load_bundle
from avpipe.device import choose_device
from avpipe.inference.prediction import Job, Prediction, Summary, TaskAnswer, WindowAnswer
from avpipe.inference.predictor import Predictor

__all__ = ["Job", "Prediction", "Predictor", "Summary", "TaskAnswer", "WindowAnswer", "load", "tell_notices"]


def load(bundle: str | Path, device: str = "auto") -> Predictor:
    """A predictor for one bundle, by its folder or by the name of one that ships.

    ``avpipe.load("digits")("take.wav").tasks["digits"].label`` is what was said.

    Raises:
        AvpipeError: if there is no such bundle, it is damaged, or the device is missing.
    """
    found = load_bundle(find_bundle(str(bundle)), choose_device(device))
    tell_notices([found])
    return Predictor([found])


def tell_notices(bundles: Iterable[Bundle]) -> None:
    """Tell on standard error what the licences of bundles forbid."""
    for bundle in bundles:
        if bundle.notice:
            print(bundle.notice, file=sys.stderr)
