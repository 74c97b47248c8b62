"""What is drawn for an item depends on the seed, the epoch and the item, and on nothing else."""

from pathlib import Path

import numpy as np
import torch

from avpipe.augment import (
    Augmentation,
    Gain,
    HorizontalFlip,
    RandomCrop,
    RandomPlacement,
    SpecAugment,
    item_generator,
    random_start,
)
from avpipe.media import Clip, Coverage


def clip_of(waveform=None, frames=None):
    return Clip(Path("x"), 0.0, waveform, 8000, frames, None, Coverage())


def test_the_same_item_draws_the_same_and_others_draw_others():
    first, again, other = (item_generator(0, *place).random(4).tolist() for place in ((2, 7), (2, 7), (3, 7)))
    assert first == again
    assert first != other


def test_gain_stays_within_its_range_and_keeps_the_type():
    waveform = np.ones((1, 10), np.float32)
    gains_db = []
    for index in range(200):
        changed = Gain(-10.0, 6.0)(clip_of(waveform), item_generator(0, 0, index)).waveform
        assert changed.dtype == np.float32
        gains_db.append(20 * np.log10(changed[0, 0]))
    assert -10.0 <= min(gains_db) < -8.0
    assert 4.0 < max(gains_db) <= 6.0


def test_a_short_recording_is_placed_anywhere_in_its_window_over_quiet_noise():
    word = np.full((1, 2000), 0.5, np.float32)
    begins, lengths = [], []
    for index in range(200):
        waveform = RandomPlacement(1.0, -90.0, -40.0)(clip_of(word), item_generator(0, 0, index)).waveform
        heard = np.flatnonzero(waveform[0] > 0.25)
        assert len(heard) == 2000
        assert np.diff(heard).max() == 1
        begins.append(heard[0])
        lengths.append(waveform.shape[1])
        around = np.delete(waveform[0], heard)
        assert around.std() < 0.0105 if len(around) else True
    assert min(begins) < 200
    assert 5800 < max(begins) <= 6000
    assert max(lengths) <= 8000


def test_a_recording_longer_than_its_window_keeps_its_length():
    waveform = np.zeros((1, 9000), np.float32)
    assert RandomPlacement(1.0, -90.0, -40.0)(clip_of(waveform), item_generator(0, 0, 0)).waveform.shape == (1, 9000)


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


def test_spec_augment_masks_no_more_than_it_may_and_leaves_its_input_alone():
    mel = torch.randn(1, 40, 100, generator=torch.Generator().manual_seed(0))
    before = mel.clone()
    masks = SpecAugment(num_bands=2, band_mels=8, num_stretches=2, stretch_fraction=0.1)
    changed_parts = []
    for index in range(50):
        masked = masks({"audio": mel}, item_generator(0, 0, index))["audio"]
        changed = masked != before
        changed_parts.append(float(changed.float().mean()))
        assert int(changed.all(2).sum()) <= 16
        assert int(changed.all(1).sum()) <= 20
    assert torch.equal(mel, before)
    assert max(changed_parts) > 0.1


def test_what_an_item_lacks_is_left_alone_but_still_drawn():
    silent = clip_of(frames=np.zeros((1, 4, 4, 3), np.uint8))
    assert Gain(-1.0, 1.0)(silent, item_generator(0, 0, 0)) is silent
    assert SpecAugment(1, 2, 1, 0.1)({"video": torch.zeros(1)}, item_generator(0, 0, 0)).keys() == {"video"}


def test_transforms_run_in_order():
    def double(clip, generator):
        return clip_of(clip.waveform * 2)

    def increase(clip, generator):
        return clip_of(clip.waveform + 1)

    clip = Augmentation(clip=[double, increase]).augment_clip(clip_of(np.ones((1, 1))), item_generator(0, 0, 0))
    assert clip.waveform.tolist() == [[3.0]]


def test_random_start_covers_the_recording_and_no_more():
    starts = [random_start(5.0, 2.0, item_generator(0, 0, index)) for index in range(200)]
    assert 0.0 <= min(starts) < 0.2
    assert 2.8 < max(starts) <= 3.0
    assert random_start(1.0, 2.0, item_generator(0, 0, 0)) == 0.0
