"""All randomness between a recording and a batch, drawn from one generator an item: a run repeats exactly.

Each transform is a pure function of what it is given and of the generator's state.
"""

from avpipe.augment.augmentation import Augmentation, BatchTransform, ClipTransform, FeatureTransform
from avpipe.augment.band import BandLimit, Colouration
from avpipe.augment.draw import item_generator, random_start
from avpipe.augment.edited_film import EditedFilm
from avpipe.augment.frames import (
    ColourJitter,
    HorizontalFlip,
    RandomCrop,
    RandomErasing,
    RandomResizedCrop,
    TemporalJitter,
)
from avpipe.augment.lips import FrameJitter, FrameMask
from avpipe.augment.mixing import CutMix, Mixture, MixUp
from avpipe.augment.noise import ColouredNoise, Noise
from avpipe.augment.noisy_speech import Overload, Pause, SpeechInNoise
from avpipe.augment.room import RecordedRoom, RoomResponse
from avpipe.augment.senses import SenseDropout
from avpipe.augment.sound import Gain, RandomPlacement, TimeShift
from avpipe.augment.spectrogram import Equaliser, SpecAugment, Tempo, VocalTractWarp
from avpipe.augment.speed import PitchShift, Speed

__all__ = [
    "Augmentation",
    "BandLimit",
    "BatchTransform",
    "ClipTransform",
    "ColourJitter",
    "Colouration",
    "ColouredNoise",
    "CutMix",
    "EditedFilm",
    "Equaliser",
    "FeatureTransform",
    "FrameJitter",
    "FrameMask",
    "Gain",
    "HorizontalFlip",
    "MixUp",
    "Mixture",
    "Noise",
    "Overload",
    "Pause",
    "PitchShift",
    "RandomCrop",
    "RandomErasing",
    "RandomPlacement",
    "RandomResizedCrop",
    "RecordedRoom",
    "RoomResponse",
    "SenseDropout",
    "SpecAugment",
    "SpeechInNoise",
    "Speed",
    "Tempo",
    "TemporalJitter",
    "TimeShift",
    "VocalTractWarp",
    "item_generator",
    "random_start",
]
