"""Windows of a fixed number of frames, whatever time they last."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from avpipe.media import Clip


class FrameWindows:
    """Cuts the frames of one film anew, so that two windows share twice the context.

    Window k begins at frame k * (window_frames - 2 * context_frames). A film that is no longer than a window is one
    window; the last one may be short. Each lasts from its first frame to the one behind its last, or to the film's end:
    of one that breaks off, to the end of the last frame that is there.

    Args:
        window_frames: of a window.
        context_frames: at either end of it that its neighbour answers for.
    """

    def __init__(self, window_frames: int, context_frames: int) -> None:
        self.window_frames = window_frames
        self.hop_frames = window_frames - 2 * context_frames
        self._held: Clip | None = None
        self._is_first = True
        self._end_sec = 0.0

    def add(self, clip: Clip) -> Iterator[Clip]:
        """The windows that are full with the frames of another clip.

        Args:
            clip: of every frame, that follows the one before without overlap; one without a frame is passed over.
        """
        self._end_sec = max(self._end_sec, _seen_until_sec(clip))
        if clip.frames is None or clip.frame_times_sec is None:
            return
        held = clip if self._held is None else _joined(self._held, clip)
        # Only when there is more: else it is the last window, and the film's end is not known yet.
        while len(_frames(held)) > self.window_frames:
            yield self._window(held, float(_times(held)[self.window_frames]))
            held = _part(held, self.hop_frames, len(_frames(held)))
        self._held = held

    def rest(self) -> Iterator[Clip]:
        """The last window, when the film has ended; none of a film without frames."""
        if self._held is not None:
            yield self._window(self._held, self._end_sec)

    def _window(self, held: Clip, end_sec: float) -> Clip:
        window = _part(held, 0, self.window_frames)
        # The first window begins where the film does, which may be a little before its first frame.
        start_sec = held.start_sec if self._is_first else float(_times(window)[0])
        self._is_first = False
        asked_sec = max(end_sec, float(_times(window)[-1])) - start_sec
        coverage = replace(held.coverage, asked_sec=asked_sec, decoded_sec=asked_sec)
        return replace(window, start_sec=start_sec, coverage=coverage)


def _seen_until_sec(clip: Clip) -> float:
    """Where a clip ends, or what could be decoded of it; 0 where that is nothing."""
    end_sec = clip.start_sec + clip.coverage.asked_sec
    gap = clip.coverage.gaps[-1] if clip.coverage.gaps else (end_sec, end_sec)
    if gap[1] < end_sec - 1e-6:
        return end_sec
    return gap[0] if gap[0] > clip.start_sec else 0.0


def _frames(clip: Clip) -> np.ndarray:
    assert clip.frames is not None  # what has none is never held
    return clip.frames


def _times(clip: Clip) -> np.ndarray:
    assert clip.frame_times_sec is not None
    return clip.frame_times_sec


def _joined(first: Clip, second: Clip) -> Clip:
    frames, times = (np.concatenate([part(first), part(second)]) for part in (_frames, _times))
    return replace(first, frames=frames, frame_times_sec=times)


def _part(clip: Clip, first: int, end: int) -> Clip:
    return replace(clip, frames=_frames(clip)[first:end], frame_times_sec=_times(clip)[first:end])
