"""Masks, and voices of other throats, measured on the spectrogram of tones."""

import librosa
import numpy as np
import pytest
import torch

from avpipe.augment import Equaliser, SpecAugment, Tempo, VocalTractWarp, item_generator
from avpipe.augment.spectrogram import hertz_to_mel, mel_to_hertz
from avpipe.features import LogMel
from tests.clips import generator_of
from tests.synthetic import RATE_HZ, tone


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


def test_the_mel_scale_is_the_one_of_the_features():
    frequencies_hz = np.linspace(0.0, 8000.0, 500)
    np.testing.assert_allclose(hertz_to_mel(frequencies_hz), librosa.hz_to_mel(frequencies_hz), atol=1e-9)
    np.testing.assert_allclose(mel_to_hertz(hertz_to_mel(frequencies_hz)), frequencies_hz, atol=1e-9)


def peak_hz(mel: torch.Tensor, f_min: float, f_max: float) -> float:
    """Centre of mass of the bands around the strongest, in Hz."""
    level = mel[0, :, 20:80].double().mean(1)
    strength = (level - level.max()).mul(0.5).exp().numpy()
    strength[strength < 0.05] = 0.0
    centres = librosa.mel_frequencies(mel.shape[1] + 2, fmin=f_min, fmax=f_max)[1:-1]
    return float((centres * strength).sum() / strength.sum())


@pytest.mark.parametrize("factor", [0.85, 0.9, 1.1, 1.2])
@pytest.mark.parametrize(("f_min", "f_max"), [(0.0, 8000.0), (60.0, 7600.0)])
def test_a_peak_moves_by_the_factor(factor, f_min, f_max):
    features = LogMel(RATE_HZ, 1024, 160, 128, f_min, f_max)
    warp = VocalTractWarp(RATE_HZ, factor, factor, f_min=f_min, f_max=f_max)
    for frequency_hz in (500.0, 1000.0, 2500.0):
        mel = features(torch.from_numpy(tone(1.0, frequency_hz)))
        warped = warp({"audio": mel}, generator_of())["audio"]
        assert warped.shape == mel.shape
        assert peak_hz(warped, f_min, f_max) / peak_hz(mel, f_min, f_max) == pytest.approx(factor, rel=0.02)


@pytest.mark.parametrize(("factor", "expected_hz"), [(0.7, 2583.0), (1.3, 3632.0)])
def test_above_the_boundary_the_factor_fades(factor, expected_hz):
    """As of the paper's formula, with its boundary at 2400 Hz, for a peak at 3200 Hz."""
    mel = LogMel(RATE_HZ, 1024, 160, 128)(torch.from_numpy(tone(1.0, 3200.0)))
    warped = VocalTractWarp(RATE_HZ, factor, factor, boundary=0.3)({"audio": mel}, generator_of())["audio"]
    assert peak_hz(warped, 0.0, 8000.0) == pytest.approx(expected_hz, rel=0.02)


def test_a_warp_is_like_the_features_of_a_tone_at_the_new_frequency():
    features = LogMel(RATE_HZ, 512, 160, 64)
    before, after = (features(torch.from_numpy(tone(1.0, frequency_hz))) for frequency_hz in (1000.0, 1100.0))
    warped = VocalTractWarp(RATE_HZ, 1.1, 1.1)({"audio": before}, generator_of())["audio"]
    assert int(warped[0, :, 50].argmax()) == int(after[0, :, 50].argmax())


def test_the_ends_of_the_band_stay_and_one_is_no_change():
    mel = torch.randn(1, 64, 10, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(VocalTractWarp(RATE_HZ, 1.0, 1.0)({"audio": mel}, generator_of())["audio"], mel)
    ramp = torch.linspace(0, 1, 64)[None, :, None].expand(1, 64, 3)
    for factor in (0.9, 1.1):
        warped = VocalTractWarp(RATE_HZ, factor, factor)({"audio": ramp}, generator_of())["audio"][0, :, 0]
        assert float(warped[-1]) == pytest.approx(1.0, abs=0.01)
        assert bool((warped.diff() >= 0).all())


def test_a_warp_leaves_the_mean_of_scaled_features_where_it_was():
    """Each new band is a mean of old ones: subtracting a constant before or after gives the same."""
    mel = torch.randn(1, 64, 10, generator=torch.Generator().manual_seed(0))
    warp = VocalTractWarp(RATE_HZ, 0.9, 1.1)
    once, scaled = (warp({"audio": each}, generator_of())["audio"] for each in (mel, (mel - 3.0) / 2.0))
    torch.testing.assert_close((once - 3.0) / 2.0, scaled)


def test_factors_out_of_range_are_refused():
    with pytest.raises(ValueError, match="low"):
        VocalTractWarp(RATE_HZ, 1.1, 0.9)
    with pytest.raises(ValueError, match="boundary"):
        VocalTractWarp(RATE_HZ, 0.9, 1.1, boundary=1.0)


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.25])
def test_tempo_moves_what_happens_and_nothing_else(factor):
    mel = torch.zeros(1, 40, 101)
    mel[:, 7, 60] = 1.0
    before = mel.clone()
    moved = Tempo(factor, factor)({"audio": mel}, generator_of())["audio"]
    assert moved.shape == (1, 40, round(101 / factor))
    assert moved[0, 7].argmax() == pytest.approx(60 / factor, abs=1.0)
    assert moved[:, :7].abs().sum() == moved[:, 8:].abs().sum() == 0.0
    assert torch.equal(mel, before)


def test_tempo_leaves_a_single_frame_and_what_is_not_drawn():
    mel = torch.randn(1, 40, 1)
    assert Tempo(0.5, 0.5)({"audio": mel}, generator_of())["audio"] is mel
    mel = torch.randn(1, 40, 50)
    assert Tempo(0.5, 0.5, probability=0.0)({"audio": mel}, generator_of())["audio"] is mel
    assert Tempo(0.5, 0.5)({}, generator_of()) == {}


def test_the_equaliser_adds_a_smooth_curve_of_the_right_height():
    mel = torch.randn(1, 40, 20, generator=torch.Generator().manual_seed(0))
    equaliser = Equaliser(deviation_db=6.0, level_db=3.0, knots=5, std=4.0)
    curves = []
    for index in range(400):
        added = equaliser({"audio": mel}, item_generator(0, 0, index))["audio"] - mel
        torch.testing.assert_close(added, added[:, :, :1].expand_as(added), atol=1e-5, rtol=0.0)
        curves.append(added[0, :, 0].numpy() * 4.0 * 10.0 / np.log(10.0))
    assert np.std([curve[0] for curve in curves]) == pytest.approx(np.hypot(6.0, 3.0), rel=0.1)
    assert np.mean([np.abs(np.diff(curve, 2)).max() for curve in curves]) < 2.0
    differences = [curve[0] - curve[-1] for curve in curves]
    assert np.std(differences) == pytest.approx(6.0 * np.sqrt(2), rel=0.1)
    assert equaliser({}, item_generator(0, 0, 0)) == {}
