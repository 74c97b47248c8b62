"""Frames of lips, shown twice, left out and hidden: seeded, and the clip that was given stays as it was."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from avpipe.augment import FrameJitter, FrameMask, item_generator
from avpipe.media import Clip, Coverage
from tests.synthetic import coloured_frames, frame_numbers

CLIP = Clip(Path("x"), 0.0, None, None, np.stack(coloured_frames(400, 4, 4)), np.arange(400) / 25, Coverage())


def test_frames_are_shown_twice_or_left_out_as_often_as_was_said():
    jittered = FrameJitter(0.1)(CLIP, item_generator(0, 0, 0))
    numbers = frame_numbers(jittered.frames)
    assert numbers == sorted(numbers)
    np.testing.assert_allclose(jittered.frame_times_sec, np.array(numbers) / 25)
    twice, left_out = len(numbers) - len(set(numbers)), 400 - len(set(numbers))
    assert 20 < twice < 60
    assert 20 < left_out < 60
    assert frame_numbers(CLIP.frames) == list(range(400))


def test_what_is_drawn_hangs_on_the_generator_alone():
    one, same, other = (FrameJitter(0.1)(CLIP, item_generator(0, 0, index)).frames for index in (0, 0, 1))
    assert np.array_equal(one, same)
    assert one.shape != other.shape or not np.array_equal(one, other)
    states = []
    for clip in (CLIP, replace(CLIP, frames=CLIP.frames[:3])):  # a longer clip draws no more from what follows
        generator = item_generator(0, 0, 0)
        FrameJitter(0.1)(clip, generator)
        states.append(generator.random())
    assert states[0] == states[1]


def test_a_clip_never_loses_all_of_its_frames():
    single = replace(CLIP, frames=CLIP.frames[:1], frame_times_sec=CLIP.frame_times_sec[:1])
    for index in range(50):
        assert len(FrameJitter(0.5)(single, item_generator(0, 0, index)).frames) >= 1
    bare = replace(CLIP, frames=None, frame_times_sec=None)
    assert FrameJitter(0.1)(bare, item_generator(0, 0, 0)) == bare
    with pytest.raises(ValueError, match="probability"):
        FrameJitter(0.6)


def test_stretches_are_hidden_and_no_more_than_was_said():
    video = torch.ones(1, 100, 4, 4)
    hidden = []
    for index in range(40):
        masked = FrameMask(2, 5)({"video": video}, item_generator(0, 0, index))["video"]
        hidden.append(int((masked == 0.0).all((0, 2, 3)).sum()))
        assert set(masked.unique().tolist()) <= {0.0, 1.0}
    assert 0 < np.mean(hidden) < 10
    assert max(hidden) <= 10
    assert video.min() == 1.0
    assert FrameMask(2, 50)({"video": torch.ones(1, 1, 2, 2)}, item_generator(0, 0, 0))["video"].shape == (1, 1, 2, 2)
    assert FrameMask(1, 5)({}, item_generator(0, 0, 0)) == {}
