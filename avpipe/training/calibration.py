"""What validation tells about a trained network's answers: how sure they may be, and when to refuse."""

import sys
from collections import defaultdict
from typing import Any

import torch
from torch import Tensor

from avpipe.config import Spec, instantiate
from avpipe.objectives import Objective
from avpipe.training.data import AVDataModule
from avpipe.training.learner import Learner

LEAST_EXAMPLES = 20
"""Fewer tell nothing that can be trusted."""


def calibrated(
    spec: Spec, learner: Learner, data: AVDataModule, device: torch.device, refuse_right: float
) -> dict[str, Any]:
    """The objective's specification, with what the validation part tells about it filled in.

    Args:
        spec: of the objective.
        learner: with the weights that become the bundle.
        data: of the training.
        device: to compute on.
        refuse_right: greatest part of the right validation answers that may be refused.
    """
    windows = _validation_windows(learner, data, device)
    if len(windows) < LEAST_EXAMPLES:
        print(f"warning: {len(windows)} examples validate: too few to calibrate by", file=sys.stderr)
        return dict(spec)
    objective: Objective = instantiate(spec)
    targets = [learner.val_examples[place].target for place in windows]
    return {**spec, **objective.calibration(list(windows.values()), targets, refuse_right)}


def _validation_windows(learner: Learner, data: AVDataModule, device: torch.device) -> dict[int, tuple[Tensor, Tensor]]:
    """The network's values for each window of each validation example, and the windows' seconds."""
    values: dict[int, list[Tensor]] = defaultdict(list)
    seconds: dict[int, list[float]] = defaultdict(list)
    network = learner.network.to(device).eval()
    with torch.inference_mode():
        for batch in data.val_dataloader():
            moved = batch.to(device)
            output = network(moved.features, moved.lengths)
            for place, row, length in zip(batch.examples, output.value.float().cpu(), batch.seconds, strict=True):
                values[place].append(row)
                seconds[place].append(length)
    return {place: (torch.stack(values[place]), torch.tensor(seconds[place])) for place in sorted(values)}
