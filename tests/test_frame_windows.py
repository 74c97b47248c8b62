"""Windows of so many frames, from clips of so many seconds."""

from pathlib import Path

import numpy as np
import pytest
import torch

from avpipe.features import EveryFrame, FrameStack, Preprocessor
from avpipe.media import Clip, Coverage
from avpipe.windowing import FrameWindows, cut_anew


def clips_of(length, per_clip=7, step_sec=0.04):
    """A film of so many frames in clips of some; each frame holds its number."""
    frames = np.arange(length, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 3, 3), np.uint8)
    times = np.arange(length) * step_sec + 0.01
    for first in range(0, length, per_clip):
        part = slice(first, first + per_clip)
        start, seconds = first * step_sec, len(frames[part]) * step_sec
        yield Clip(Path("film"), start, None, None, frames[part], times[part], Coverage(asked_sec=seconds))


@pytest.mark.parametrize("length", [1, 9, 10, 11, 16, 17, 40])
def test_windows_overlap_by_twice_the_context_and_hold_every_frame(length):
    windows = list(_cut(clips_of(length)))
    starts = [int(window.frames[0, 0, 0, 0]) for window in windows]
    assert starts == list(range(0, max(1, length - 4), 6))[: len(starts)]
    assert all(len(window.frames) == 10 for window in windows[:-1])
    seen = {int(value) for window in windows for value in window.frames[:, 0, 0, 0]}
    assert seen == set(range(length))
    for window in windows:
        assert np.allclose(window.frame_times_sec, window.frames[:, 0, 0, 0] * 0.04 + 0.01)


def _cut(clips):
    cutter = FrameWindows(10, 2)
    for clip in clips:
        yield from cutter.add(clip)
    yield from cutter.rest()


def test_a_window_ends_where_the_frame_behind_it_begins_and_the_last_with_the_film():
    first, second = _cut(clips_of(12))
    assert (first.start_sec, first.start_sec + first.coverage.asked_sec) == (0.0, pytest.approx(0.41))
    assert second.start_sec == pytest.approx(6 * 0.04 + 0.01)
    assert second.start_sec + second.coverage.asked_sec == pytest.approx(12 * 0.04)


def test_clips_without_a_frame_are_passed_over_and_a_film_without_any_has_no_window():
    empty = Clip(Path("film"), 0.0, None, None, None, None, Coverage(asked_sec=1.0))
    assert list(_cut([empty])) == []
    (window,) = _cut([*clips_of(5), empty])
    assert len(window.frames) == 5


def test_only_what_counts_frames_is_cut_anew():
    every = Preprocessor(1.0, 1.0, video=EveryFrame(2, 3, 10, 2))
    stack = Preprocessor(1.0, 1.0, video=FrameStack(4, 2, 0.1))
    clips = [(place, clip) for clip in clips_of(12) for place in (0, 1)]
    windows = list(cut_anew(clips, [stack.windowing, every.windowing]))
    assert [len(clip.frames) for place, clip in windows if place == 0] == [7, 5]
    assert [len(clip.frames) for place, clip in windows if place == 1] == [10, 6]


def test_every_frame_is_between_minus_one_and_one_and_comes_back_as_a_picture():
    video = EveryFrame(2, 3, 10, 2)
    frames = torch.arange(0, 256, 15)[:18].reshape(1, 2, 3, 3).byte()
    features = video(frames)
    assert features.shape == (3, 1, 2, 3)
    assert features.abs().max() <= 1.0
    assert torch.equal(video.pictures(features), frames)


def test_labels_of_frames_ride_along():
    preprocessor = Preprocessor(1.0, 1.0, video=EveryFrame(2, 3, 10, 2))
    (clip,) = clips_of(5)
    labels = np.eye(2, 5, dtype=np.float32)
    features = preprocessor(Clip(**{name: getattr(clip, name) for name in Clip.__slots__} | {"frame_labels": labels}))
    assert torch.equal(features["frame_labels"], torch.from_numpy(labels))
    assert preprocessor.senses == ("video",)
    assert preprocessor.window_steps == {"video": 10, "frame_labels": 10}


def test_a_window_that_is_all_context_is_refused():
    with pytest.raises(ValueError, match="context_frames=5"):
        EveryFrame(2, 3, 10, 5)
    with pytest.raises(ValueError, match="every frame"):
        Preprocessor(2.0, 1.0, video=EveryFrame(2, 3, 10, 2))
