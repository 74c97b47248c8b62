"""One decode of a file, as messages that can cross from a worker process to the network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from avpipe.features import Features, Preprocessor, single_threaded
from avpipe.inference.prediction import Job
from avpipe.inference.speech import levels_db
from avpipe.media import Coverage, MediaError, NoSuchStream, stream_clips


@dataclass(frozen=True, slots=True)
class Window:
    """The features of one window of a file."""

    plan: int
    """Place of the preprocessor that made them."""
    start_sec: float
    end_sec: float
    arrays: dict[str, np.ndarray]
    levels_db: np.ndarray
    """Of its sound, as :func:`avpipe.inference.speech.levels_db` has them."""

    @property
    def features(self) -> Features:
        return {sense: torch.from_numpy(array) for sense, array in self.arrays.items()}


@dataclass(frozen=True, slots=True)
class Finished:
    """All windows were sent."""

    coverage: Coverage
    missing: dict[int, str]
    """Why a preprocessor has no window, by its place."""


@dataclass(frozen=True, slots=True)
class Failed:
    """There is nothing to judge."""

    reason: str
    status: str
    """``error``: it cannot be read; ``abstained``: it can, and has neither the sound nor the picture asked for."""


Message = Window | Finished | Failed


def decode(job: Job, preprocessors: Sequence[Preprocessor]) -> Iterator[Message]:
    """Decode a file once for all preprocessors: a message for each window, then one that it is finished or failed."""
    plans = [preprocessor.plan for preprocessor in preprocessors]
    try:
        with stream_clips(job.path, plans, job.start_sec, job.end_sec) as clips:
            for plan, clip in clips:
                with single_threaded():
                    features = preprocessors[plan](clip)
                if features:
                    end_sec = clip.start_sec + clip.coverage.asked_sec
                    arrays = {sense: value.numpy() for sense, value in features.items()}
                    yield Window(plan, clip.start_sec, end_sec, arrays, levels_db(clip))
            yield Finished(clips.coverage, {plan: error.reason for plan, error in clips.absent.items()})
    except NoSuchStream as error:
        yield Failed(str(error), "abstained")
    except MediaError as error:
        yield Failed(str(error), "error")
