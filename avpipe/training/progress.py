"""What a person sees while a network learns, and what is kept of it."""

import csv
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import RichProgressBar

from avpipe.files import write_text, written_whole


class History(Callback):
    """``history.csv``: a row an epoch with everything that was logged, over all sittings of a run.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, float]] = []

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = list(state_dict["rows"])

    def on_train_epoch_end(self, trainer: Trainer, learner: LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        rate = float(trainer.optimizers[0].param_groups[0]["lr"])
        row = {"epoch": trainer.current_epoch + 1, "lr": rate, **_of_the_epoch(trainer)}
        self.rows = [*self.rows[: trainer.current_epoch], row]
        names = list(dict.fromkeys(name for each in self.rows for name in each))
        with written_whole(self.path) as part, part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)


class Speed(Callback):
    """``speed.json``: how many windows a second this sitting of a run learned from, the median over its epochs.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rates: list[float] = []
        self.began = self.elapsed = self.windows = 0.0

    def on_train_batch_start(self, trainer: Trainer, learner: LightningModule, batch: Any, index: int) -> None:
        if index == 0:
            self.began, self.windows = time.perf_counter(), 0.0

    def on_train_batch_end(self, trainer: Trainer, learner: LightningModule, loss: Any, batch: Any, index: int) -> None:
        self.windows += len(batch.targets) * trainer.world_size
        self.elapsed = time.perf_counter() - self.began

    def on_train_epoch_end(self, trainer: Trainer, learner: LightningModule) -> None:
        if not trainer.is_global_zero or not self.windows:
            return
        self.rates.append(self.windows / max(self.elapsed, 1e-9))
        told = {"windows_per_sec": round(statistics.median(self.rates), 2), "device": str(learner.device)}
        write_text(self.path, json.dumps(told) + "\n")


class EpochLines(Callback):
    """A line an epoch, and at least one a minute, for logs and for terminals that cannot redraw."""

    def __init__(self) -> None:
        self.started = self.told = time.monotonic()
        self.first_step = 0

    def on_train_start(self, trainer: Trainer, learner: LightningModule) -> None:
        self.started = self.told = time.monotonic()
        self.first_step = trainer.global_step

    def on_train_batch_end(self, trainer: Trainer, learner: LightningModule, *rest: Any) -> None:
        if time.monotonic() - self.told >= 60.0:
            self._tell(trainer, f"step {trainer.global_step} of {trainer.estimated_stepping_batches:.0f}")

    def on_train_epoch_end(self, trainer: Trainer, learner: LightningModule) -> None:
        self._tell(trainer, " ".join(f"{name} {value:.3f}" for name, value in _of_the_epoch(trainer).items()))

    def _tell(self, trainer: Trainer, what: str) -> None:
        if not trainer.is_global_zero:
            return
        self.told = time.monotonic()
        elapsed = self.told - self.started
        done = trainer.global_step - self.first_step
        left = elapsed / max(done, 1) * (float(trainer.estimated_stepping_batches) - trainer.global_step)
        place = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        print(f"{place} {what} ({elapsed:.0f} s, about {left:.0f} s left)", flush=True)


def _of_the_epoch(trainer: Trainer) -> dict[str, float]:
    """What was logged, by name; of what is logged each step, the mean over the epoch."""
    logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
    means = {name.removesuffix("_epoch"): value for name, value in logged.items() if name.endswith("_epoch")}
    whole = {name: value for name, value in logged.items() if not name.endswith(("_step", "_epoch"))}
    return dict(sorted({**whole, **means}.items()))


def on_terminal() -> bool:
    """Whether a bar can be drawn."""
    return sys.stdout.isatty()


def progress() -> Callback:
    """A bar on a terminal, lines elsewhere."""
    return RichProgressBar() if on_terminal() else EpochLines()
