"""Loss, metrics and decoding of one kind of output; what a bundle may build."""

from avpipe.objectives.beam import BeamSearch, BeamSettings
from avpipe.objectives.classification import UNKNOWN, Classification
from avpipe.objectives.enhancement import Enhancement
from avpipe.objectives.interval import bootstrap_interval
from avpipe.objectives.objective import Batch, Decoded, Objective, Word, check_targets
from avpipe.objectives.pieces import PieceTranscription
from avpipe.objectives.regression import Regression
from avpipe.objectives.transcription import Transcription, WordTranscription, plain_text
from avpipe.objectives.triplet import TripletVerification
from avpipe.objectives.verification import Verification

__all__ = [
    "UNKNOWN",
    "Batch",
    "BeamSearch",
    "BeamSettings",
    "Classification",
    "Decoded",
    "Enhancement",
    "Objective",
    "PieceTranscription",
    "Regression",
    "Transcription",
    "TripletVerification",
    "Verification",
    "Word",
    "WordTranscription",
    "bootstrap_interval",
    "check_targets",
    "plain_text",
]
