"""One decode of a file, as messages that can cross from a worker process to the network."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from avpipe.features import Features, Preprocessor, single_threaded
from avpipe.inference.prediction import Job
from avpipe.inference.speech import Stretch, is_silent, levels_db
from avpipe.inference.vad import TRACKS
from avpipe.media import Coverage, MediaError, NoSuchStream, stream_clips


@dataclass(frozen=True, slots=True)
class Window:
    """The features of one window of a file."""

    plan: int
    """Place of the preprocessor that made them."""
    start_sec: float
    end_sec: float
    arrays: dict[str, np.ndarray]
    silent: bool
    """Whether there is nothing to be heard in it."""
    views: int = 1
    """How many messages, one after the other, show this stretch, each another crop of its pictures."""

    @property
    def features(self) -> Features:
        return {sense: torch.from_numpy(array) for sense, array in self.arrays.items()}


@dataclass(frozen=True, slots=True)
class Finished:
    """All windows were sent."""

    coverage: Coverage
    missing: dict[int, str]
    """Why a preprocessor has no window, by its place."""
    speech: Mapping[int, tuple[Stretch, ...]] = field(default_factory=dict)
    """Where somebody speaks, by the places of those preprocessors for which that was asked."""
    sound_rate: int | None = None
    """Hz of the file's own sound."""


@dataclass(frozen=True, slots=True)
class Failed:
    """There is nothing to judge."""

    reason: str
    status: str
    """``error``: it cannot be read; ``abstained``: it can, and has neither the sound nor the picture asked for."""


Message = Window | Finished | Failed


def decode(job: Job, preprocessors: Sequence[Preprocessor], vads: Sequence[str | None] = ()) -> Iterator[Message]:
    """Decode a file once for all preprocessors: a message for each window, then one that it is finished or failed.

    Args:
        job: the file.
        preprocessors: one a bundle.
        vads: for each, which of :data:`avpipe.inference.vad.TRACKS` finds speech in its windows; None or left
            out: nobody asks.
    """
    tracks = {place: TRACKS[vad]() for place, vad in enumerate(vads) if vad is not None}
    plans = [preprocessor.plan for preprocessor in preprocessors]
    try:
        with stream_clips(job.path, plans, job.start_sec, job.end_sec) as clips:
            for plan, clip in clips:
                with single_threaded():
                    views = [features for features in preprocessors[plan].views(clip) if features]
                    if plan in tracks:
                        tracks[plan].add(clip)
                end_sec, silent = clip.start_sec + clip.coverage.asked_sec, is_silent(levels_db(clip))
                for features in views:
                    arrays = {sense: value.numpy() for sense, value in features.items()}
                    yield Window(plan, clip.start_sec, end_sec, arrays, silent, len(views))
            with single_threaded():
                speech = {plan: track.stretches() for plan, track in tracks.items()}
            missing = {plan: error.reason for plan, error in clips.absent.items()}
            yield Finished(clips.coverage, missing, speech, clips.sound_rate)
    except NoSuchStream as error:
        yield Failed(str(error), "abstained")
    except MediaError as error:
        yield Failed(str(error), "error")
