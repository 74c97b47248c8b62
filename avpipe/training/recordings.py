"""Recordings to learn from, and how their clips and windows are read from their files."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from avpipe.corpora import Example, frame_labels, read_transitions
from avpipe.features import Features, Preprocessor
from avpipe.media import BoxTrack, Clip, MediaError, find_boxes, probe, read_clip, stream_clips
from avpipe.threads import single_threaded
from avpipe.windowing import cut_anew

Window = tuple[Features, float]
"""The features of one window, and its true length in seconds."""


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


class Reader:
    """Reads recordings from their files.

    Where the target of an example is a recording too - the clean one of a noisy one - it is the clip's last channel.

    Args:
        preprocessor: the bundle's.
    """

    def __init__(self, preprocessor: Preprocessor) -> None:
        self.preprocessor = preprocessor

    def clip(self, recording: Recording, offset_sec: float) -> Clip:
        """One window's clip, which begins ``offset_sec`` after the recording's start.

        Raises:
            MediaError: if it cannot be read.
        """
        seconds = min(self.preprocessor.window_sec, recording.duration_sec - offset_sec)
        start_sec = recording.example.start_sec + offset_sec
        clip = read_clip(recording.example.path, start_sec, seconds, **asdict(self.preprocessor.clip_format))
        return self.with_target(self.preprocessor.windowing.cut(clip, self.boxes(recording.example)), recording.example)

    def boxes(self, example: Example) -> BoxTrack | None:
        """Where in the example's pictures to look, where that is known and asked for.

        Raises:
            MediaError: if the boxes cannot be read.
        """
        return find_boxes(example.path, example.annotation) if self.preprocessor.windowing.wants_boxes else None

    def window(self, recording: Recording, draw: float) -> Window:
        """The window at ``draw`` in [0, 1) of those that :meth:`windows` gives."""
        plan = self.preprocessor.windowing.plan
        count = 1 + max(0, math.ceil((recording.duration_sec - plan.window_sec) / plan.hop_sec - 1e-6))
        clip = self.clip(recording, int(draw * count) * plan.hop_sec)
        with single_threaded():
            return self.preprocessor(clip), clip.coverage.asked_sec

    def windows(self, recording: Recording) -> Iterator[Window]:
        """Every window that holds anything, as prediction cuts them.

        Raises:
            MediaError: if they cannot be read.
        """
        example, boxes = recording.example, self.boxes(recording.example)
        with stream_clips(
            example.path, [self.preprocessor.windowing.plan], example.start_sec, example.end_sec
        ) as clips:
            for _, clip in cut_anew(clips, [self.preprocessor.windowing]):
                with single_threaded():
                    features = self.preprocessor(
                        self.with_target(self.preprocessor.windowing.cut(clip, boxes), example)
                    )
                if features:
                    yield features, clip.coverage.asked_sec

    def with_target(self, clip: Clip, example: Example) -> Clip:
        """The clip with what is to be learned of it: the sound of the example's target behind its own, where that is a
        recording; labels of its frames, where the example has a list of transitions; else as it is.

        Raises:
            MediaError: if the target cannot be read.
        """
        if (
            self.preprocessor.windowing.counts_frames
            and example.annotation is not None
            and clip.frame_times_sec is not None
        ):
            return replace(clip, frame_labels=frame_labels(read_transitions(example.annotation), clip.frame_times_sec))
        if clip.waveform is None or not isinstance(example.target, Path):
            return clip
        target = clip.waveform
        if example.target != example.path:
            seconds = clip.waveform.shape[1] / (clip.sample_rate or 1)
            wanted = self.preprocessor.clip_format
            read = read_clip(example.target, clip.start_sec, seconds, sample_rate=wanted.sample_rate, mono=wanted.mono)
            target = np.zeros_like(clip.waveform)
            if read.waveform is not None:
                samples = min(read.waveform.shape[1], target.shape[1])
                target[:, :samples] = read.waveform[:, :samples]
        return replace(clip, waveform=np.concatenate([clip.waveform, target]))
