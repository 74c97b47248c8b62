"""What one command trains: one network, or one for each fold and seed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avpipe.config import instantiate, target_of
from avpipe.corpora import Corpus, Split, make_folds, make_split, whole
from avpipe.corpora.split import check_arguments
from avpipe.errors import ArgumentError
from avpipe.objectives import Classification
from avpipe.training.fit import Job
from avpipe.training.run import run_folder
from avpipe.training.values import check_values


@dataclass(frozen=True, slots=True)
class Plan:
    """The trainings of one command, each resumable by itself."""

    folder: Path
    corpus: Corpus
    jobs: tuple[tuple[Mapping[str, Any], Job], ...]
    """Each with the configuration that it would have alone."""
    learned: Split
    """All examples, as trained on by a bundle of all folds."""

    @property
    def is_single(self) -> bool:
        return self.jobs[0][1].folder == self.folder


def make_plan(config: Mapping[str, Any]) -> Plan:
    """The trainings that ``config`` describes.

    Raises:
        AvpipeError: for values and folds that cannot be, before anything is written.
    """
    _check(config)
    check_values(config)
    corpus: Corpus = instantiate(config["corpus"])
    folder = run_folder(config, corpus.name)
    splits = _splits(config, corpus)
    seeds = range(config["seed"], config["seed"] + config["seeds"])
    single = len(splits) == len(seeds) == 1
    jobs = []
    for fold, (split, settings) in splits.items():
        for seed in seeds:
            parts = [fold] if fold else []
            parts += [f"seed-{seed}"] if len(seeds) > 1 else []
            place = folder / "-".join(parts) if parts else folder
            alone: dict[str, Any] = {"seed": seed, "seeds": 1, "cv": None, "ensemble": False, "leakage": False}
            alone |= {"run_dir": str(place), "split": settings}
            jobs.append((config if single else {**config, **alone}, Job(place, corpus, split, settings)))
    return Plan(folder, corpus, tuple(jobs), whole(corpus, "train"))


def _check(config: Mapping[str, Any]) -> None:
    if config["seeds"] < 1:
        raise ArgumentError(f"seeds={config['seeds']}", "must be at least 1")
    if config["ensemble"] and config["cv"] is None and config["seeds"] == 1:
        raise ArgumentError("ensemble=true", "there is one network only", "give cv or seeds as well")
    if config["ensemble"] and target_of(config["objective"]) is not Classification:
        raise ArgumentError("ensemble=true", "joins networks that tell labels, and these tell none", "leave it out")

    if config["leakage"] and (config["cv"] is not None or config["seeds"] > 1):
        raise ArgumentError("leakage=true", "compares two trainings, one of each split", "leave out cv and seeds")


def _splits(config: Mapping[str, Any], corpus: Corpus) -> dict[str, tuple[Split, Mapping[str, Any]]]:
    """The split of each fold, by its folder's name, and the settings that find it again."""
    if config["leakage"]:
        return _two_splits(corpus, config["split"])
    if config["cv"] is None:
        return {"": (make_split(corpus, **config["split"]), config["split"])}
    # Of no effect here, but what is wrong is not to pass without a word.
    check_arguments(*(config["split"][key] for key in ("by", "val_fraction", "test_fraction")))
    settings = {"cv": config["cv"], "learned_corpus": corpus.name}
    folds = make_folds(corpus, config["cv"])
    return {f"fold-{place + 1}": (split, {**settings, "fold": place}) for place, split in enumerate(folds)}


def _two_splits(corpus: Corpus, settings: Mapping[str, Any]) -> dict[str, tuple[Split, Mapping[str, Any]]]:
    """One that keeps groups apart, and one that does not know of them."""
    if not any(example.group for example in corpus.examples()):
        reason = f"the corpus {corpus.name} tells no groups, which a random split could leak"
        remedy = "give corpus.group_from (folders) or a column group (manifest)"
        raise ArgumentError("leakage=true", reason, remedy)
    asked = {by: {**settings, "by": by} for by in ("group", "random")}
    return {by: (make_split(corpus, **each), each) for by, each in asked.items()}
