"""The only LightningModule: any network with any objective."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from pytorch_lightning import LightningModule
from torch import Tensor

from avpipe.errors import RunStopped
from avpipe.networks import Network
from avpipe.objectives import Batch, Decoded, Objective
from avpipe.training.optim import OneCycleAdamW


class Learner(LightningModule):
    """Steps, metrics and optimizer; the network and the objective do the rest.

    Logs ``train/loss`` a step, ``val/loss`` and ``val/<metric>`` an epoch. Windows are combined into one answer an
    example before they are scored, as in prediction.

    Args:
        network: to train.
        objective: loss and metrics.
        optim: makes the optimizer and its schedule.
        val_targets: the corpus's targets of the validation examples, in the order that batches refer to.
    """

    def __init__(
        self, network: Network, objective: Objective, optim: OneCycleAdamW, val_targets: Sequence[Any]
    ) -> None:
        super().__init__()
        self.network = network
        self.objective = objective
        self.optim = optim
        self.val_targets = tuple(val_targets)
        self.val_windows: dict[int, list[tuple[Decoded, float]]] = defaultdict(list)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        loss = self.objective.loss(self.network(batch.features, batch.lengths), batch)
        if not loss.isfinite():
            place = f"epoch {self.current_epoch} batch {batch_index}"
            raise RunStopped(place, f"the loss is {loss.item()}", "lower optim.lr; the last checkpoint is kept")
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch.targets))
        return loss

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        output = self.network(batch.features, batch.lengths)
        loss = self.objective.loss(output, batch)
        self.log("val/loss", loss, on_epoch=True, batch_size=len(batch.targets))
        for example, seconds, answer in zip(batch.examples, batch.seconds, self.objective.decode(output), strict=True):
            self.val_windows[example].append((answer, seconds))

    def on_validation_epoch_end(self) -> None:
        answers = [self.objective.combine(*zip(*windows, strict=True)) for windows in self.val_windows.values()]
        metrics = self.objective.metrics()
        self.objective.update(metrics, answers, [self.val_targets[example] for example in self.val_windows])
        for name, value in metrics.compute().items():
            self.log(f"val/{name}", value, prog_bar=name == self.objective.best_metric)
        self.val_windows.clear()

    def configure_optimizers(self) -> Any:
        return self.optim.configure(self, int(self.trainer.estimated_stepping_batches))
