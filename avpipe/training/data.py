"""Batches for training and validation, made by the bundle's own preprocessor."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler, get_worker_info

from avpipe.augment import Augmentation, item_generator, random_start
from avpipe.corpora import Example
from avpipe.errors import RunStopped
from avpipe.features import Features, Preprocessor, collate, single_threaded
from avpipe.media import Clip, MediaError, probe, read_clip, stream_clips
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
            end_sec = example.end_sec if example.end_sec is not None else _end_sec(example.path)
            recordings.append(Recording(example, end_sec - example.start_sec))
        except MediaError as error:
            lines.append(str(error))
    return recordings, lines


def _end_sec(path: Path) -> float:
    """Where a file ends on its own timeline; one whose header does not tell is decoded."""
    told = probe(path).end_sec
    if told is not None:
        return told
    found = probe(path, decode=True).coverage
    return found.asked_sec if found else 0.0


def read_window(recording: Recording, offset_sec: float, preprocessor: Preprocessor) -> Clip:
    """The clip of one window, ``offset_sec`` after the recording's start."""
    seconds = min(preprocessor.window_sec, recording.duration_sec - offset_sec)
    start_sec = recording.example.start_sec + offset_sec
    return read_clip(recording.example.path, start_sec, seconds, **asdict(preprocessor.clip_format))


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


class ValidationWindows(IterableDataset[Item]):
    """Every window of every recording, cut as prediction cuts them; worker processes share the recordings out.

    Args:
        recordings: to cut.
        preprocessor: from clip to features.
        objective: encodes the targets.
    """

    def __init__(self, recordings: Sequence[Recording], preprocessor: Preprocessor, objective: Objective) -> None:
        self.recordings = recordings
        self.preprocessor = preprocessor
        self.objective = objective

    def __iter__(self) -> Iterator[Item]:
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        for index in range(first, len(self.recordings), step):
            try:
                yield from self._windows(index)
            except MediaError as error:
                warnings.warn(f"left out of validation: {error}", stacklevel=1)

    def _windows(self, index: int) -> Iterator[Item]:
        example = self.recordings[index].example
        target = self.objective.encode(example.target)
        with stream_clips(example.path, [self.preprocessor.plan], example.start_sec, example.end_sec) as clips:
            for _, clip in clips:
                with single_threaded():
                    features = self.preprocessor(clip)
                if features:
                    yield Item(features, target, index, clip.coverage.asked_sec)


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
