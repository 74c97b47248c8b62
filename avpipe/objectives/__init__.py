"""Loss, metrics and decoding of one kind of output; what a bundle may build."""

from avpipe.objectives.beam import BeamSearch, BeamSettings
from avpipe.objectives.boundaries import Boundaries
from avpipe.objectives.classification import Classification
from avpipe.objectives.enhancement import Enhancement
from avpipe.objectives.interval import bootstrap_draws, bootstrap_interval, interval_of
from avpipe.objectives.matching import matched, rates
from avpipe.objectives.objective import Batch, Objective, check_targets
from avpipe.objectives.pieces import PieceTranscription
from avpipe.objectives.regression import Regression
from avpipe.objectives.transcription import Transcription, WordTranscription
from avpipe.objectives.triplet import TripletVerification
from avpipe.objectives.verification import Verification

__all__ = [
    "Batch",
    "BeamSearch",
    "BeamSettings",
    "Boundaries",
    "Classification",
    "Enhancement",
    "Objective",
    "PieceTranscription",
    "Regression",
    "Transcription",
    "TripletVerification",
    "Verification",
    "WordTranscription",
    "bootstrap_draws",
    "bootstrap_interval",
    "check_targets",
    "interval_of",
    "matched",
    "rates",
]
