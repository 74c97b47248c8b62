"""Speech in noise: the clean channel stays, the ratio is the one asked for, only the training side is heard."""

import numpy as np
import pytest

from avpipe.augment import Colouration, Overload, Pause, SpeechInNoise
from avpipe.corpora import mixture_sources
from avpipe.media import write_audio
from tests.clips import clip_of, generator_of, peak_hz, power_db
from tests.synthetic import RATE_HZ, noise, tone

PAIR = clip_of(np.repeat(tone(1.0), 2, axis=0))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("sources")
    for kind in ("speech", "noise"):
        for index in range(10):
            path = root / kind / f"{index}.wav"
            path.parent.mkdir(exist_ok=True)
            write_audio(path, noise(0.5 + 0.1 * index, seed=index), RATE_HZ)
    return {"speech": root / "speech", "noise": root / "noise"}


def noise_of(clip):
    heard, clean = clip.waveform.astype(np.float64)
    return heard - clean


@pytest.mark.parametrize("wanted_db", [-5.0, 10.0])
@pytest.mark.parametrize("kind", [{"babble": 1.0}, {"babble": 0.0, "made": 1.0}, {"babble": 0.0, "made": 0.0}])
def test_the_ratio_is_the_one_asked_for_and_the_clean_channel_stays(folders, wanted_db, kind):
    mix = SpeechInNoise(**folders, low_db=wanted_db, high_db=wanted_db, clean=0.0, speechless=0.0, **kind)
    for index in range(10):
        mixed = mix(PAIR, generator_of(index))
        assert np.array_equal(mixed.waveform[1], PAIR.waveform[1])
        ratio_db = power_db(mixed.waveform[1]) - power_db(noise_of(mixed))
        assert ratio_db == pytest.approx(wanted_db, abs=0.1)


def test_some_clips_stay_clean_and_some_lose_their_speech(folders):
    mix = SpeechInNoise(**folders, clean=0.3, speechless=0.2)
    mixed = [mix(PAIR, generator_of(index)) for index in range(200)]
    clean = sum(each is PAIR for each in mixed)
    speechless = [each for each in mixed if not each.waveform[1].any()]
    assert 40 < clean < 80
    assert 25 < len(speechless) < 60
    assert all(each.waveform[0].any() for each in speechless)


def test_the_same_generator_gives_the_same_noise(folders):
    first, second = SpeechInNoise(**folders), SpeechInNoise(**folders)
    for index in (3, 0, 1, 2, 3):
        one, other = (mix(PAIR, generator_of(index)).waveform for mix in (first, second))
        assert np.array_equal(one, other)


def test_only_the_training_side_is_heard(folders):
    mix = SpeechInNoise(**folders)
    sources = mixture_sources(**folders)
    assert (mix.speech, mix.noise) == (sources["train"].speech, sources["train"].noise)
    held = {each.path for side in ("val", "test") for each in (*sources[side].speech, *sources[side].noise)}
    for index in range(60):
        mix(PAIR, generator_of(index))
    opened = {example.path for example, _ in mix._kept}
    assert opened
    assert not opened & held


def test_a_noise_that_cannot_be_read_is_told_and_left_out(tmp_path, folders):
    mix = SpeechInNoise(**folders, clean=0.0, speechless=0.0, babble=0.0, made=0.0)
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound")
    mix.noise = tuple(type(each)(broken, "noise") for each in mix.noise[:1])
    with pytest.warns(UserWarning, match="broken.wav"):
        mixed = mix(PAIR, generator_of(0))
    assert np.array_equal(mixed.waveform[0], mixed.waveform[1])


@pytest.mark.parametrize("altered", [0.0, 1.0])
def test_recorded_noises_are_played_at_other_speeds(folders, altered):
    mix = SpeechInNoise(**folders, clean=0.0, speechless=0.0, babble=0.0, made=0.0, altered=altered)
    mix.noise = mix.noise[:1]
    mix._kept[mix.noise[0], RATE_HZ] = tone(2.0, 1000.0)[0]
    silent = clip_of(np.repeat(1e-3 * noise(1.0), 2, axis=0))
    pitches = [peak_hz(noise_of(mix(silent, generator_of(index)))[None]) for index in range(30)]
    if altered:
        assert 500 < min(pitches) < 700
        assert 1500 < max(pitches) < 1850
    else:
        assert pitches == pytest.approx([1000.0] * 30, abs=5)


def test_a_pause_is_silent_in_all_channels_and_of_the_length_drawn():
    sound = clip_of(np.ones((2, 4 * RATE_HZ), np.float32))
    lengths = []
    for index in range(100):
        paused = Pause(1.0, 1.0)(sound, generator_of(index)).waveform
        assert np.array_equal(paused[0], paused[1])
        lengths.append((paused[0] == 0).mean() * 4.0)
    assert max(lengths) < 1.01
    assert max(lengths) > 0.8
    assert sound.waveform.all()


def test_an_overload_clips_what_is_heard_and_not_what_is_clean():
    clip = Overload(6.0, 6.0, 1.0)(PAIR, generator_of(0))
    peak = np.abs(PAIR.waveform).max()
    assert np.abs(clip.waveform[0]).max() == pytest.approx(peak * 10 ** (-6 / 20))
    assert np.array_equal(clip.waveform[1], PAIR.waveform[1])


def test_a_colouration_is_the_same_for_both_channels():
    clip = Colouration(6.0, 1.0)(PAIR, generator_of(1))
    assert np.array_equal(clip.waveform[0], clip.waveform[1])
    assert not np.allclose(clip.waveform, PAIR.waveform, atol=1e-3)


@pytest.mark.parametrize("transform", [Pause(1.0, 0.0), Overload(1.0, 6.0, 0.0), Colouration(6.0, 0.0)])
def test_a_probability_of_none_changes_nothing(transform):
    assert transform(PAIR, generator_of(0)) is PAIR


def test_a_clip_without_sound_stays(folders):
    silent = clip_of(None)
    for transform in (SpeechInNoise(**folders), Pause(1.0, 1.0), Overload(1.0, 2.0, 1.0), Colouration(3.0, 1.0)):
        assert transform(silent, generator_of(0)) is silent
