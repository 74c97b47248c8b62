"""Where the target is a recording, it is the last channel of the clip: on every way to a clip, cached or not."""

import numpy as np
import pytest

from avpipe.corpora import Example
from avpipe.media import write_audio
from avpipe.training.cache import Cache
from avpipe.training.recordings import Reader, measure
from tests.synthetic import noise
from tests.tiny import DENOISER

RATE_HZ = 16_000


@pytest.fixture
def recordings(tmp_path):
    """A clean recording that is its own target, and a noisy one with the clean one as its target, cut short."""
    clean, noisy = noise(2.3, seed=1), noise(2.3, seed=2)
    write_audio(tmp_path / "clean.wav", clean, RATE_HZ)
    write_audio(tmp_path / "noisy.wav", noisy, RATE_HZ)
    write_audio(tmp_path / "short.wav", clean[:, :34_000], RATE_HZ)
    pairs = (("clean", "clean"), ("noisy", "clean"), ("noisy", "short"))
    return measure([Example(tmp_path / f"{path}.wav", tmp_path / f"{target}.wav") for path, target in pairs])[0]


def readers(recordings, folder, kind):
    return Cache(kind, str(folder), 1.0).readers(recordings, recordings, DENOISER["preprocessor"], 0)


@pytest.mark.parametrize("kind", ["none", "decoded"])
def test_a_clip_holds_what_is_heard_and_what_is_clean_at_the_same_time(recordings, tmp_path, kind):
    reader, _ = readers(recordings, tmp_path / "cache", kind)
    whole = [Reader(reader.preprocessor).clip(each, 0.0).waveform for each in recordings]
    for recording, sound in zip(recordings, whole, strict=True):
        assert sound.shape == (2, RATE_HZ)
        later = reader.clip(recording, 0.5).waveform
        assert np.allclose(later[:, :8_000], sound[:, 8_000:], atol=1e-4)
    assert np.array_equal(*whole[0])
    assert np.array_equal(whole[1][1], whole[0][0])
    assert not np.allclose(whole[1][0], whole[1][1], atol=1e-3)


@pytest.mark.parametrize("kind", ["none", "decoded"])
def test_windows_hold_both_and_a_target_that_ends_early_is_silent_behind(recordings, tmp_path, kind):
    _, reader = readers(recordings, tmp_path / "cache", kind)
    windows = [features["waveform"].numpy() for features, _ in reader.windows(recordings[2])]
    assert [window.shape[0] for window in windows] == [2] * len(windows)
    clean = np.concatenate([window[1] for window in windows])
    assert clean[:33_900].any()
    assert not clean[34_100:].any()


def test_another_target_is_another_entry(recordings, tmp_path):
    _, reader = readers(recordings, tmp_path / "cache", "decoded")
    assert len({reader.keys[each] for each in recordings}) == 3
