"""Reading stretches of sound: exact samples, true times, every format."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from avpipe.media import DamagedMedia, MediaError, NoSuchStream, UnreadableMedia, read_clip, write_audio
from tests.synthetic import RATE_HZ, noise, tone, write_coloured_video, write_noise_wav, write_text_named_wav

NOISE = noise(2.0, channels=2)


@pytest.fixture(scope="module", params=["wav", "flac"])
def lossless(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("lossless") / f"noise.{request.param}"
    write_noise_wav(path, 2.0, channels=2)
    return path


def test_whole_file_is_exact(lossless: Path) -> None:
    clip = read_clip(lossless)
    np.testing.assert_array_equal(clip.waveform, NOISE)
    assert (clip.sample_rate, clip.frames, clip.start_sec) == (RATE_HZ, None, 0.0)
    assert (clip.coverage.asked_sec, clip.coverage.lost_sec, clip.coverage.decoder) == (2.0, 0.0, "soundfile")
    assert not clip.coverage.truncated


@settings(max_examples=60, deadline=None)
@given(start_sec=st.floats(0, 1.99), duration_sec=st.floats(0.001, 3.0))
def test_any_stretch_is_a_slice_of_the_whole(lossless: Path, start_sec: float, duration_sec: float) -> None:
    first, last = round(start_sec * RATE_HZ), round((start_sec + duration_sec) * RATE_HZ)
    if first == min(last, 32000):
        return
    clip = read_clip(lossless, start_sec, duration_sec)
    np.testing.assert_array_equal(clip.waveform, NOISE[:, first:last])


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_sample_formats_are_scaled_by_their_format(tmp_path: Path, subtype: str, channels: int) -> None:
    steps = np.random.default_rng(0).integers(-100, 100, (channels, 800)) / 128
    for path in (tmp_path / "a.wav", tmp_path / "a.caf"):
        stored = "PCM_S8" if (path.suffix, subtype) == (".caf", "PCM_U8") else subtype
        soundfile.write(path, steps.T, RATE_HZ, subtype=stored)
        np.testing.assert_array_equal(read_clip(path).waveform, steps.astype(np.float32))


@pytest.mark.parametrize(
    "codec", ["pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_s16be", "flac", "alac"]
)
def test_ffmpeg_reads_the_same_numbers(tmp_path: Path, codec: str) -> None:
    path = tmp_path / ("a.mov" if codec in ("pcm_s16be", "alac") else "a.mka")
    steps = (np.random.default_rng(0).integers(-100, 100, (2, 4000)) / 128).astype(np.float32)
    write_audio(path, steps, RATE_HZ, codec=codec)
    clip = read_clip(path)
    assert clip.coverage.decoder == "av"
    np.testing.assert_array_equal(clip.waveform, steps)


def test_mono_is_the_mean_of_the_channels(tmp_path: Path) -> None:
    waveform = write_noise_wav(tmp_path / "a.wav", 0.5, channels=6)
    clip = read_clip(tmp_path / "a.wav", mono=True)
    np.testing.assert_allclose(clip.waveform, waveform.mean(axis=0, keepdims=True), atol=1e-7)


def test_resampling_keeps_the_tone_and_drops_what_would_alias(tmp_path: Path) -> None:
    rate = 48_000
    both = tone(2.0, 1000, rate) + tone(2.0, 8300, rate)
    write_audio(tmp_path / "a.wav", both * 0.5, rate, subtype="FLOAT")
    clip = read_clip(tmp_path / "a.wav", sample_rate=RATE_HZ)
    assert clip.waveform is not None
    assert clip.waveform.shape == (1, 2 * RATE_HZ)
    spectrum = np.abs(np.fft.rfft(clip.waveform[0, 8000:24000] * np.hanning(16000)))
    assert spectrum.argmax() == 1000
    assert spectrum[7650:7750].max() < 1e-4 * spectrum[1000]  # where 8300 Hz would fold to


@pytest.mark.parametrize("name", ["a.mp3", "a.opus", "a.ogg", "a.m4a", "a.mka", "a.mp2"])
def test_coded_sound_begins_at_zero_and_seeks_to_its_place(tmp_path: Path, name: str) -> None:
    rate = 48_000
    path = tmp_path / name
    sound = tone(4.0, 400, rate) * np.linspace(0, 1, 4 * rate, dtype=np.float32)  # each moment has its own loudness
    write_audio(path, sound, rate)
    whole = read_clip(path).waveform
    part = read_clip(path, 2.0, 0.5).waveform
    assert whole is not None
    assert part is not None
    slack = {".m4a": 2048, ".mp2": 2400}.get(path.suffix, 48)  # these two write no note of their coder's delay
    assert abs(whole.shape[1] - sound.shape[1]) <= slack
    assert part.shape == (1, rate // 2)
    np.testing.assert_allclose(part, whole[:, 2 * rate : 2 * rate + rate // 2], atol=0.02)


def test_webm_seeks_within_the_millisecond_that_its_clock_has(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.webm", noise(4.0, rate_hz=48_000), 48_000)
    whole, part = read_clip(tmp_path / "a.webm").waveform, read_clip(tmp_path / "a.webm", 2.0, 0.5).waveform
    assert whole is not None
    assert part is not None
    matches = np.correlate(whole[0, 95_000:121_000], part[0])
    assert abs(int(matches.argmax()) - 1000) <= 48


@pytest.mark.parametrize("name", ["a.wav", "a.opus", "a.mka"])
def test_the_arrays_are_the_callers_own(tmp_path: Path, name: str) -> None:
    write_audio(tmp_path / name, noise(1.0, rate_hz=48_000), 48_000)
    waveform = read_clip(tmp_path / name).waveform
    assert waveform is not None
    assert waveform.dtype == np.float32
    assert waveform.flags.writeable
    assert waveform.flags.c_contiguous


def test_not_a_number_becomes_silence_and_is_told(tmp_path: Path) -> None:
    waveform = noise(1.0)
    waveform[0, 4000:8000] = np.nan
    waveform[0, 12000] = np.inf
    for name, codec in (("a.wav", None), ("a.mka", "pcm_f32le")):
        write_audio(tmp_path / name, waveform, RATE_HZ, subtype="FLOAT", codec=codec)
        clip = read_clip(tmp_path / name)
        assert clip.waveform is not None
        np.testing.assert_array_equal(clip.waveform, np.nan_to_num(waveform, posinf=0.0))
        assert clip.coverage.gaps == ((0.25, 0.5), (0.75, 0.75 + 1 / RATE_HZ))


def test_names_that_look_like_protocols_or_patterns(tmp_path: Path) -> None:
    for name in ("http:x.wav", "50%d.mka", "a b [c] 'd' 🎬.mka", "#?.flac"):
        write_audio(tmp_path / name, NOISE, RATE_HZ)
        np.testing.assert_allclose(read_clip(tmp_path / name).waveform, NOISE, atol=1e-4)


def test_unreadable_files_are_typed_errors_of_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    write_text_named_wav(tmp_path / "text.wav")
    for name in ("missing.wav", "empty.wav", "text.wav", "noise.mp4", ""):
        with pytest.raises(UnreadableMedia) as caught:
            read_clip(tmp_path / name)
        assert "\n" not in str(caught.value)
        assert caught.value.reason
        assert caught.value.remedy
    assert capfd.readouterr() == ("", "")


def test_forbidden_file(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_noise_wav(path)
    path.chmod(0)
    try:
        path.open("rb").close()
    except PermissionError:
        with pytest.raises(UnreadableMedia, match="Permission denied"):
            read_clip(path)
    else:
        pytest.skip("this user may read every file")


def test_absent_senses(tmp_path: Path) -> None:
    write_noise_wav(tmp_path / "a.wav")
    write_coloured_video(tmp_path / "a.mp4", 5)
    with pytest.raises(NoSuchStream):
        read_clip(tmp_path / "a.wav", audio=False, video=True)
    with pytest.raises(NoSuchStream):
        read_clip(tmp_path / "a.mp4")
    assert read_clip(tmp_path / "a.wav", video=True).frames is None
    assert read_clip(tmp_path / "a.mp4", video=True).waveform is None


def test_a_stretch_beyond_the_end(tmp_path: Path) -> None:
    write_noise_wav(tmp_path / "a.wav", 1.0)
    clip = read_clip(tmp_path / "a.wav", 0.75, 1.0)
    assert clip.waveform is not None
    assert clip.waveform.shape == (1, 4000)
    assert clip.coverage.asked_sec == 0.25
    with pytest.raises(DamagedMedia):
        read_clip(tmp_path / "a.wav", 3.0, 1.0)


def test_a_header_without_samples(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", np.zeros((1, 0), np.float32), RATE_HZ)
    with pytest.raises(MediaError):
        read_clip(tmp_path / "a.wav")


def test_media_loads_no_torch() -> None:
    code = "import avpipe.media, sys; assert not {'torch', 'librosa', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
