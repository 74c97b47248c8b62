"""A folder on disk becomes examples with labels, groups and a split."""

from typing import TYPE_CHECKING, Any

from avpipe.corpora.acted_emotion import ActedEmotion
from avpipe.corpora.cmu_mosei import CmuMosei
from avpipe.corpora.common_voice import CommonVoice
from avpipe.corpora.corpus import CORPORA_VARIABLE, SIDES, Corpus
from avpipe.corpora.crema_d import CremaD
from avpipe.corpora.cut_lists import CutLists
from avpipe.corpora.digit_strings import DigitStrings
from avpipe.corpora.equality import equal_recordings
from avpipe.corpora.errors import CorpusError
from avpipe.corpora.esc import Esc
from avpipe.corpora.example import Example
from avpipe.corpora.fights import Fights
from avpipe.corpora.folders import Folders
from avpipe.corpora.folds import make_folds
from avpipe.corpora.fsdd import Fsdd
from avpipe.corpora.grid import Grid
from avpipe.corpora.hmdb51 import Hmdb51
from avpipe.corpora.kinetics import Kinetics
from avpipe.corpora.librispeech import LibriSpeech
from avpipe.corpora.manifest import Manifest
from avpipe.corpora.mixtures import Mixtures
from avpipe.corpora.nemo import Nemo
from avpipe.corpora.noisy_voices import NoisyVoices
from avpipe.corpora.packing import write_shards
from avpipe.corpora.paired import Paired
from avpipe.corpora.ravdess import Ravdess
from avpipe.corpora.scored import scored_split, whole
from avpipe.corpora.sentiment import SENTIMENTS, sentiment_of
from avpipe.corpora.shards import Shards
from avpipe.corpora.sources import Sources, mixture_sources
from avpipe.corpora.speech_commands import SpeechCommands
from avpipe.corpora.split import Split, make_split
from avpipe.corpora.transitions import (
    CUT,
    GRADUAL,
    TOLERANCE_SEC,
    Transition,
    frame_labels,
    read_transitions,
    told,
    understood,
)
from avpipe.corpora.ucf101 import Ucf101
from avpipe.corpora.yesno import YesNo

if TYPE_CHECKING:
    from avpipe.corpora.made_films import MadeFilms

__all__ = [
    "CORPORA_VARIABLE",
    "CUT",
    "GRADUAL",
    "SENTIMENTS",
    "SIDES",
    "TOLERANCE_SEC",
    "ActedEmotion",
    "CmuMosei",
    "CommonVoice",
    "Corpus",
    "CorpusError",
    "CremaD",
    "CutLists",
    "DigitStrings",
    "Esc",
    "Example",
    "Fights",
    "Folders",
    "Fsdd",
    "Grid",
    "Hmdb51",
    "Kinetics",
    "LibriSpeech",
    "MadeFilms",
    "Manifest",
    "Mixtures",
    "Nemo",
    "NoisyVoices",
    "Paired",
    "Ravdess",
    "Shards",
    "Sources",
    "SpeechCommands",
    "Split",
    "Transition",
    "Ucf101",
    "YesNo",
    "equal_recordings",
    "frame_labels",
    "make_folds",
    "make_split",
    "mixture_sources",
    "read_transitions",
    "scored_split",
    "sentiment_of",
    "told",
    "understood",
    "whole",
    "write_shards",
]


def __getattr__(name: str) -> Any:
    if name == "MadeFilms":  # which draws with torch, and answers do without
        from avpipe.corpora.made_films import MadeFilms

        return MadeFilms
    raise AttributeError(f"module 'avpipe.corpora' has no attribute {name!r}")
