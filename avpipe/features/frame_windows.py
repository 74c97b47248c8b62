"""Windows of a fixed number of frames, whatever time they last."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from avpipe.media import Clip


def frame_windows(clips: Iterable[Clip], window_frames: int, context_frames: int) -> Iterator[Clip]:
    """Cut the frames of a film anew, so that two windows share twice the context.

    Window k begins at frame k * (window_frames - 2 * context_frames). A film that is no longer than a window is one
    window; the last one may be short. Each lasts from its first frame to the one behind its last, or to the film's end.

    Args:
        clips: of every frame, in order and without overlap; those without a frame are passed over.
        window_frames: of a window.
        context_frames: at either end of it that its neighbour answers for.
    """
    hop = window_frames - 2 * context_frames
    held: Clip | None = None
    end_sec, is_first = 0.0, True
    for clip in clips:
        end_sec = clip.start_sec + clip.coverage.asked_sec
        if clip.frames is None or clip.frame_times_sec is None:
            continue
        held = clip if held is None else _joined(held, clip)
        while len(_times(held)) > window_frames:
            yield _part(held, window_frames, float(_times(held)[window_frames]), is_first)
            held, is_first = _rest(held, hop), False
    if held is not None:
        yield _part(held, window_frames, end_sec, is_first)


def _times(clip: Clip) -> np.ndarray:
    assert clip.frame_times_sec is not None  # a clip without frames is never held
    return clip.frame_times_sec


def _joined(first: Clip, second: Clip) -> Clip:
    assert first.frames is not None and second.frames is not None
    frames = np.concatenate([first.frames, second.frames])
    return replace(first, frames=frames, frame_times_sec=np.concatenate([_times(first), _times(second)]))


def _rest(clip: Clip, first: int) -> Clip:
    assert clip.frames is not None
    return replace(clip, frames=clip.frames[first:], frame_times_sec=_times(clip)[first:])


def _part(clip: Clip, number: int, end_sec: float, is_first: bool) -> Clip:
    """The first frames of what is held; a film's first window begins where the film does."""
    assert clip.frames is not None
    times = _times(clip)[:number]
    start_sec = clip.start_sec if is_first else float(times[0])
    asked_sec = max(end_sec, float(times[-1])) - start_sec
    coverage = replace(clip.coverage, asked_sec=asked_sec, decoded_sec=asked_sec)
    return replace(
        clip, start_sec=start_sec, frames=clip.frames[:number], frame_times_sec=times, coverage=coverage
    )
