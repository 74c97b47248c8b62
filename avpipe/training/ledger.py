"""Where the time of a training goes, part by part: at any moment one part is charged, so that they add up to it."""

import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from pytorch_lightning.profilers import Profiler
from torch.utils.data import get_worker_info

DECODE, AUGMENT, FEATURES, BATCH = "decode", "augment", "features", "batch"
AROUND, WAIT, TRANSFER, FORWARD, BACKWARD = "around the loop", "wait for data", "transfer", "forward", "backward"
OPTIMISER, AVERAGE, VALIDATION, CHECKPOINTS, OTHER = "optimiser", "average", "validation", "checkpoints", "other"

LOADING = (DECODE, AUGMENT, FEATURES, BATCH)
STEPS = (*LOADING, WAIT, TRANSFER, FORWARD, BACKWARD, OPTIMISER, AVERAGE, OTHER)
PARTS = (*STEPS, VALIDATION, CHECKPOINTS, AROUND)

MEANINGS = {
    DECODE: "reading a window from its file, or from the cache",
    AUGMENT: "what is drawn for sound, frames, features and batches",
    FEATURES: "making features of a window",
    BATCH: "putting windows into a batch",
    WAIT: "nothing to do, as the next batch is not ready",
    TRANSFER: "moving a batch to the device",
    FORWARD: "the network's answer and its loss",
    BACKWARD: "gradients",
    OPTIMISER: "clipping, the step, the schedule",
    AVERAGE: "the running mean of weights",
    OTHER: "Lightning's loop, logs, progress",
    VALIDATION: "all of it, its loading too",
    CHECKPOINTS: "writing them",
    AROUND: "measuring files, filling the cache, making the network, saving the bundle",
}

_OF_ACTIONS = (
    ("train_dataloader_next", WAIT),
    ("val_next", VALIDATION),
    ("ModelCheckpoint", CHECKPOINTS),
    ("save_checkpoint", CHECKPOINTS),
    ("WeightAveraging", AVERAGE),
    ("validation", VALIDATION),
    ("val_dataloader", VALIDATION),
    ("batch_to_device", TRANSFER),
    ("training_step", FORWARD),
    ("backward", BACKWARD),
    ("optimizer", OPTIMISER),
    ("gradient_clipping", OPTIMISER),
    ("lr_scheduler_step", OPTIMISER),
)
"""Which part an action of Lightning's is, by the first of these that its name contains; any other is of the part that
it stands in."""


class Clock:
    """Measures nothing, and costs nothing."""

    def part(self, name: str) -> AbstractContextManager[None]:
        """While the block runs, its time is that of the part, but for what parts within it take."""
        return nullcontext()


class Ledger(Clock):
    """Seconds by part, of the training's process and of each that loads for it.

    Loading is charged once the loop has begun: what is read before belongs to what it is read for. On a GPU each part
    waits for the work that it has begun, so that none is charged to a later one: a run that is profiled is slower.

    Args:
        device: that trains.
        workers: processes that may load, at most.
    """

    def __init__(self, device: torch.device, workers: int) -> None:
        # In shared memory: each worker writes its own row.
        self.seconds = torch.zeros(1 + workers, len(PARTS), dtype=torch.float64).share_memory_()  # type: ignore[no-untyped-call]
        self.synchronizes = device.type == "cuda"
        self.in_loop = False
        self.loop_sec = 0.0
        self.began = time.perf_counter()
        self._pid, self._stack, self._since = os.getpid(), [AROUND], self.began

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        if not self.in_loop:
            yield
            return
        self.enter(name)
        try:
            yield
        finally:
            self.leave()

    @contextmanager
    def loop(self) -> Iterator[None]:
        """The block is the training's loop."""
        began = time.perf_counter()
        self.in_loop = True
        self.enter(OTHER)
        try:
            yield
        finally:
            self.leave()
            self.in_loop = False
            self.loop_sec += time.perf_counter() - began

    def enter(self, name: str) -> None:
        self._charge()
        self._stack.append(name)

    def leave(self) -> None:
        self._charge()
        self._stack.pop()

    @property
    def current(self) -> str:
        """The part that is being charged."""
        return self._stack[-1]

    def _charge(self) -> None:
        """Give the time since the last change to the part that it was spent in."""
        if self._pid != os.getpid():  # a worker's first, which inherits what its parent was about
            self._pid, self._stack = os.getpid(), []
        worker = get_worker_info()
        if self.synchronizes and worker is None:
            torch.cuda.synchronize()
        now = time.perf_counter()
        if self._stack:
            self.seconds[worker.id + 1 if worker else 0, PARTS.index(self._stack[-1])] += now - self._since
        self._since = now

    def told(self) -> dict[str, Any]:
        """As plain data: ``wall_sec``, ``loop_sec``, ``parts_sec`` (which sum to the first), ``in_workers_sec``."""
        self._charge()
        own, in_workers = (
            dict(zip(PARTS, row.tolist(), strict=True)) for row in (self.seconds[0], self.seconds[1:].sum(0))
        )
        return {
            "wall_sec": time.perf_counter() - self.began,
            "loop_sec": self.loop_sec,
            "parts_sec": own,
            "in_workers_sec": {name: in_workers[name] for name in LOADING},
        }


class Actions(Profiler):
    """Charges a ledger by what Lightning says that it does.

    Args:
        ledger: to charge.
    """

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.ledger = ledger
        self.epochs = self.steps = 0

    def start(self, action_name: str) -> None:
        self.epochs += action_name == "run_training_epoch"
        self.steps += action_name == "run_training_batch"
        inherited = self.ledger.current
        self.ledger.enter(next((part for piece, part in _OF_ACTIONS if piece in action_name), inherited))

    def stop(self, action_name: str) -> None:
        self.ledger.leave()
