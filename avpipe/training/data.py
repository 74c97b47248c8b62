"""Batches for training and validation, made by the bundle's own preprocessor."""

import copy
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler, get_worker_info

from avpipe.augment import Augmentation, item_generator, random_start
from avpipe.errors import ArgumentError, RunStopped
from avpipe.features import TIME_AXIS, Features, Preprocessor, collate
from avpipe.media import MediaError
from avpipe.objectives import Batch, Objective
from avpipe.threads import single_threaded
from avpipe.training.ledger import AUGMENT, BATCH, DECODE, FEATURES, Clock
from avpipe.training.recordings import Reader, Recording
from avpipe.training.sampling import EpochSampler, Order, Share
from avpipe.windowing import between_silence


@dataclass(frozen=True, slots=True)
class Item:
    """One window, ready to be put into a batch."""

    features: Features
    target: Tensor
    example: int
    seconds: float
    generator: np.random.Generator
    """What remains to be drawn for this item."""


@dataclass(frozen=True, slots=True)
class RawItem:
    """One window before its features are made, for those made beside the network."""

    waveform: Tensor | None
    frames: Tensor | None
    target: Tensor
    example: int
    seconds: float
    generator: np.random.Generator


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Windows on their way to the device that makes their features."""

    items: tuple[RawItem, ...]

    def to(self, device: torch.device, **options: Any) -> "RawBatch":
        """The same batch on ``device``; Lightning calls it by this name."""
        return RawBatch(tuple(self._mapped(item, lambda tensor: tensor.to(device, **options)) for item in self.items))

    def pin_memory(self) -> "RawBatch":
        """The same batch in memory that a GPU copies from; torch's loader calls it by this name."""
        return RawBatch(tuple(self._mapped(item, Tensor.pin_memory) for item in self.items))

    @staticmethod
    def _mapped(item: RawItem, change: Callable[[Tensor], Tensor]) -> RawItem:
        waveform, frames = (None if each is None else change(each) for each in (item.waveform, item.frames))
        return replace(item, waveform=waveform, frames=frames)


class TrainingWindows(Dataset[Item | RawItem | None]):
    """A random window of each recording, drawn anew each epoch.

    Args:
        recordings: to draw from.
        reader: of clips, or of features where the augmentation leaves clips alone and the reader keeps features.
        augmentation: of the clip and of its features.
        objective: encodes the targets.
        seed: with the epoch and the recording's place it determines all that is drawn.
        from_features: draw among the windows that prediction cuts, whose features can be kept.
        raw: leave the features to whom the batch goes.
        clock: measures what an item takes.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        reader: Reader,
        augmentation: Augmentation,
        objective: Objective,
        seed: int,
        from_features: bool = False,
        raw: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self.recordings = recordings
        self.reader = reader
        self.augmentation = augmentation
        self.objective = objective
        self.seed = seed
        self.from_features = from_features
        self.raw = raw
        self.clock = clock or Clock()

    def __len__(self) -> int:
        return len(self.recordings)

    def __getitem__(self, place: int) -> Item | RawItem | None:
        """The item of place ``number * len(self) + index`` in pass ``number``, as :class:`EpochSampler` asks for it."""
        number, index = divmod(place, len(self))
        try:
            return self._drawn(index, item_generator(self.seed, number, index))
        except MediaError as error:
            warnings.warn(f"left out of training: {error}", stacklevel=1)
            return None

    def _drawn(self, index: int, generator: np.random.Generator) -> Item | RawItem | None:
        recording, preprocessor = self.recordings[index], self.reader.preprocessor
        target = self.objective.encode(recording.example.target)
        if self.from_features:
            with self.clock.part(DECODE):
                features, seconds = self.reader.window(recording, generator.random())
            return self.finished(features, target, index, seconds, generator)
        start_sec = random_start(recording.duration_sec, preprocessor.window_sec, generator)
        with self.clock.part(DECODE):
            clip = self.reader.clip(recording, start_sec)
        with self.clock.part(AUGMENT):
            clip = self.augmentation.augment_clip(clip, generator)
        edge_sec = preprocessor.windowing.edge_sec(self.objective.edge_silence_sec)
        clip = between_silence(clip, edge_sec, edge_sec)
        seconds = preprocessor.window_sec
        if self.raw:
            return RawItem(*preprocessor.tensors(clip), target, index, seconds, generator)
        with single_threaded():
            with self.clock.part(FEATURES):
                features = preprocessor(clip)
            return self.finished(features, target, index, seconds, generator)

    def finished(
        self, features: Features, target: Tensor, index: int, seconds: float, generator: np.random.Generator
    ) -> Item | None:
        if not features:
            return None
        with self.clock.part(AUGMENT):
            features = self.augmentation.augment_features(features, generator)
        return Item(features, target, index, seconds, generator)


class ValidationWindows(IterableDataset[Item]):
    """Every window of every recording, cut as prediction cuts them; worker processes share the recordings out.

    Args:
        recordings: to cut.
        reader: of their windows.
        objective: encodes the targets.
    """

    def __init__(self, recordings: Sequence[Recording], reader: Reader, objective: Objective) -> None:
        self.recordings = recordings
        self.reader = reader
        self.objective = objective
        self.share = (0, 1)
        """Rank of the process, and how many there are: each takes other recordings, and none is taken twice."""

    def __iter__(self) -> Iterator[Item]:
        worker = get_worker_info()
        place, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        rank, processes = self.share
        first, step = rank * workers + place, processes * workers
        for index in range(first, len(self.recordings), step):
            target = self.objective.encode(self.recordings[index].example.target)
            try:
                for features, seconds in self.reader.windows(self.recordings[index]):
                    yield Item(features, target, index, seconds, item_generator(0, 0, index))
            except MediaError as error:
                warnings.warn(f"left out of validation: {error}", stacklevel=1)


@dataclass(frozen=True, slots=True)
class Loading:
    """How batches are loaded."""

    batch_size: int
    """Windows a step."""
    workers: int
    """Decoding processes; 0 decodes between the steps."""
    seed: int
    """Of order and augmentation."""
    weights: Sequence[float] | None = None
    """How often each training recording comes, relative to the others; None: each once a pass."""
    pin_memory: bool = False
    passes: int = 1
    """Draws from each training recording in an epoch."""
    order: Order | None = None
    """What stands together in a batch; None: what was drawn together."""
    one_shape: bool = False
    """Every batch as long as a window, also where all of it is shorter: compiled code is made for one shape."""
    prefetch: int = 2
    """Batches that each worker may hold ready."""


class AVDataModule(LightningDataModule):
    """Training and validation batches.

    Args:
        train: windows to learn from.
        val: windows to validate on.
        loading: how they are put into batches.
    """

    def __init__(self, train: TrainingWindows, val: ValidationWindows, loading: Loading) -> None:
        super().__init__()
        self.train_windows = train
        self.val_windows = val
        self.loading = loading
        self.preprocessor: Preprocessor = train.reader.preprocessor
        # A copy of its own, as the reader's stays on the CPU.
        self.device_preprocessor = copy.deepcopy(self.preprocessor)

    def train_dataloader(self) -> DataLoader[Any]:
        size, loading, (rank, processes) = len(self.train_windows), self.loading, self._place()
        # A last batch of one would leave BatchNorm without a variance.
        whole = size > processes * loading.batch_size
        share = Share(rank, processes, loading.batch_size, whole) if processes > 1 else None
        sampler = EpochSampler(size, loading.seed, loading.weights, loading.passes, loading.order, share)
        if not len(sampler):
            raise ArgumentError(f"trainer.devices: {processes} processes", f"there are {size} recordings to share out")
        return self._loader(self.train_windows, self._collate_training, sampler, whole)

    def _place(self) -> tuple[int, int]:
        """This process's rank, and how many train together."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def endless(self) -> Iterator[Batch]:
        """Training batches on the CPU, from the first epoch's anew when they are used up."""
        while True:
            for batch in self.train_dataloader():
                yield self.on_after_batch_transfer(batch, 0)

    def val_dataloader(self) -> DataLoader[Any]:
        self.val_windows.share = self._place()
        return self._loader(self.val_windows, self._collate)

    def on_after_batch_transfer(self, batch: Batch | RawBatch, dataloader_index: int) -> Batch:
        """Make the features that were left to the device."""
        if isinstance(batch, Batch):
            return batch
        return self._mixed([item for item in map(self._finished, batch.items) if item is not None])

    def _finished(self, raw: RawItem) -> Item | None:
        device = next((tensor.device for tensor in (raw.waveform, raw.frames) if tensor is not None), None)
        with torch.no_grad():
            with self.train_windows.clock.part(FEATURES):
                features = self.device_preprocessor.to(device).from_tensors(raw.waveform, raw.frames)
            return self.train_windows.finished(features, raw.target, raw.example, raw.seconds, raw.generator)

    def _loader(
        self, windows: Dataset[Any], collate_fn: Any, sampler: Sampler[int] | None = None, drop_last: bool = False
    ) -> DataLoader[Any]:
        workers = self.loading.workers
        return DataLoader(
            windows,
            batch_size=self.loading.batch_size,
            sampler=sampler,
            drop_last=drop_last,
            num_workers=workers,
            persistent_workers=workers > 0,
            prefetch_factor=self.loading.prefetch if workers else None,
            pin_memory=self.loading.pin_memory,
            collate_fn=collate_fn,
        )

    def _collate_training(self, items: Sequence[Item | RawItem | None]) -> Batch | RawBatch:
        raws = tuple(item for item in items if isinstance(item, RawItem))
        return RawBatch(raws) if raws else self._mixed([item for item in items if isinstance(item, Item)])

    def _mixed(self, items: Sequence[Item]) -> Batch:
        windows = self.train_windows
        with windows.clock.part(BATCH):
            batch = self._collate(items)
        with windows.clock.part(AUGMENT):
            mixture = windows.augmentation.augment_batch(batch.features, batch.lengths, items[0].generator)
        if mixture is None:
            return batch
        return replace(
            batch,
            features=mixture.features,
            lengths=mixture.lengths,
            partner_targets=batch.targets[mixture.partner],
            partner_weight=mixture.weight,
        )

    def _collate(self, items: Sequence[Item]) -> Batch:
        if not items:
            raise RunStopped("a batch", "none of its files can be read", "see the warnings above")
        features, lengths = collate([item.features for item in items], self._steps(items))
        device = next(iter(features.values())).device
        targets = _stacked([item.target for item in items]).to(device)
        examples = tuple(item.example for item in items)
        return Batch(features, lengths, targets, examples, tuple(item.seconds for item in items))

    def _steps(self, items: Sequence[Item]) -> dict[str, int]:
        """As long as the longest of the batch and no longer, but for ``one_shape``: what is masked needs no work."""
        steps = self.preprocessor.window_steps
        for sense, axis in TIME_AXIS.items():
            longest = max((item.features[sense].shape[axis] for item in items if sense in item.features), default=0)
            if longest:
                # In sixteens, as each new shape costs a search for the fastest convolution.
                padded = max(-(-longest // 16) * 16, steps[sense] if self.loading.one_shape else 0)
                # What was drawn out longer than a window is cut, but where the target tells of all of it.
                steps[sense] = padded if self.train_windows.objective.needs_whole else min(steps[sense], padded)
        return steps


def _stacked(targets: Sequence[Tensor]) -> Tensor:
    """(B, ...); -1 stands behind those that are shorter than others."""
    if targets[0].ndim == 0:
        return torch.stack(list(targets))
    return nn.utils.rnn.pad_sequence(list(targets), batch_first=True, padding_value=-1)
