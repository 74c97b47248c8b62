"""Train one network: corpus, split and configuration in, bundle out."""

import json
import logging
import shlex
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, Trainer, seed_everything
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint, WeightAveraging
from pytorch_lightning.loggers import CSVLogger, Logger
from torch import nn
from torch.optim import Optimizer

from avpipe.bundle import Origin, save_bundle, try_out
from avpipe.config import Spec, instantiate, target_of
from avpipe.corpora import Corpus, Split
from avpipe.device import check_compiler, choose_device, worker_count
from avpipe.errors import ArgumentError, AvpipeError, printable
from avpipe.files import write_text
from avpipe.networks import Network
from avpipe.objectives import Objective, Transcription, check_targets
from avpipe.training.checkpoints import WholeCheckpointIO, check_fits, has_stopped_early, read_checkpoint
from avpipe.training.data import AVDataModule
from avpipe.training.learner import Learner
from avpipe.training.ledger import Actions, Clock, Ledger
from avpipe.training.loading import make_data, num_threads, tell_loading
from avpipe.training.lr_finder import find_lr
from avpipe.training.optim import Recipe, warmed_up_average
from avpipe.training.pretrained import for_bundle
from avpipe.training.processes import check_changes, is_first_process
from avpipe.training.profile import write_profile
from avpipe.training.progress import History, Speed, on_terminal, progress
from avpipe.training.recordings import Recording, measure
from avpipe.training.run import claim, corpus_settings
from avpipe.training.start import begin, check_start, plan_layers
from avpipe.training.transcripts import doubts
from avpipe.training.values import logger_names


@dataclass(frozen=True, slots=True)
class Job:
    """One network to be trained."""

    folder: Path
    corpus: Corpus
    split: Split
    origin_split: Mapping[str, Any]
    """By which :func:`avpipe.corpora.split_of` finds the split again."""

    @property
    def bundle(self) -> Path:
        return self.folder / "bundle"


def train(config: Mapping[str, Any], job: Job) -> None:
    """Train the network that ``config`` describes, or go on where an earlier call stopped.

    Writes ``config.json split.csv unreadable.txt warnings.txt history.csv
    checkpoints/ logs/ bundle/`` into the job's folder.

    Args:
        config: ``train.yaml`` as plain data.
        job: what to train on, and where.

    Raises:
        AvpipeError: of any kind below this floor, one line.
    """
    device, compiled = choose_device(config["device"]["name"]), config["device"]["compile"]
    if compiled:
        check_compiler(device)
    claim(job.folder, config, job.split.sha256)
    if is_first_process():
        job.split.write_manifest(job.folder / "split.csv")
    if job.bundle.is_dir():
        if config["profile"]:
            print(f"profile=true: {job.folder} is trained, there is nothing to measure", file=sys.stderr)
        return
    actions = Actions(Ledger(device, worker_count(config["data"]["workers"]))) if config["profile"] else None
    begun = (job.folder / "checkpoints/last.ckpt").is_file()
    if not begun:
        check_start(config)
    _quiet()
    seed_everything(config["seed"], workers=True, verbose=False)
    train_part, val_part = _readable(job, config["select"])
    if target_of(config["objective"]).needs_whole:  # type: ignore[attr-defined]
        window_sec = config["preprocess"]["window_sec"]
        train_part, val_part = (_short_enough(job, part, window_sec) for part in (train_part, val_part))
    specs = _specs(config, [recording.example.target for recording in train_part])
    objective: Objective = instantiate(specs["objective"])
    every = (*job.split.train, *job.split.val, *job.split.test)
    check_targets(objective, [(example.path, example.target) for example in every])
    clock = actions.ledger if actions else Clock()
    data = make_data(config, device, specs["preprocessor"], objective, train_part, val_part, clock)
    train_examples, val_examples = ([recording.example for recording in part] for part in (train_part, val_part))
    torch.manual_seed(config["seed"])  # anew: whether filling the cache has drawn anything is not to be seen here
    network = instantiate(specs["network"])
    try_out(data.preprocessor, network)  # before anything is learned
    if isinstance(objective, Transcription):
        others = [*val_examples, *job.split.test]
        for line in doubts(objective, network, data.preprocessor, train_part, others):
            _tell(job, line)
    layers = plan_layers(config, network, objective, len(train_examples))
    check_changes(config["trainer"], layers[0].changes)
    if not begun:
        for line in begin(config, job.folder, network, objective, layers):
            _tell(job, line)
    optim = {**config["optim"], "lr": _learning_rate(config, job.folder, network, objective, data)}
    layers[0].prepare()
    recipe, seed = instantiate(optim), config["seed"]
    learner = Learner(
        network, objective, recipe, layers[0], train_examples, val_examples, seed, data.preprocessor, compiled
    )
    tell_loading(config["data"], data.loading)
    chosen = _fit(config, device, job.folder, learner, data, actions)
    if not is_first_process():
        return
    learner.load_state_dict(read_checkpoint(chosen)["state_dict"])
    bundled = {**specs, "network": for_bundle(specs["network"])}
    if isinstance(network, Network):
        network.drop_auxiliary()
    save_bundle(job.bundle, bundled, network.cpu(), objective.cpu(), _origin(config, job))
    if actions:
        write_profile(job.folder, actions, data.loading, device)


def _quiet() -> None:
    """Leave out Lightning's advertisements, and its advice on what is so on purpose."""
    lightning = ("pytorch_lightning", "pytorch_lightning.utilities.rank_zero", "pytorch_lightning.accelerators.cuda")
    for name in (*lightning, "lightning_fabric", "lightning_fabric.utilities.distributed"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in (
        "does not have many workers",
        "number of training batches",
        "LeafSpec",
        "is not empty",
        "in eval mode",
        "recommended to use `self.log",  # what processes log has been gathered before
    ):
        warnings.filterwarnings("ignore", f".*{message}.*")


def _readable(job: Job, select: str) -> tuple[list[Recording], list[Recording]]:
    """The recordings of both parts; what cannot be read is listed in ``unreadable.txt`` and told."""
    (train_part, lost), (val_part, lost_too) = measure(job.split.train), measure(job.split.val)
    told = [*job.split.warnings, *lost, *lost_too]
    if is_first_process():
        for line in told:
            print(f"warning: {line}", file=sys.stderr)
        write_text(job.folder / "unreadable.txt", "".join(f"{line}\n" for line in [*lost, *lost_too]))
        write_text(job.folder / "warnings.txt", "".join(f"{printable(line)}\n" for line in told))
    if not train_part:
        raise AvpipeError(job.corpus.root, "no file to train on can be read")
    if not val_part and select == "best":
        raise ArgumentError("select=best", "there is no validation part to choose by", "give select=last")
    if job.corpus.has_classes:
        readable = {str(recording.example.target) for recording in train_part}
        if empty := sorted({str(example.target) for example in job.split.train} - readable):
            raise AvpipeError(job.corpus.root, f"no recording of {empty[0]!r} can be read", "mend or remove its files")
    return train_part, val_part


def _short_enough(job: Job, part: list[Recording], window_sec: float) -> list[Recording]:
    """The recordings that are whole in a window: of what is cut out of a longer one the target does not tell."""
    short = [recording for recording in part if recording.duration_sec <= window_sec + 1e-3]
    if len(short) < len(part):
        told = f"{len(part) - len(short)} of {len(part)} recordings are longer than preprocess.window_sec={window_sec}"
        _tell(job, f"{told}: left out")
        if not short:
            remedy = "cut them at pauses, or give a longer window"
            raise ArgumentError(f"preprocess.window_sec={window_sec}", "every recording is longer", remedy)
    return short


def _tell(job: Job, line: str) -> None:
    """Warn on the terminal and on the page."""
    if not is_first_process():
        return
    print(f"warning: {line}", file=sys.stderr)
    with (job.folder / "warnings.txt").open("a", encoding="utf-8") as file:
        file.write(f"{printable(line)}\n")


def _specs(config: Mapping[str, Any], targets: Sequence[Any]) -> dict[str, Spec]:
    """What the bundle is built from; what the targets tell is filled in, so that nothing is typed twice."""
    objective_class = target_of(config["objective"])
    objective = objective_class.specified(config["objective"], targets)  # type: ignore[attr-defined]
    num_outputs = instantiate(objective).num_outputs
    head = {} if num_outputs is None else {"num_outputs": num_outputs}
    network = {**config["network"], **head}
    return {"preprocessor": config["preprocess"], "network": network, "objective": objective}


def _learning_rate(
    config: Mapping[str, Any], folder: Path, network: Network, objective: Objective, data: AVDataModule
) -> float:
    """``optim.lr``, or with ``find_lr`` the one found when the run began."""
    if not config["find_lr"]:
        return float(config["optim"]["lr"])
    record = folder / "lr.json"
    if not record.is_file():
        recipe: Recipe = instantiate(config["optim"])

        def optimizer(trained: nn.Module) -> Optimizer:
            layers, _ = plan_layers(config, trained.get_submodule("0"), objective, len(data.train_windows))
            layers.prepare()
            return recipe.optimizer(trained, layers.rate_factors)

        curve = find_lr(network, objective, data.endless(), optimizer)
        write_text(record, json.dumps(asdict(curve)) + "\n")
    chosen = float(json.loads(record.read_text(encoding="utf-8"))["chosen"])
    print(f"learning rate found: {chosen:.3g} (optim.lr={config['optim']['lr']} is not used)")
    return chosen


def _fit(
    config: Mapping[str, Any],
    device: torch.device,
    folder: Path,
    learner: Learner,
    data: AVDataModule,
    actions: Actions | None,
) -> Path:
    """Run Lightning's loop from the last checkpoint, if there is one; returns the chosen checkpoint."""
    checkpoints = folder / "checkpoints"
    begun = checkpoints / "last.ckpt"
    validated = bool(data.val_windows.recordings)
    if begun.is_file():
        checkpoint = read_checkpoint(begun)
        check_fits(checkpoint, learner, begun)
        if has_stopped_early(checkpoint):
            return checkpoints / f"{config['select']}.ckpt"
    trainer: Trainer = instantiate(
        config["trainer"],
        accelerator="gpu" if device.type == "cuda" else device.type,
        precision=config["device"]["precision"],
        default_root_dir=str(folder),
        logger=_loggers(config, folder),
        callbacks=_callbacks(config, folder, learner.objective if validated else None),
        plugins=[WholeCheckpointIO()],
        profiler=actions,
        log_every_n_steps=10,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,  # ours knows of epochs and batches, and is shared out as it is
        limit_val_batches=None if validated else 0,
        enable_model_summary=False,
        enable_progress_bar=on_terminal(),
    )
    torch.set_num_threads(num_threads(config["data"]["threads"]))
    try:
        with actions.ledger.loop() if actions else nullcontext():
            trainer.fit(learner, data, ckpt_path=begun if begun.is_file() else None)
    except SystemExit as error:  # what Lightning makes of Ctrl-C
        raise KeyboardInterrupt from error
    return checkpoints / f"{config['select']}.ckpt"


def _callbacks(config: Mapping[str, Any], folder: Path, objective: Objective | None) -> list[Callback]:
    """
    Args:
        objective: whose metric tells which epoch is best; None: nothing is validated.
    """
    checkpoints = folder / "checkpoints"
    average = WeightAveraging(multi_avg_fn=warmed_up_average(config["ema_decay"]))
    # At the end of the epoch, when all of it has been told; two of them, as Lightning's own "last" is only written
    # where there is a new best.
    shared: dict[str, Any] = {"enable_version_counter": False, "save_on_train_epoch_end": True}
    callbacks = [average, progress(), History(folder / "history.csv"), Speed(folder / "speed.json")]
    if objective is not None:
        metric, mode = f"val/{objective.best_metric}", "min" if objective.best_is_least else "max"
        if config["patience"] is not None:
            callbacks.append(EarlyStopping(metric, patience=config["patience"], mode=mode))
        callbacks.append(ModelCheckpoint(checkpoints, "best", metric, mode=mode, **shared))
    return [*callbacks, ModelCheckpoint(checkpoints, "last", **shared)]


def _loggers(config: Mapping[str, Any], folder: Path) -> list[Logger]:
    loggers: list[Logger] = []
    for name in logger_names(config):
        if name == "csv":
            loggers.append(CSVLogger(folder, "logs"))
        else:
            from pytorch_lightning.loggers import TensorBoardLogger

            loggers.append(TensorBoardLogger(folder, "tensorboard"))
    return loggers


def _origin(config: Mapping[str, Any], job: Job) -> Origin:
    return Origin(
        task=config["task"]["name"],
        label=config["task"]["label"],
        corpus=job.corpus.name,
        licence=job.corpus.licence,
        seed=config["seed"],
        split=job.origin_split,
        split_sha256=job.split.sha256,
        command=shlex.join(["avpipe", "train", *sys.argv[1:]]),
        metrics={},
        corpus_settings=corpus_settings(config),
    )
