"""From a clip to the tensors that a network takes: one deterministic way, for training and for inference alike."""

from avpipe.features.batch import TIME_AXIS, Features, collate
from avpipe.features.edges import between_silence
from avpipe.features.frame_windows import FrameWindows
from avpipe.features.frames import EveryFrame, FrameStack
from avpipe.features.mouth import MouthStack
from avpipe.features.preprocessor import Preprocessor, cut_anew
from avpipe.features.sound import LogMel, Waveform
from avpipe.features.threads import single_threaded

__all__ = [
    "TIME_AXIS",
    "EveryFrame",
    "Features",
    "FrameStack",
    "FrameWindows",
    "LogMel",
    "MouthStack",
    "Preprocessor",
    "Waveform",
    "between_silence",
    "collate",
    "cut_anew",
    "single_threaded",
]
