"""Train: corpus and configuration in, bundle out."""

import logging
import shlex
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Trainer, seed_everything
from pytorch_lightning.callbacks import ModelCheckpoint, WeightAveraging
from pytorch_lightning.loggers import CSVLogger

from avpipe.bundle import Origin, save_bundle
from avpipe.config import Spec, instantiate, target_of
from avpipe.corpora import Corpus, Split, make_split
from avpipe.device import choose_device, worker_count
from avpipe.errors import ArgumentError, AvpipeError
from avpipe.files import write_text
from avpipe.objectives import Objective
from avpipe.training.data import AVDataModule, Recording, measure
from avpipe.training.learner import Learner
from avpipe.training.optim import warmed_up_average
from avpipe.training.progress import on_terminal, progress
from avpipe.training.run import claim_split, open_run


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """A finished training."""

    folder: Path
    bundle: Path
    corpus: Corpus
    split: Split


def train(config: Mapping[str, Any]) -> TrainedRun:
    """Train the network that ``config`` describes, or go on where an earlier call stopped.

    Writes ``config.json split.csv unreadable.txt checkpoints/ logs/ bundle/`` into the run's folder.

    Args:
        config: ``train.yaml`` as plain data.

    Raises:
        AvpipeError: of any kind below this floor, one line.
    """
    device = choose_device(config["device"]["name"])
    _check_values(config)
    _quiet()
    seed_everything(config["seed"], workers=True, verbose=False)
    corpus: Corpus = instantiate(config["corpus"])
    split = make_split(corpus, **config["split"])
    run = TrainedRun(folder := open_run(config, corpus.name), folder / "bundle", corpus, split)
    claim_split(run.folder, split.sha256)
    split.write_manifest(run.folder / "split.csv")
    if run.bundle.is_dir():
        return run
    train_part, val_part = _readable(run)
    specs = _specs(config, [recording.example.target for recording in train_part])
    objective: Objective = instantiate(specs["objective"])
    data = AVDataModule(
        train_part,
        val_part,
        instantiate(specs["preprocessor"]),
        instantiate(config["augment"]),
        objective,
        config["data"]["batch_size"],
        worker_count(config["data"]["workers"]),
        config["seed"],
    )
    targets = [recording.example.target for recording in val_part]
    learner = Learner(instantiate(specs["network"]), objective, instantiate(config["optim"]), targets)
    chosen = _fit(config, device, run.folder, learner, data)
    learner.load_state_dict(torch.load(chosen, map_location="cpu", weights_only=True)["state_dict"])
    save_bundle(run.bundle, specs, learner.network.cpu(), objective.cpu(), _origin(config, run))
    return run


def _check_values(config: Mapping[str, Any]) -> None:
    """Refuse what would only fail, or do nothing, once the run has begun."""
    for group, key, least in (("data", "batch_size", 1), ("trainer", "max_epochs", 1), ("optim", "lr", 1e-12)):
        if config[group][key] < least:
            reason = "must be positive" if least < 1 else f"must be at least {least}"
            raise ArgumentError(f"{group}.{key}={config[group][key]}", reason)
    worker_count(config["data"]["workers"])
    if config["select"] not in ("last", "best"):
        raise ArgumentError(f"select={config['select']}", "no such choice", "choose from: last, best")


def _quiet() -> None:
    """Leave out Lightning's advertisements, and its advice on what is so on purpose: few workers, a resumed folder."""
    for name in ("pytorch_lightning", "pytorch_lightning.utilities.rank_zero", "pytorch_lightning.accelerators.cuda"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in ("does not have many workers", "number of training batches", "LeafSpec", "is not empty"):
        warnings.filterwarnings("ignore", f".*{message}.*")


def _readable(run: TrainedRun) -> tuple[list[Recording], list[Recording]]:
    """The recordings of both parts; what cannot be read is listed in ``unreadable.txt`` and told."""
    (train_part, lost), (val_part, lost_too) = measure(run.split.train), measure(run.split.val or run.split.test)
    lines = [*run.split.warnings, *lost, *lost_too]
    for line in lines:
        print(f"warning: {line}", file=sys.stderr)
    write_text(run.folder / "unreadable.txt", "".join(f"{line}\n" for line in [*lost, *lost_too]))
    if not train_part or not val_part:
        raise AvpipeError(run.corpus.root, "no file to train on or to validate on can be read")
    return train_part, val_part


def _specs(config: Mapping[str, Any], targets: Sequence[Any]) -> dict[str, Spec]:
    """What the bundle is built from; what the targets tell is filled in, so that nothing is typed twice."""
    objective_class = target_of(config["objective"])
    objective = {**config["objective"], **objective_class.vocabulary(targets)}  # type: ignore[attr-defined]
    num_outputs = instantiate(objective).num_outputs
    network = {**config["network"], "num_outputs": num_outputs}
    return {"preprocessor": config["preprocess"], "network": network, "objective": objective}


def _fit(config: Mapping[str, Any], device: torch.device, folder: Path, learner: Learner, data: AVDataModule) -> Path:
    """Run Lightning's loop from the last checkpoint, if there is one; returns the chosen checkpoint."""
    metric = f"val/{learner.objective.best_metric}"
    checkpoints = folder / "checkpoints"
    # Two of them, as Lightning's own "last" is only written where there is a new best.
    best = ModelCheckpoint(checkpoints, "best", metric, mode="max", enable_version_counter=False)
    last = ModelCheckpoint(checkpoints, "last", enable_version_counter=False)
    trainer: Trainer = instantiate(
        config["trainer"],
        accelerator="gpu" if device.type == "cuda" else device.type,
        precision=config["device"]["precision"],
        default_root_dir=str(folder),
        logger=CSVLogger(folder, "logs"),
        callbacks=[WeightAveraging(avg_fn=warmed_up_average(config["ema_decay"])), best, last, progress()],
        log_every_n_steps=10,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=on_terminal(),
    )
    begun = checkpoints / "last.ckpt"
    try:
        trainer.fit(learner, data, ckpt_path=begun if begun.is_file() else None)
    except SystemExit as error:  # what Lightning makes of Ctrl-C
        raise KeyboardInterrupt from error
    return checkpoints / f"{config['select']}.ckpt"


def _origin(config: Mapping[str, Any], run: TrainedRun) -> Origin:
    return Origin(
        task=config["task"]["name"],
        label=config["task"]["label"],
        corpus=run.corpus.name,
        licence=run.corpus.licence,
        seed=config["seed"],
        split=config["split"],
        split_sha256=run.split.sha256,
        command=shlex.join(["avpipe", "train", *sys.argv[1:]]),
        metrics={},
    )
