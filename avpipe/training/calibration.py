"""What validation tells about trained networks' answers: how sure they may be, and when to refuse."""

import json
import sys
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from avpipe.bundle import load_bundle, read_specs, record_objective
from avpipe.config import instantiate
from avpipe.corpora import Example
from avpipe.device import choose_device, worker_count
from avpipe.features import collate
from avpipe.files import write_text
from avpipe.media import MediaError
from avpipe.training.cache import Cache
from avpipe.training.fit import Job
from avpipe.training.plan import Plan
from avpipe.training.recordings import Reader, Recording, measure

LEAST_EXAMPLES = 20
"""Fewer tell nothing that can be trusted."""

_RECORD = "calibration.json"

Outputs = tuple[Tensor, Tensor]
"""(W, num_outputs) and (W,): a network's values for the windows of one example, and their true seconds."""


def calibrate(plan: Plan) -> None:
    """Fit every network's objective to the validation examples of all of them, and enter it into its bundle.

    A network is calibrated by what it and its sisters said of their own validation examples, but for the examples that
    it is tested on: they share the recipe, and the few speakers of one fold tell little of how sure it may be. Where
    answers of two networks cannot be compared (vectors), its own alone are used.
    Writes ``calibration.json`` into each job's folder; what has one is done.
    """
    waiting = [(settings, job) for settings, job in plan.jobs if not (job.folder / _RECORD).is_file()]
    if not waiting or not instantiate(read_specs(plan.jobs[0][1].bundle)["objective"]).has_calibration:
        return
    outputs = {job.bundle: _validation_outputs(settings, job) for settings, job in plan.jobs}
    for settings, job in waiting:
        tested = set(job.split.test)
        # With its weights: what it compares with may be among them.
        objective = load_bundle(job.bundle).objective
        parts = outputs.values() if objective.is_comparable else [outputs[job.bundle]]
        found = [(example, out) for part in parts for example, out in part.items() if example not in tested]
        refuse_right = settings["calibration"]["refuse_right"]
        told: dict[str, Any] = {}
        if len(found) >= LEAST_EXAMPLES:
            windows, targets = [out for _, out in found], [example.target for example, _ in found]
            told = objective.calibration(windows, targets, refuse_right)
            record_objective(job.bundle, {**read_specs(job.bundle)["objective"], **told})
        else:
            line = f"{len(found)} examples validate: too few to calibrate by"
            print(f"warning: {line}", file=sys.stderr)
            with (job.folder / "warnings.txt").open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")
        write_text(job.folder / _RECORD, json.dumps({"num_examples": len(found), **told}) + "\n")


def _validation_outputs(settings: Mapping[str, Any], job: Job) -> dict[Example, Outputs]:
    """What a job's network says of its validation examples."""
    device = choose_device(settings["device"]["name"])
    bundle = load_bundle(job.bundle, device)
    recordings, _ = measure(job.split.val)
    cache: Cache = instantiate(settings["cache"])
    _, reader = cache.readers([], recordings, settings["preprocess"], worker_count(settings["data"]["workers"]))
    found = {each.example: _outputs(bundle.network, reader, each, device) for each in recordings}
    return {example: outputs for example, outputs in found.items() if outputs is not None}


def _outputs(network: nn.Module, reader: Reader, recording: Recording, device: torch.device) -> Outputs | None:
    """Of each window of a recording; None where it cannot be read, of which training has told."""
    values, seconds = [], []
    try:
        for features, length_sec in reader.windows(recording):
            batch, lengths = collate([features], reader.preprocessor.window_steps)
            with torch.inference_mode():
                moved = ({sense: part.to(device) for sense, part in each.items()} for each in (batch, lengths))
                values.append(network(*moved).value.float().cpu()[0])
            seconds.append(length_sec)
    except MediaError:
        return None
    return (torch.stack(values), torch.tensor(seconds)) if values else None
