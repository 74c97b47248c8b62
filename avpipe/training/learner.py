"""The only LightningModule: any network with any objective."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningModule
from torch import Tensor

from avpipe.answers import Decoded
from avpipe.corpora import Example
from avpipe.errors import RunStopped
from avpipe.features import Preprocessor
from avpipe.networks import Network, SequenceNetwork
from avpipe.objectives import Batch, Objective
from avpipe.training.layer_plan import LayerPlan
from avpipe.training.optim import Recipe


class Learner(LightningModule):
    """Steps, metrics and optimizer; the network and the objective do the rest.

    Logs ``train/loss`` a step, ``val/loss`` and ``val/<metric>`` an epoch. Windows are combined into one answer an
    example before they are scored, as in prediction.

    Args:
        network: to train.
        objective: loss and metrics.
        optim: makes the optimizer and its schedule.
        layers: what of the network learns in which epoch, and how fast.
        train: the examples that training batches refer to by their places.
        val: the same of validation batches.
        seed: of what the network itself draws (dropout), together with the epoch and the batch.
        preprocessor: of the windows.
        compiled: train what torch's compiler makes of the network; validation takes the network as it is.
    """

    def __init__(
        self,
        network: Network | SequenceNetwork,
        objective: Objective,
        optim: Recipe,
        layers: LayerPlan,
        train: Sequence[Example],
        val: Sequence[Example],
        seed: int,
        preprocessor: Preprocessor,
        compiled: bool = False,
    ) -> None:
        super().__init__()
        self.network = network
        # A function and no module: checkpoints are the same, compiled or not.
        self.trained = torch.compile(network.forward, dynamic=False) if compiled else network.forward
        self.objective = objective
        self.optim = optim
        self.layers = layers
        self.train_examples = tuple(train)
        self.val_examples = tuple(val)
        self.seed = seed
        self.hop_sec, self.overlap_sec = preprocessor.hop_sec, preprocessor.windowing.overlap_sec
        self.step_sec = network.step_sec(preprocessor) if isinstance(network, SequenceNetwork) else 0.0
        self.val_windows: dict[int, list[tuple[Decoded, float]]] = defaultdict(list)
        self.val_loss = (0.0, 0)
        """Sum over the windows so far, and their number."""

    def on_train_epoch_start(self) -> None:
        # From the epoch alone: nothing is remembered that a run which goes on could have forgotten.
        self.layers.begin_epoch(self.current_epoch)

    def on_train_batch_start(self, batch: Batch, batch_index: int) -> None:
        # Anew for each batch, so that a run which was stopped goes on as if it had not been.
        own = [self.global_rank] if self.global_rank else []  # processes do not drop out the same
        state = np.random.SeedSequence([self.seed, self.current_epoch, batch_index, *own]).generate_state(1)
        torch.manual_seed(int(state[0]))

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        loss = self.objective.training_loss(self.trained(batch.features, batch.lengths), batch)
        if not loss.isfinite():
            self._stop(batch, batch_index, float(loss.detach()))
        together = self.trainer.world_size > 1
        size = len(batch.targets)
        self.log("train/loss", loss, prog_bar=True, on_step=True, on_epoch=True, batch_size=size, sync_dist=together)
        return loss

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        output = self.network(batch.features, batch.lengths)
        total, count = self.val_loss
        size = len(batch.targets)
        self.val_loss = (total + float(self.objective.loss(output, batch)) * size, count + size)
        answers = self.objective.judge(output, batch)
        for example, seconds, answer in zip(batch.examples, batch.seconds, answers, strict=True):
            start_sec = len(self.val_windows[example]) * self.hop_sec
            placed = answer.placed(start_sec, self.step_sec, self.overlap_sec)
            self.val_windows[example].append((placed, seconds))

    def on_validation_epoch_end(self) -> None:
        windows_of, (total, count) = self._validated()
        self.log("val/loss", total / max(count, 1))
        combined = [self.objective.combine(*zip(*windows, strict=True)) for windows in windows_of.values()]
        answers = [self.objective.finished(each) for each in combined]
        metrics = self.objective.metrics()
        self.objective.update(metrics, answers, [self.val_examples[place].target for place in windows_of])
        for name, value in metrics.compute().items():
            self.log(f"val/{name}", value, prog_bar=name == self.objective.best_metric)
        self.val_windows.clear()
        self.val_loss = (0.0, 0)

    def _validated(self) -> tuple[dict[int, list[tuple[Decoded, float]]], tuple[float, int]]:
        """What all processes together said of the validation examples, each of which one of them has seen."""
        own = (dict(self.val_windows), self.val_loss)
        if self.trainer.world_size == 1:
            return own
        gathered: list[Any] = [None] * self.trainer.world_size
        torch.distributed.all_gather_object(gathered, own)
        together = {place: windows for found, _ in gathered for place, windows in found.items()}
        losses = [loss for _, loss in gathered]
        total, count = sum(total for total, _ in losses), sum(count for _, count in losses)
        return dict(sorted(together.items())), (total, count)

    def configure_optimizers(self) -> Any:
        return self.optim.configure(self, int(self.trainer.estimated_stepping_batches), self.layers.rate_factors)

    def _stop(self, batch: Batch, batch_index: int, loss: float) -> None:
        """Name what made the loss useless: files whose features are no numbers, or else the whole batch."""
        finite = torch.stack([value.flatten(1).isfinite().all(1) for value in batch.features.values()]).all(0)
        spoilt = [example for example, sound in zip(batch.examples, finite.tolist(), strict=True) if not sound]
        names = ", ".join("/".join(self.train_examples[place].path.parts[-2:]) for place in spoilt or batch.examples)
        cause = "the features of these files are no numbers" if spoilt else "its files"
        remedy = "leave these files out" if spoilt else "lower optim.lr; the last checkpoint is kept"
        place = f"epoch {self.current_epoch + 1} batch {batch_index + 1}"
        raise RunStopped(place, f"the loss is {loss}; {cause}: {names}", remedy)
