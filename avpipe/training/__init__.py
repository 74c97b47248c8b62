"""From a corpus and a configuration to a bundle; the only floor that knows Lightning."""

from avpipe.training.cache import Cache
from avpipe.training.calibration import calibrate
from avpipe.training.data import AVDataModule
from avpipe.training.ensemble import save_ensemble
from avpipe.training.fit import Job, train
from avpipe.training.learner import Learner
from avpipe.training.lr_finder import LrCurve, find_lr
from avpipe.training.optim import SGD, AdamW, Recipe
from avpipe.training.plan import Plan, make_plan
from avpipe.training.processes import is_first_process
from avpipe.training.run import claim, claim_sweep, config_digest, locked
from avpipe.training.schedules import Constant, Cosine, OneCycle
from avpipe.training.transfer import Auto, Features, Full, LastBlocks, Scratch, Staged

__all__ = [
    "SGD",
    "AVDataModule",
    "AdamW",
    "Auto",
    "Cache",
    "Constant",
    "Cosine",
    "Features",
    "Full",
    "Job",
    "LastBlocks",
    "Learner",
    "LrCurve",
    "OneCycle",
    "Plan",
    "Recipe",
    "Scratch",
    "Staged",
    "calibrate",
    "claim",
    "claim_sweep",
    "config_digest",
    "find_lr",
    "is_first_process",
    "locked",
    "make_plan",
    "save_ensemble",
    "train",
]
