"""How fast training is: cached, beside a bare PyTorch loop; from media, beside decoder and network measured apart.

    export THP_MEM_ALLOC_ENABLE=1 GOMP_SPINCOUNT=1000
    python -m scripts.bench_training [--corpus ravdess] [--task emotion] [--epochs 3] [--rounds 3] [--media]

**Cached**: both train the task's network on the features of the corpus's official training part, with the same batches
and AdamW. The bare loop holds all features in memory and does nothing else: no metrics, no running mean of weights, no
checkpoint, no log. Ours is the data module with ``cache=features`` and Lightning's trainer as ``avpipe train`` uses it.

**From media** (``--media``): ``cache=none``, as ``avpipe train`` chooses workers and threads. What it is held to is
1 / (1 / D + 1 / C): D the samples a second that the same loader gives with nothing else to do and a worker a core, C
those of the bare loop on all cores.

``--processor`` compares cached training by the processor's own time on one thread, which other work changes little.
They take turns, and medians over rounds are told. The first epoch of each is not counted. The variables are what the
command ``avpipe`` sets for itself: memory in large pages, and threads that wait for one another without a core.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
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
from avpipe.training.data import AVDataModule
from avpipe.training.ledger import Clock
from avpipe.training.loading import make_data
from avpipe.training.recordings import measure
from scripts.measure import CORES, Bound, Row, at_the_matrix_peak, medians, multiply_adds

Seconds = Callable[[], float]
"""A clock."""


class Stopwatch(Callback):
    """Samples a second of each training epoch, from its first batch to its last; and the media files opened in it."""

    def __init__(self, clock: Seconds = time.perf_counter) -> None:
        self.clock = clock
        self.rates: list[float] = []
        self.opened: list[int] = []
        self.samples = 0
        self.began = 0.0

    def on_train_epoch_start(self, trainer: Any, learner: Any) -> None:
        self.samples, self.began = 0, self.clock()
        self.opened.append(0)

    def on_train_batch_end(self, trainer: Any, learner: Any, outputs: Any, batch: Batch, index: int) -> None:
        self.samples += len(batch.targets)
        self.rates[len(self.opened) - 1 :] = [self.samples / (self.clock() - self.began)]


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


def bare(config: dict[str, Any], batches: list[Batch], epochs: int, clock: Seconds = time.perf_counter) -> list[float]:
    """Samples a second of each epoch of the loop that every tutorial has."""
    torch.manual_seed(0)
    labels = int(max(int(batch.targets.max()) for batch in batches)) + 1
    network = instantiate({**config["network"], "num_outputs": labels})
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    rates = []
    for _ in range(epochs):
        samples, began = 0, clock()
        for batch in batches:
            loss = nn.functional.cross_entropy(network(batch.features, batch.lengths).value, batch.targets)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            samples += len(batch.targets)
        rates.append(samples / (clock() - began))
    return rates


def data_of(config: dict[str, Any]) -> AVDataModule:
    """The loader of a training, with its cache filled."""
    ((settings, job),) = make_plan(config).jobs
    train_part, val_part = measure(job.split.train)[0], measure(job.split.val)[0]
    specs = fit._specs(settings, [recording.example.target for recording in train_part])
    objective = instantiate(specs["objective"])
    return make_data(settings, torch.device("cpu"), specs["preprocessor"], objective, train_part, val_part, Clock())


def loading_sec(data: AVDataModule, epochs: int) -> float:
    """Seconds a sample of the loader alone, the median over epochs but the first, which starts the workers."""
    loader, seconds = data.train_dataloader(), []
    for _ in range(epochs):
        began = time.perf_counter()
        samples = sum(len(batch.targets) for batch in loader)
        seconds.append((time.perf_counter() - began) / samples)
    return statistics.median(seconds[1:])


def configured(task: str, corpus: str, epochs: int, folder: Path, *more: str) -> dict[str, Any]:
    """What ``avpipe train`` would be given."""
    overrides = [f"task={task}", f"corpus={corpus}", "augment=none", "device=cpu", f"trainer.max_epochs={epochs}"]
    return plain(compose("train", [*overrides, f"run_dir={folder}", *more]))


def network_bound(config: dict[str, Any], batch: Batch, clock: Seconds = time.perf_counter) -> Bound:
    """Seconds a sample of its multiply-adds at the matrix peak; gradients take twice those of the answer."""
    network = instantiate({**config["network"], "num_outputs": int(batch.targets.max()) + 1})
    counted = multiply_adds(lambda: network(batch.features, batch.lengths))
    what, job, times = at_the_matrix_peak(3 * counted / len(batch.targets))
    return Bound(what, medians({what: job}, clock=clock)[what] * times)


def cached(task: str, corpus: str, epochs: int, rounds: int, by_processor: bool = False) -> Row:
    """Seconds a sample of cached training, ours and the bare loop's; by the clock, or by one processor."""
    clock: Seconds = time.process_time if by_processor else time.perf_counter
    if by_processor:
        torch.set_num_threads(1)
    took: dict[str, list[float]] = {"avpipe": [], "a bare PyTorch loop": []}
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        for index in range(rounds):
            config = configured(task, corpus, epochs, Path(folder) / str(index), "cache=features")
            batches = list(data_of(config).train_dataloader())
            watch = Stopwatch(clock)
            took["a bare PyTorch loop"].append(1 / statistics.median(bare(config, batches, epochs, clock)[1:]))
            ours(config, watch)
            took["avpipe"].append(1 / statistics.median(watch.rates[1:]))
        bound = network_bound(config, batches[0], clock)
    medianed = {name: statistics.median(seconds) for name, seconds in took.items()}
    note = f"media files opened, by epoch: {watch.opened}" + ("; seconds of one processor" if by_processor else "")
    return Row("training", f"a sample of {task} on cached {corpus}", medianed, bound, note=note)


def from_media(task: str, corpus: str, epochs: int, rounds: int) -> Row:
    """Seconds a sample of training that decodes each epoch, and those of loader and bare loop, apart and in sum."""
    parts: dict[str, list[float]] = {"decode": [], "network": [], "avpipe": []}
    workers = len(CORES)
    with tempfile.TemporaryDirectory() as folder:
        for index in range(rounds):
            config = configured(task, corpus, epochs, Path(folder) / str(index), "cache=none", "data.workers=auto")
            alone = configured(task, corpus, epochs, Path(folder), "cache=none", f"data.workers={workers}")
            data = data_of(alone)
            parts["decode"].append(loading_sec(data, epochs))
            batches = list(data.train_dataloader())
            del data  # with it go its workers
            parts["network"].append(1 / statistics.median(bare(config, batches, epochs)[1:]))
            watch = Stopwatch()
            ours(config, watch)
            parts["avpipe"].append(1 / statistics.median(watch.rates[1:]))
        bound = network_bound(config, batches[0])
    medianed = {name: statistics.median(seconds) for name, seconds in parts.items()}
    decode, network = medianed["decode"], medianed["network"]
    took = {"avpipe": medianed["avpipe"], "decoder and network, one after the other": decode + network}
    note = f"the loader alone, {workers} workers: {1e3 * decode:.2f} ms; the network alone: {1e3 * network:.2f} ms"
    limit = Bound("the loader alone, and multiply-adds at the matrix peak", decode + bound.sec)
    return Row("training", f"a sample of {task} on {corpus}, decoded each epoch", took, limit, note=note)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("corpus", "ravdess"), ("task", "emotion"), ("epochs", 3), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=type(default), default=default)
    parser.add_argument("--media", action="store_true")
    parser.add_argument("--processor", action="store_true")
    asked = parser.parse_args()
    given = asked.task, asked.corpus, asked.epochs, asked.rounds
    print(from_media(*given) if asked.media else cached(*given, asked.processor))


if __name__ == "__main__":
    main()
