"""Pictures: one draw for all frames of a clip."""

import numpy as np
import pytest
import torch

from avpipe.augment import (
    ColourJitter,
    HorizontalFlip,
    RandomCrop,
    RandomErasing,
    RandomResizedCrop,
    TemporalJitter,
    item_generator,
)
from tests.clips import clip_of, generator_of
from tests.synthetic import coloured_frames, frame_numbers


def random_frames(count=4, height=24, width=32, low=0, high=256):
    return np.random.default_rng(1).integers(low, high, (count, height, width, 3)).astype(np.uint8)


def test_a_crop_is_one_place_for_all_frames():
    frames = np.zeros((3, 6, 8, 3), np.uint8)
    frames[..., 0], frames[..., 1] = np.mgrid[:6, :8]
    seen = set()
    for index in range(300):
        cropped = RandomCrop(4)(clip_of(frames=frames), item_generator(0, 0, index)).frames
        assert cropped.shape == (3, 4, 4, 3)
        assert (cropped == cropped[:1]).all()
        seen.add(tuple(cropped[0, 0, 0, :2].tolist()))
    assert seen == {(top, left) for top in range(3) for left in range(5)}


def test_a_flip_turns_all_frames_or_none():
    frames = np.arange(2 * 1 * 3 * 3, dtype=np.uint8).reshape(2, 1, 3, 3)
    outcomes = {
        HorizontalFlip()(clip_of(frames=frames), item_generator(0, 0, index)).frames.tobytes() for index in range(50)
    }
    assert outcomes == {frames.tobytes(), frames[:, :, ::-1].tobytes()}


def test_a_resized_crop_shows_a_square_of_a_size_within_the_range():
    """A ramp in both directions tells by its first and last values what was cut."""
    frames = np.zeros((2, 96, 128, 3), np.uint8)
    frames[..., 0], frames[..., 1] = np.mgrid[:96, :128]
    scales, tops, lefts = [], [], []
    for index in range(100):
        cropped = RandomResizedCrop(32, 0.5)(clip_of(frames=frames), generator_of(index)).frames.astype(float)
        assert cropped.shape == (2, 32, 32, 3)
        np.testing.assert_array_equal(cropped[0], cropped[1])
        side_down, side_across = (cropped[0, 23, 23] - cropped[0, 8, 8])[:2] / 15 * 32
        assert side_down == pytest.approx(side_across, abs=3)
        scales.append(side_down / 96)
        tops.append(cropped[0, 0, 0, 0])
        lefts.append(cropped[0, 0, 0, 1])
    assert 0.47 < min(scales) < 0.56
    assert 0.93 < max(scales) < 1.03
    assert max(tops) > 30
    assert max(lefts) > 50


def test_the_whole_picture_at_its_own_size_comes_back():
    frames = random_frames(height=16, width=16)
    np.testing.assert_array_equal(RandomResizedCrop(16, 1.0)(clip_of(frames=frames), generator_of()).frames, frames)


def test_no_jitter_leaves_the_colours():
    frames = random_frames()
    np.testing.assert_array_equal(ColourJitter(0.0, 0.0, 0.0)(clip_of(frames=frames), generator_of()).frames, frames)


def test_brightness_scales_contrast_spreads_and_saturation_colours():
    frames = random_frames(low=90, high=160)
    clip, grey = clip_of(frames=frames), frames @ np.array([0.299, 0.587, 0.114])
    for index in range(20):
        brighter = ColourJitter(0.4, 0.0, 0.0)(clip, generator_of(index)).frames.astype(float)
        factor = brighter.mean() / frames.mean()
        assert 0.6 <= factor <= 1.4
        assert np.abs(brighter - factor * frames).max() < 1.0
        spread = ColourJitter(0.0, 0.4, 0.0)(clip, generator_of(index)).frames.astype(float)
        assert spread @ np.array([0.299, 0.587, 0.114]) @ np.ones(32) / 32 == pytest.approx(
            grey.mean() + (grey.mean(2) - grey.mean()) * spread.std() / frames.std(), abs=1.0
        )
        assert 0.59 < spread.std() / frames.std() < 1.41
        vivid = ColourJitter(0.0, 0.0, 0.4)(clip, generator_of(index)).frames
        assert np.abs(vivid @ np.array([0.299, 0.587, 0.114]) - grey).max() < 1.0


def test_colours_are_cut_at_their_ends_and_never_wrap():
    frames = np.array([[[[0, 0, 0], [255, 255, 255]]]], np.uint8)
    for index in range(50):
        changed = ColourJitter(0.5, 0.5, 0.5)(clip_of(frames=frames), generator_of(index)).frames
        assert changed[0, 0, 0].max() <= changed[0, 0, 1].min()


def test_a_film_does_not_flicker():
    still = np.repeat(random_frames(1), 5, axis=0)
    changed = ColourJitter(0.5, 0.5, 0.5)(clip_of(frames=still), generator_of(3)).frames
    assert (changed == changed[:1]).all()


def test_pace_is_the_one_asked_for_and_times_go_with_their_frames():
    frames = np.stack(coloured_frames(41))
    clip = clip_of(frames=frames)
    for pace in (0.5, 2.0):
        firsts = set()
        for index in range(30):
            changed = TemporalJitter(pace, pace)(clip, generator_of(index))
            numbers = np.array(frame_numbers(changed.frames))
            assert len(numbers) == 41
            np.testing.assert_array_equal(changed.frame_times_sec, clip.frame_times_sec[numbers])
            assert (np.diff(numbers) >= 0).all()
            moving = numbers[(numbers > 0) & (numbers < 40)]
            assert (moving[-1] - moving[0]) / (len(moving) - 1) == pytest.approx(pace, rel=0.1)
            firsts.add(int(numbers[0]))
        assert len(firsts) > (5 if pace < 1 else 0)


def test_shaken_frames_stay_in_order():
    clip = clip_of(frames=np.stack(coloured_frames(20)))
    seen = set()
    for index in range(20):
        numbers = frame_numbers(TemporalJitter(1.0, 1.0, jitter=2.0)(clip, generator_of(index)).frames)
        assert numbers == sorted(numbers)
        assert np.abs(np.array(numbers) - np.arange(20)).max() <= 4
        seen.add(tuple(numbers))
    assert len(seen) > 10
    assert frame_numbers(TemporalJitter(1.0, 1.0)(clip, generator_of()).frames) == list(range(20))


def test_a_box_is_erased_in_all_frames_and_no_larger_than_it_may():
    video = torch.ones(3, 4, 40, 40)
    shares = []
    for index in range(100):
        erased = RandomErasing(0.05, 0.3, 1.0)({"video": video}, generator_of(index))["video"] == 0
        assert (erased == erased[:1, :1]).all()
        rows, columns = (int(erased[0, 0].any(axis).sum()) for axis in (1, 0))
        assert int(erased[0, 0].sum()) == rows * columns
        shares.append(rows * columns / 1600)
    assert 0.03 < min(shares) < 0.09
    assert 0.25 < max(shares) < 0.34
    assert bool((video == 1).all())


def test_ranges_are_refused_at_once():
    with pytest.raises(ValueError, match="scale"):
        RandomResizedCrop(8, 0.5, 1.5)
    with pytest.raises(ValueError, match="brightness"):
        ColourJitter(0.1, 1.0, 0.1)
    with pytest.raises(ValueError, match="low"):
        TemporalJitter(0.0, 1.0)
