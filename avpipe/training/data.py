"""Batches for training and validation, made by the bundle's own preprocessor."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from avpipe.augment import Augmentation, item_generator, random_start
from avpipe.corpora import Example
from avpipe.errors import RunStopped
from avpipe.features import Features, Preprocessor, collate, single_threaded
from avpipe.media import Clip, MediaError, probe, read_clip
from avpipe.objectives import Batch, Objective


@dataclass(frozen=True, slots=True)
class Item:
    """One window, ready to be put into a batch."""

    features: Features
    target: Tensor
    example: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Recording:
    """An example whose length is known."""

    example: Example
    duration_sec: float
    """From the example's own start."""


def measure(examples: Sequence[Example]) -> tuple[list[Recording], list[str]]:
    """The readable examples with their lengths, and a line for each that cannot be read."""
    recordings, lines = [], []
    for example in examples:
        try:
            end_sec = example.end_sec if example.end_sec is not None else probe(example.path).duration_sec
            recordings.append(Recording(example, end_sec - example.start_sec))
        except MediaError as error:
            lines.append(str(error))
    return recordings, lines


def read_window(recording: Recording, offset_sec: float, preprocessor: Preprocessor) -> Clip:
    """The clip of one window, ``offset_sec`` after the recording's start."""
    wanted = preprocessor.clip_format
    return read_clip(
        recording.example.path,
        recording.example.start_sec + offset_sec,
        min(preprocessor.window_sec, recording.duration_sec - offset_sec),
        wanted.audio,
        wanted.video,
        sample_rate=wanted.sample_rate,
        mono=wanted.mono,
        size_px=wanted.size_px,
        stride_sec=wanted.stride_sec,
    )


class TrainingWindows(Dataset[Item | None]):
    """A random window of each recording, drawn anew each epoch.

    Args:
        recordings: to draw from.
        preprocessor: from clip to features.
        augmentation: of the clip and of its features.
        objective: encodes the targets.
        seed: with the epoch and the recording's place it determines all that is drawn.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        preprocessor: Preprocessor,
        augmentation: Augmentation,
        objective: Objective,
        seed: int,
    ) -> None:
        self.recordings = recordings
        self.preprocessor = preprocessor
        self.augmentation = augmentation
        self.objective = objective
        self.seed = seed

    def __len__(self) -> int:
        return len(self.recordings)

    def __getitem__(self, place: int) -> Item | None:
        """The item of place ``epoch * len(self) + index``, as :class:`EpochSampler` asks for it."""
        epoch, index = divmod(place, len(self))
        recording = self.recordings[index]
        generator = item_generator(self.seed, epoch, index)
        start_sec = random_start(recording.duration_sec, self.preprocessor.window_sec, generator)
        try:
            clip = read_window(recording, start_sec, self.preprocessor)
        except MediaError as error:
            warnings.warn(f"left out of training: {error}", stacklevel=1)
            return None
        with single_threaded():
            features = self.preprocessor(self.augmentation.augment_clip(clip, generator))
            features = self.augmentation.augment_features(features, generator)
        target = self.objective.encode(recording.example.target)
        return Item(features, target, index, self.preprocessor.window_sec) if features else None


class ValidationWindows(Dataset[Item | None]):
    """Every window of every recording, as prediction cuts them.

    Args:
        recordings: to cut.
        preprocessor: from clip to features.
        objective: encodes the targets.
    """

    def __init__(self, recordings: Sequence[Recording], preprocessor: Preprocessor, objective: Objective) -> None:
        self.recordings = recordings
        self.preprocessor = preprocessor
        self.objective = objective
        self.windows = [
            (index, start_sec)
            for index, recording in enumerate(recordings)
            for start_sec in preprocessor.window_starts(recording.duration_sec)
        ]

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, place: int) -> Item | None:
        index, start_sec = self.windows[place]
        recording = self.recordings[index]
        try:
            clip = read_window(recording, start_sec, self.preprocessor)
        except MediaError as error:
            warnings.warn(f"left out of validation: {error}", stacklevel=1)
            return None
        with single_threaded():
            features = self.preprocessor(clip)
        seconds = min(self.preprocessor.window_sec, recording.duration_sec - start_sec)
        return Item(features, self.objective.encode(recording.example.target), index, seconds) if features else None


class EpochSampler(Sampler[int]):
    """All places of a data set in a seeded order, another one each epoch, with the epoch told in the place.

    Args:
        size: of the data set.
        seed: of the orders.
    """

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this before each epoch, also after a resume."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[int]:
        order = item_generator(self.seed, self.epoch, self.size).permutation(self.size)
        return iter((self.epoch * self.size + order).tolist())


class AVDataModule(LightningDataModule):
    """Training and validation batches.

    Args:
        train: recordings to learn from.
        val: recordings to choose the best epoch by.
        preprocessor: the bundle's.
        augmentation: for training alone.
        objective: encodes the targets.
        batch_size: windows a step.
        workers: decoding processes; 0 decodes between the steps.
        seed: of order and augmentation.
    """

    def __init__(
        self,
        train: Sequence[Recording],
        val: Sequence[Recording],
        preprocessor: Preprocessor,
        augmentation: Augmentation,
        objective: Objective,
        batch_size: int,
        workers: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.train_windows = TrainingWindows(train, preprocessor, augmentation, objective, seed)
        self.val_windows = ValidationWindows(val, preprocessor, objective)
        self.window_steps = preprocessor.window_steps
        self.batch_size = batch_size
        self.workers = workers
        self.seed = seed

    def train_dataloader(self) -> DataLoader[Item | None]:
        sampler = EpochSampler(len(self.train_windows), self.seed)
        # A last batch of one would leave BatchNorm without a variance.
        full = len(self.train_windows) > self.batch_size
        return self._loader(self.train_windows, sampler=sampler, drop_last=full)

    def val_dataloader(self) -> DataLoader[Item | None]:
        return self._loader(self.val_windows)

    def _loader(
        self, windows: Dataset[Item | None], sampler: Sampler[int] | None = None, drop_last: bool = False
    ) -> DataLoader[Item | None]:
        return DataLoader(
            windows,
            batch_size=self.batch_size,
            sampler=sampler,
            drop_last=drop_last,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            prefetch_factor=2 if self.workers else None,
            collate_fn=self._collate,
        )

    def _collate(self, items: Sequence[Item | None]) -> Batch:
        readable = [item for item in items if item is not None]
        if not readable:
            raise RunStopped("a batch", "none of its files can be read", "see the warnings above")
        features, lengths = collate([item.features for item in readable], self.window_steps)
        return Batch(
            features,
            lengths,
            torch.stack([item.target for item in readable]),
            tuple(item.example for item in readable),
            tuple(item.seconds for item in readable),
        )
