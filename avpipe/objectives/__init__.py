"""Loss, metrics and decoding of one kind of output; what a bundle may build."""

from avpipe.objectives.classification import Classification
from avpipe.objectives.enhancement import Enhancement
from avpipe.objectives.interval import bootstrap_interval
from avpipe.objectives.objective import Batch, Decoded, Objective

__all__ = ["Batch", "Classification", "Decoded", "Enhancement", "Objective", "bootstrap_interval"]
