"""One bundle of several: the networks of all folds or seeds answer together."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from avpipe.bundle import Bundle, BundleError, Origin, load_bundle, read_specs, save_bundle
from avpipe.config import instantiate
from avpipe.networks import Ensemble
from avpipe.training.plan import Plan


def save_ensemble(plan: Plan, folder: Path) -> None:
    """Write the bundle of all networks of a plan.

    Its weights are rounded to 16 bits. Each network keeps its own temperature; the refusal threshold is the mean of
    theirs, as no recording is left that none of them has learned from.

    Raises:
        BundleError: if the networks do not say the same labels.
    """
    members = [job.bundle for _, job in plan.jobs]
    loaded = [load_bundle(member) for member in members]
    specs = [read_specs(member) for member in members]
    objectives = [spec["objective"] for spec in specs]
    if len({tuple(objective["labels"]) for objective in objectives}) > 1:
        raise BundleError(folder, "the networks have learned different labels", "see that every fold trains each label")
    network = {
        "_target_": "avpipe.networks.Ensemble",
        "members": [spec["network"] for spec in specs],
        "temperatures": [objective.get("temperature", 1.0) for objective in objectives],
    }
    threshold = sum(objective.get("threshold", 0.0) for objective in objectives) / len(objectives)
    objective = {**objectives[0], "temperature": 1.0, "threshold": threshold}
    together = Ensemble([bundle.network for bundle in loaded], network["temperatures"])
    joined = {"preprocessor": specs[0]["preprocessor"], "network": network, "objective": objective}
    save_bundle(folder, joined, together, instantiate(objective), _origin(plan, loaded), half=True)


def _origin(plan: Plan, members: Sequence[Bundle]) -> Origin:
    first = members[0].origin
    groups = sorted({example.group for example in plan.learned.train} - {""})
    by_folds = "cv" in first.split
    learned = {
        "learned_corpus": plan.corpus.name,
        "learned_groups": groups,
        "learned_sha256": plan.learned.sha256,
    }
    return Origin(
        task=first.task,
        label=first.label,
        corpus=first.corpus,
        licence=first.licence,
        seed=first.seed,
        split=learned if by_folds else first.split,
        split_sha256=plan.learned.sha256 if by_folds else first.split_sha256,
        command=shlex.join(["avpipe", "train", *sys.argv[1:]]),
        metrics={},
        corpus_settings=first.corpus_settings,
    )
