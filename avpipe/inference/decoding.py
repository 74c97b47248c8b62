"""One decode of a file, as messages that can cross from a worker process to the network."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from avpipe.inference.prediction import Job
from avpipe.inference.speech import Stretch, is_silent, levels_db
from avpipe.inference.vad import TRACKS
from avpipe.media import BoxTrack, Clip, Coverage, MediaError, NoSuchStream, find_boxes, stream_clips
from avpipe.windowing import Arrays, Windowing, between_silence, cut_anew

if TYPE_CHECKING:
    from avpipe.report import Sketch, Thumbnail


BLANK_LEVELS = 16
"""Of 256, of which coding leaves some few in a plain picture."""


@dataclass(frozen=True, slots=True)
class Request:
    """What one bundle asks of every file."""

    windowing: Windowing
    made: Callable[[Arrays], Arrays]
    """Makes of a window's arrays what its network takes: features, or for a graph, which makes these, the arrays."""
    vad: str | None = None
    """Which of :data:`avpipe.inference.vad.TRACKS` finds speech in its windows; None: nobody asks."""
    quiet_sec: float = 0.0
    """Of silence that is put in front of a file's sound, and behind it."""
    sketched: bool = False
    """Whether a small picture of the file is made from its windows."""

    def views(self, clip: Clip, is_first: bool, is_last: bool) -> list[Arrays]:
        """What the network takes of a window, once a crop, with the silence before the first and behind the last."""
        clip = between_silence(clip, is_first * self.quiet_sec, is_last * self.quiet_sec)
        return [self.made(arrays) for arrays in self.windowing.views(clip)]


@dataclass(frozen=True, slots=True)
class Window:
    """What the network takes of one window of a file."""

    plan: int
    """Place of the preprocessor that made them."""
    start_sec: float
    end_sec: float
    arrays: Arrays
    silent: bool
    """Whether there is nothing to be heard in it; it then has no features of sound, unless it has no others."""
    quiet_sec: float = 0.0
    """Of silence that its features have in front of it; below 0: so much of its beginning they lack."""
    views: int = 1
    """How many messages, one after the other, show this stretch, each another crop of its pictures."""
    blank: bool = False
    """Whether it has pictures, and there is nothing to be seen in them."""
    frame_times_sec: np.ndarray | None = None
    """Presentation times of its frames, where each of them is judged."""


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
    notes: Mapping[int, str] = field(default_factory=dict)
    """What else is to be known before an answer is trusted, by the places of preprocessors."""
    thumbnail: "Thumbnail | None" = None
    """Where one was asked for, and there is something to see."""


@dataclass(frozen=True, slots=True)
class Failed:
    """There is nothing to judge."""

    reason: str
    status: str
    """``error``: it cannot be read; ``abstained``: it can, and has neither the sound nor the picture asked for."""


Message = Window | Finished | Failed


def decode(job: Job, requests: Sequence[Request]) -> Iterator[Message]:
    """Decode a file once for all bundles: a message for each window, then one that it is finished or failed."""
    if job.trouble:
        yield Failed(job.trouble, "error")
        return
    tracks = {place: TRACKS[request.vad]() for place, request in enumerate(requests) if request.vad is not None}
    plans = [request.windowing.plan for request in requests]
    sketch = _sketch(requests)
    try:
        boxes, notes = _boxes(job, requests), dict[int, str]()
        with stream_clips(job.path, plans, job.start_sec, job.end_sec) as clips:
            for plan, clip, is_last in _with_last(cut_anew(clips, [request.windowing for request in requests])):
                is_first = clip.start_sec == job.start_sec
                end_sec, silent = clip.start_sec + clip.coverage.asked_sec, is_silent(levels_db(clip))
                if plan in boxes and clip.picture_px and (note := boxes[plan].note(clip.picture_px)):
                    notes[plan] = note
                start_sec, whole = clip.start_sec, clip
                clip = requests[plan].windowing.cut(clip, boxes.get(plan))
                views = [_heard(each, silent) for each in requests[plan].views(clip, is_first, is_last) if each]
                if plan in tracks:
                    tracks[plan].add(clip)
                if sketch is not None and requests[plan].sketched and views:
                    _draw(sketch, whole, requests[plan].windowing)
                for arrays in views:
                    quiet_sec = is_first * requests[plan].quiet_sec + start_sec - clip.start_sec
                    times_sec = clip.frame_times_sec if requests[plan].windowing.counts_frames else None
                    blank, count = _is_blank(whole), len(views)
                    yield Window(plan, start_sec, end_sec, arrays, silent, quiet_sec, count, blank, times_sec)
            speech = {plan: track.stretches() for plan, track in tracks.items()}
            thumbnail = None if sketch is None else sketch.thumbnail()
            missing = {plan: error.reason for plan, error in clips.absent.items()}
            if job.end_sec is None:
                _add_notes_of_times(notes, boxes, job.start_sec + clips.coverage.asked_sec)
            yield Finished(clips.coverage, missing, speech, clips.sound_rate, notes, thumbnail)
    except NoSuchStream as error:
        yield Failed(_about(job, error), "abstained")
    except MediaError as error:
        yield Failed(_about(job, error), "error")


def _heard(features: Arrays, silent: bool) -> Arrays:
    """Without the sound of a window in which there is nothing to be heard, where there is something to be seen."""
    return {sense: value for sense, value in features.items() if sense != "audio" or not silent or len(features) == 1}


def _is_blank(clip: Clip) -> bool:
    """Whether all pixels of all pictures are about the same: black, or any other plain slate."""
    return clip.frames is not None and int(clip.frames.max()) - int(clip.frames.min()) < BLANK_LEVELS


def _about(job: Job, error: MediaError) -> str:
    """What is said of a file: of one that was fetched under the name by which it is known."""
    return str(error).replace(str(job.path), job.name) if job.url else str(error)


def _sketch(requests: Sequence[Request]) -> "Sketch | None":
    if not any(request.sketched for request in requests):
        return None
    from avpipe.report import Sketch  # which loads matplotlib, that a prediction alone does without

    return Sketch()


def _draw(sketch: "Sketch", clip: Clip, windowing: Windowing) -> None:
    if clip.frames is not None and clip.frame_times_sec is not None and len(clip.frames):
        sketch.add_frames(clip.frames, clip.frame_times_sec)
    if clip.waveform is not None and clip.sample_rate and windowing.format.audio:
        sketch.add_sound(clip.waveform[:, : round(windowing.hop_sec * clip.sample_rate)].mean(0), clip.sample_rate)


def _boxes(job: Job, requests: Sequence[Request]) -> dict[int, BoxTrack]:
    """Where in the pictures to look, by the places of the requests that ask."""
    found = {
        place: find_boxes(job.path, job.boxes)
        for place, request in enumerate(requests)
        if request.windowing.wants_boxes
    }
    return {place: track for place, track in found.items() if track is not None}


def _add_notes_of_times(notes: dict[int, str], boxes: Mapping[int, BoxTrack], end_sec: float) -> None:
    """Add what is to be told of the times of boxes of a film that ends there."""
    for plan, track in boxes.items():
        if note := track.note_of_times(end_sec):
            notes[plan] = "; ".join(filter(None, [notes.get(plan), note]))


def _with_last(clips: Iterable[tuple[int, Clip]]) -> Iterator[tuple[int, Clip, bool]]:
    """Each window with its plan, and whether it is the last of that plan."""
    held: dict[int, Clip] = {}
    for plan, clip in clips:
        if plan in held:
            yield plan, held[plan], False
        held[plan] = clip
    for plan, clip in held.items():
        yield plan, clip, True
