"""From files to answers; knows nothing of training."""

from pathlib import Path

from avpipe.bundle import find_bundle, load_bundle
from avpipe.device import choose_device
from avpipe.inference.prediction import Job, Prediction, Summary, TaskAnswer, WindowAnswer
from avpipe.inference.predictor import Predictor

__all__ = ["Job", "Prediction", "Predictor", "Summary", "TaskAnswer", "WindowAnswer", "load"]


def load(bundle: str | Path, device: str = "auto") -> Predictor:
    """A predictor for one bundle, by its folder or by the name of one that ships.

    ``avpipe.load("digits")("take.wav").tasks["digits"].label`` is what was said.

    Raises:
        AvpipeError: if there is no such bundle, it is damaged, or the device is missing.
    """
    return Predictor([load_bundle(find_bundle(str(bundle)), choose_device(device))])
