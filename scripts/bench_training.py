"""How fast cached training is, beside a bare PyTorch loop over the same tensors and the same network.

    export THP_MEM_ALLOC_ENABLE=1
    python scripts/bench_training.py [--corpus ravdess] [--task emotion] [--epochs 3] [--rounds 3]

Both train the task's network on the features of the corpus's official training part, with the same batches and AdamW.
The bare loop holds all features in memory and does nothing else: no metrics, no running mean of weights, no checkpoint,
no log. Ours is the data module with ``cache=features`` and Lightning's trainer as ``avpipe train`` uses it. They take
turns, and the median ratio of samples a second is told. The first epoch of either is not counted. The variable is what
the command ``avpipe`` sets for itself, memory in large pages.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from pytorch_lightning import Callback
from torch import nn

import avpipe.training.fit as fit
from avpipe.config import compose, instantiate, plain
from avpipe.media import stream
from avpipe.objectives import Batch
from avpipe.training import make_plan, train
from avpipe.training.recordings import measure


class Stopwatch(Callback):
    """Samples a second of each training epoch, from its first batch to its last; and the media files opened in it."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.opened: list[int] = []
        self.samples = 0
        self.began = 0.0

    def on_train_epoch_start(self, trainer: Any, learner: Any) -> None:
        self.samples, self.began = 0, time.perf_counter()
        self.opened.append(0)

    def on_train_batch_end(self, trainer: Any, learner: Any, outputs: Any, batch: Batch, index: int) -> None:
        self.samples += len(batch.targets)
        self.rates[len(self.opened) - 1 :] = [self.samples / (time.perf_counter() - self.began)]


def ours(config: dict[str, Any], watch: Stopwatch) -> None:
    """Train as ``avpipe train`` does, with a stopwatch among the callbacks."""
    callbacks = fit._callbacks
    opened = stream.ClipStream.__init__

    def counted(self: Any, *arguments: Any) -> None:
        if watch.opened:
            watch.opened[-1] += 1
        opened(self, *arguments)

    with (
        patch.object(fit, "_callbacks", lambda *arguments: [*callbacks(*arguments), watch]),
        patch.object(stream.ClipStream, "__init__", counted),
    ):
        ((settings, job),) = make_plan(config).jobs
        train(settings, job)


def bare(config: dict[str, Any], batches: list[Batch], epochs: int) -> list[float]:
    """Samples a second of each epoch of the loop that every tutorial has."""
    torch.manual_seed(0)
    labels = int(max(int(batch.targets.max()) for batch in batches)) + 1
    network = instantiate({**config["network"], "num_outputs": labels})
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    rates = []
    for _ in range(epochs):
        samples, began = 0, time.perf_counter()
        for batch in batches:
            loss = nn.functional.cross_entropy(network(batch.features, batch.lengths).value, batch.targets)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            samples += len(batch.targets)
        rates.append(samples / (time.perf_counter() - began))
    return rates


def batches_of(config: dict[str, Any]) -> list[Batch]:
    """The batches of one training epoch, held in memory."""
    ((settings, job),) = make_plan(config).jobs
    train_part, val_part = measure(job.split.train)[0], measure(job.split.val)[0]
    specs = fit._specs(settings, [recording.example.target for recording in train_part])
    objective = instantiate(specs["objective"])
    data = fit._data(settings, torch.device("cpu"), specs["preprocessor"], objective, train_part, val_part)
    return list(data.train_dataloader())


def median_ratio(task: str, corpus: str, epochs: int, rounds: int) -> float:
    """Samples a second of ours as a multiple of the bare loop's; both are told for each round."""
    ratios = []
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        for index in range(rounds):
            overrides = [
                f"task={task}", f"corpus={corpus}", "augment=none", "cache=features", "device=cpu", "data.workers=0",
                f"trainer.max_epochs={epochs}", f"run_dir={Path(folder) / str(index)}",
            ]  # fmt: skip
            config = plain(compose("train", overrides))
            batches = batches_of(config)
            watch = Stopwatch()
            bare_rate = statistics.median(bare(config, batches, epochs)[1:])
            ours(config, watch)
            our_rate = statistics.median(watch.rates[1:])
            ratios.append(our_rate / bare_rate)
            print(f"bare {bare_rate:.1f}, avpipe {our_rate:.1f} samples a second: {ratios[-1]:.2f}x")
    print(f"median ratio {statistics.median(ratios):.2f}x; media files opened, by epoch: {watch.opened}")
    return statistics.median(ratios)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("corpus", "ravdess"), ("task", "emotion"), ("epochs", 3), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=type(default), default=default)
    asked = parser.parse_args()
    median_ratio(asked.task, asked.corpus, asked.epochs, asked.rounds)


if __name__ == "__main__":
    main()
