"""The cache of decoded recordings and of features: later epochs, and later runs, open no media file."""

import hashlib
import json
import sqlite3
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

import avpipe
from avpipe.config import Spec, instantiate
from avpipe.errors import ArgumentError, printable
from avpipe.features import TIME_AXIS, Preprocessor, collate
from avpipe.files import cache_folder
from avpipe.media import Clip, Coverage, MediaError, WindowPlan, boxes_file, stream_clips
from avpipe.progress import counted
from avpipe.training import recordings
from avpipe.training.recordings import Reader, Recording, Window
from avpipe.training.store import EntryWriter, Index, Store

KINDS = ("none", "decoded", "features")

_MOST_OPEN = 10_000
"""Entries a process keeps open; a system allows some 65 000 memory maps."""

_PIECE_SEC = 60.0
"""A recording is decoded in pieces of about this length."""


class Cache:
    """What is kept between epochs and runs.

    Args:
        kind: ``none``; ``decoded``: whole recordings at the rate and size that the features are made from, so that
            clips can still be augmented; ``features``: of the windows that prediction cuts, of which one is drawn an
            epoch. The windows of validation are kept as features in both cases.
        path: folder; None: the user's cache folder.
        max_gb: bound of all entries together, in units of 10^9 bytes.
    """

    def __init__(self, kind: str, path: str | None, max_gb: float) -> None:
        if kind not in KINDS:
            raise ArgumentError(f"cache.kind={kind}", "no such cache", f"choose from: {', '.join(KINDS)}")
        if max_gb < 0:
            raise ArgumentError(f"cache.max_gb={max_gb}", "must not be negative")
        self.kind = kind
        self.folder = Path(path) if path else cache_folder() / "training"
        self.max_bytes = int(max_gb * 1e9)

    def readers(
        self, train: Sequence[Recording], val: Sequence[Recording], spec: Spec, workers: int
    ) -> tuple[Reader, Reader]:
        """Readers for training and for validation, once everything that they will be asked for is in the cache.

        Args:
            train: what training will read.
            val: what validation will read.
            spec: of the preprocessor.
            workers: processes that decode.

        What cannot be kept - the disk is full or read-only, the bound is reached - is told in one line and is read
        from its file each time.
        """
        preprocessor: Preprocessor = instantiate(spec)
        if self.kind == "none":
            return Reader(preprocessor), Reader(preprocessor)
        store = Store(self.folder)
        settings = {"decoded": asdict(preprocessor.clip_format), "cut": preprocessor.cut_settings}
        decoded = DecodedReader(preprocessor, store, settings)
        val_reader = FeatureReader(preprocessor, store, {"features": spec})
        train_reader = decoded if self.kind == "decoded" else val_reader
        try:
            with Index(store, self.max_bytes) as index:
                _fill(index, [(train_reader, each) for each in train] + [(val_reader, each) for each in val], workers)
        except (OSError, sqlite3.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            _warn(f"{self.folder}: {reason}; going on, and decoding every epoch what is not in the cache")
        return train_reader, val_reader


class CachedReader(Reader, ABC):
    """Reads what the store has from there, and what it lacks from the file.

    Args:
        preprocessor: the bundle's.
        store: of the entries.
        settings: all besides the recording that determines an entry, as plain data.
    """

    def __init__(self, preprocessor: Preprocessor, store: Store, settings: Mapping[str, Any]) -> None:
        super().__init__(preprocessor)
        self.store = store
        self.settings = _digest(settings)
        self.keys: dict[Recording, str] = {}
        self.opened: dict[str, Mapping[str, np.ndarray]] = {}

    def enter(self, recording: Recording, *sha256: str) -> str:
        """Learn the content of a recording, and of its target if that is one; returns the key of its entry."""
        example = recording.example
        parts = [self.settings, *sha256, repr(example.start_sec), repr(example.end_sec)]
        self.keys[recording] = key = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        return key

    def holds(self, recording: Recording) -> bool:
        """Whether the store has the entry of a recording."""
        return recording in self.keys and self.store.path(self.keys[recording]).is_dir()

    def fill(self, recording: Recording) -> int:
        """Write the entry of a recording; returns its bytes.

        Raises:
            MediaError: if it cannot be read.
            OSError: if it cannot be written.
        """
        with self.store.writer(self.keys[recording]) as entry:
            self.write(recording, entry)
            return entry.bytes

    @abstractmethod
    def write(self, recording: Recording, entry: EntryWriter) -> None:
        """Read a recording into its entry."""

    def entry(self, recording: Recording) -> Mapping[str, np.ndarray] | None:
        """The arrays of a recording's entry, which stay open: opening one takes as long as drawing from it."""
        key = self.keys.get(recording)
        if key is None:
            return None
        if key not in self.opened:
            found = self.store.read(key)
            if found is None or len(self.opened) >= _MOST_OPEN:
                return found
            self.opened[key] = found
        return self.opened[key]


class DecodedReader(CachedReader):
    """Keeps whole recordings, decoded."""

    def write(self, recording: Recording, entry: EntryWriter) -> None:
        example, wanted, boxes = recording.example, self.preprocessor.clip_format, self.boxes(recording.example)
        stride_sec = wanted.stride_sec or _PIECE_SEC
        piece_sec = round(_PIECE_SEC / stride_sec) * stride_sec
        with stream_clips(
            example.path, [WindowPlan(piece_sec, piece_sec, wanted)], example.start_sec, example.end_sec
        ) as clips:
            for _, decoded in clips:
                clip = self.preprocessor.windowing.cut(decoded, boxes)
                if clip.waveform is not None:
                    entry.append("waveform", clip.waveform.T)
                if clip.frames is not None and clip.frame_times_sec is not None:
                    entry.append("frames", clip.frames)
                    entry.append("frame_times_sec", clip.frame_times_sec)

    def clip(self, recording: Recording, offset_sec: float) -> Clip:
        entry = self.entry(recording)
        if not entry:
            return super().clip(recording, offset_sec)
        wanted = self.preprocessor.clip_format
        seconds = min(self.preprocessor.window_sec, recording.duration_sec - offset_sec)
        waveform = frames = times = None
        if "waveform" in entry and wanted.sample_rate:
            start, end = (round(sec * wanted.sample_rate) for sec in (offset_sec, offset_sec + seconds))
            waveform = np.array(entry["waveform"][start:end].T, order="C")
        if "frames" in entry and wanted.stride_sec:
            places = self._places(recording, entry["frame_times_sec"], offset_sec, seconds, wanted.stride_sec)
            frames, times = (entry[name][places] for name in ("frames", "frame_times_sec"))
        clip = Clip(
            recording.example.path,
            recording.example.start_sec + offset_sec,
            waveform if waveform is not None and waveform.size else None,
            wanted.sample_rate,
            frames if frames is not None and len(frames) else None,
            times if times is not None and len(times) else None,
            Coverage(asked_sec=seconds, decoded_sec=seconds),
        )
        return self.with_target(clip, recording.example)

    @staticmethod
    def _places(
        recording: Recording, times_sec: np.ndarray, offset_sec: float, seconds: float, stride_sec: float
    ) -> np.ndarray:
        """Places of the frames on show at the window's times, moved to the nearest times that were decoded."""
        first = round(offset_sec / stride_sec) * stride_sec + recording.example.start_sec
        targets = first + stride_sec * np.arange(max(1, round(seconds / stride_sec)))
        places = np.searchsorted(times_sec, targets + 0.01 * stride_sec, side="right") - 1
        seen = (targets >= times_sec[0] - stride_sec) & (targets < times_sec[-1] + stride_sec)
        return np.maximum(places[seen], 0)


class FeatureReader(CachedReader):
    """Keeps the features of the windows that prediction cuts."""

    def write(self, recording: Recording, entry: EntryWriter) -> None:
        rows = dict.fromkeys(TIME_AXIS, 0)
        for features, seconds in super().windows(recording):
            batch, lengths = collate([features], self.preprocessor.window_steps)
            for sense in self.preprocessor.senses:
                # The row of the window, as a window may lack a sense: a picture that ends before the sound.
                entry.append(f"{sense}.row", np.array([rows[sense] if sense in batch else -1]))
                if sense in batch:
                    entry.append(sense, batch[sense].numpy())
                    entry.append(f"{sense}.length", lengths[sense].numpy())
                    rows[sense] += 1
            entry.append("seconds", np.array([seconds]))

    def window(self, recording: Recording, draw: float) -> Window:
        entry = self.entry(recording)
        if not entry:
            return super().window(recording, draw)
        return self._window(entry, int(draw * len(entry["seconds"])))

    def windows(self, recording: Recording) -> Iterator[Window]:
        entry = self.entry(recording)
        if not entry:
            yield from super().windows(recording)
            return
        for place in range(len(entry["seconds"])):
            yield self._window(entry, place)

    def _window(self, entry: Mapping[str, np.ndarray], place: int) -> Window:
        features = {}
        for sense in self.preprocessor.senses:
            row = int(entry[f"{sense}.row"][place])
            if row >= 0:
                # Not copied before it is put into a batch; what a transform is given it leaves as it was.
                padded = torch.from_numpy(np.require(entry[sense][row], requirements="W"))
                features[sense] = padded.narrow(TIME_AXIS[sense], 0, int(entry[f"{sense}.length"][row]))
        return features, float(entry["seconds"][place])


Task = tuple[CachedReader, Recording]


class _Missing(Dataset[tuple[int, str]]):
    """Writing an entry, as an item that worker processes can be asked for: its bytes, or what prevents it."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks = tasks

    def __len__(self) -> int:
        return len(self.tasks)

    def __getitem__(self, place: int) -> tuple[int, str]:
        reader, recording = self.tasks[place]
        try:
            return reader.fill(recording), ""
        except MediaError:
            return 0, ""  # training tells of it, when it comes to this recording
        except OSError as error:
            return 0, str(error.strerror)


def _fill(index: Index, tasks: Sequence[Task], workers: int) -> None:
    """Write what is missing, each once."""
    missing: dict[str, Task] = {}
    for reader, recording in tasks:
        example = recording.example
        others = (example.target, example.annotation or boxes_file(example.path))
        files = [example.path, *(path for path in others if isinstance(path, Path))]
        key = reader.enter(recording, *map(index.content, files))
        if not index.has(key):
            missing.setdefault(key, (reader, recording))
    loader = DataLoader(_Missing(list(missing.values())), batch_size=None, num_workers=workers if missing else 0)
    outcomes = counted(loader, len(missing), "recordings into the cache")
    for written, (key, (num_bytes, obstacle)) in enumerate(zip(missing, outcomes, strict=True)):
        if obstacle:
            raise OSError(0, obstacle)
        if num_bytes and not index.add(key, num_bytes):
            limit = f"{index.max_bytes / 1e9:g} GB of cache.max_gb"
            _warn(f"{limit} hold {written} of {len(missing)} recordings; the others are decoded every epoch")
            return


@cache
def _warn(line: str) -> None:
    """Tell a line; once, as every fold finds the same disk full."""
    print(f"warning: cache: {printable(line)}", file=sys.stderr)


def _digest(settings: Mapping[str, Any]) -> str:
    """Of settings, and of all code that stands between a file and its features."""
    return hashlib.sha256(json.dumps([settings, _code_digest()], sort_keys=True).encode()).hexdigest()


@cache
def _code_digest() -> str:
    package = Path(avpipe.__file__).parent
    read = [path for folder in ("features", "media") for path in sorted((package / folder).glob("*.py"))]
    sources = [Path(__file__), Path(recordings.__file__), *read]
    libraries = [version(name) for name in ("av", "soundfile", "soxr", "numpy", "torch")]
    return hashlib.sha256(b"\n".join([str(libraries).encode(), *(path.read_bytes() for path in sources)])).hexdigest()
