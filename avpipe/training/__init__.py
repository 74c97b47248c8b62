"""From a corpus and a configuration to a bundle; the only floor that knows Lightning."""

from avpipe.training.data import AVDataModule
from avpipe.training.fit import TrainedRun, train
from avpipe.training.learner import Learner
from avpipe.training.optim import OneCycleAdamW

__all__ = ["AVDataModule", "Learner", "OneCycleAdamW", "TrainedRun", "train"]
