"""From a clip to the tensors that a network takes: one deterministic way, for training and for inference alike."""

from avpipe.features.batch import TIME_AXIS, Features, collate
from avpipe.features.frames import EveryFrame, FrameStack
from avpipe.features.mouth import MouthStack
from avpipe.features.preprocessor import Preprocessor
from avpipe.features.sound import LogMel, Waveform

__all__ = [
    "TIME_AXIS",
    "EveryFrame",
    "Features",
    "FrameStack",
    "LogMel",
    "MouthStack",
    "Preprocessor",
    "Waveform",
    "collate",
]
