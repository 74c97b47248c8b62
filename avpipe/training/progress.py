"""What a person sees while a network learns."""

import sys
import time

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import RichProgressBar


class EpochLines(Callback):
    """One line an epoch, for logs and for terminals that cannot redraw."""

    def __init__(self) -> None:
        self.started = time.monotonic()

    def on_validation_end(self, trainer: Trainer, learner: LightningModule) -> None:
        if trainer.sanity_checking:
            return
        values = " ".join(f"{name} {value:.3f}" for name, value in sorted(trainer.callback_metrics.items()))
        elapsed = time.monotonic() - self.started
        print(f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs} {values} ({elapsed:.0f} s)", flush=True)


def on_terminal() -> bool:
    """Whether a bar can be drawn."""
    return sys.stdout.isatty()


def progress() -> Callback:
    """A bar on a terminal, lines elsewhere."""
    return RichProgressBar() if on_terminal() else EpochLines()
