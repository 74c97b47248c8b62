"""The difficult files of the corpora, each with what looking at it showed."""

import hashlib
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from avpipe.media import MediaError, find_media, probe, read_clip

pytestmark = pytest.mark.corpora

# name: (seconds, frames decoded, frames lost, (height, width) upright, first frame's time, (channels, rate) of sound)
EXPECTED: dict[str, tuple[float, int, int, tuple[int, int] | None, float, tuple[int, int] | None]] = {
    "av1_video.mkv": (5.0, 125, 0, (360, 640), 0.0, None),
    "bt709_full_range.mp4": (1.0, 30, 0, (720, 1280), 0.0, None),
    "corrupt_speech.flac": (1.66, 0, 0, None, 0.0, (1, 16_000)),
    "corrupted.mp4": (5.0, 48, 2, (720, 1280), 0.0, None),
    "counter.mp4": (3.0, 30, 0, (1080, 1920), 0.0, None),
    "delayed_start.mp4": (2.035, 24, 0, (320, 480), 1.075, None),
    "fades.mp4": (10.0, 250, 0, (320, 480), 0.0, None),
    "flipping_a_pancake.mkv": (10.381, 310, 0, (240, 426), 0.0, (1, 48_000)),
    "h264_10bits.mp4": (1.0, 30, 0, (200, 200), 0.0, None),
    "h265_10bits.mp4": (1.0, 30, 0, (200, 200), 0.0, None),
    "h265_video.mp4": (1.0, 10, 0, (128, 128), 0.0, None),
    "issue-236-split-copy.mkv": (2.017, 48, 0, (1080, 1920), 0.0, (2, 48_000)),
    "nasa_13013.mp4": (13.056, 390, 0, (270, 480), 0.0, (2, 16_000)),
    "nasa_13013.mp4.audio.mp3": (13.056, 0, 0, None, 0.0, (2, 8_000)),
    "nasa_13013.mp4.audio_44100.mp3": (13.056, 0, 0, None, 0.0, (2, 44_100)),
    "sine_mono_s16.wav": (4.0, 0, 0, None, 0.0, (1, 16_000)),
    "sine_mono_s32.wav": (4.0, 0, 0, None, 0.0, (1, 16_000)),
    "sine_mono_s32_44100.wav": (4.0, 0, 0, None, 0.0, (1, 44_100)),
    "sine_mono_s32_8000.wav": (4.0, 0, 0, None, 0.0, (1, 8_000)),
    "unordered.mov": (0.125, 4, 0, (50, 50), 0.0, None),
    "video_0.mov": (0.1, 3, 0, (320, 568), 0.0, None),
    "video_180.mov": (0.1, 3, 0, (320, 568), 0.0, None),
    "video_270.mov": (0.1, 3, 0, (568, 320), 0.0, None),
    "video_90.mov": (0.1, 3, 0, (568, 320), 0.0, None),
}


def test_all_files_are_expected(corpora: Path) -> None:
    assert {path.name for path in (corpora / "odd_media").iterdir()} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_each_file(corpora: Path, name: str) -> None:
    seconds, frames, lost, shape, first_sec, sound = EXPECTED[name]
    clip = read_clip(corpora / "odd_media" / name, video=True)
    assert clip.coverage.asked_sec == pytest.approx(seconds, abs=0.001)
    assert (clip.coverage.frames_decoded, clip.coverage.frames_lost) == (frames, lost)
    assert clip.coverage.lost_sec == pytest.approx(0.1 * lost)
    assert not clip.coverage.truncated
    if shape is None:
        assert clip.frames is None
    else:
        assert clip.frames is not None
        assert clip.frame_times_sec is not None
        assert clip.frames.shape == (frames, *shape, 3)
        assert clip.frame_times_sec[0] == pytest.approx(first_sec)
        assert (np.diff(clip.frame_times_sec) > 0).all()
    if sound is None:
        assert clip.waveform is None
    else:
        assert clip.waveform is not None
        assert (clip.waveform.shape[0], clip.sample_rate) == sound
        assert np.abs(clip.waveform).max() > 0.01


@pytest.mark.parametrize(("name", "rotation_deg"), [("0", 0), ("90", 270), ("180", 180), ("270", 90)])
def test_turns_of_the_films_that_look_upright(corpora: Path, name: str, rotation_deg: int) -> None:
    path = corpora / "odd_media" / f"video_{name}.mov"
    assert probe(path).video[0].rotation_deg == rotation_deg


def test_corrupt_speech_is_whole_by_its_own_checksum(corpora: Path) -> None:
    """libsndfile gives up in its middle; FFmpeg's samples have the MD5 that the file itself states."""
    path = corpora / "odd_media" / "corrupt_speech.flac"
    clip = read_clip(path)
    assert clip.waveform is not None
    samples = (clip.waveform[0] * 32768).astype("<i2").tobytes()
    assert hashlib.md5(samples).digest() == path.read_bytes()[26:42]
    assert clip.coverage.decoder == "av"


def test_esc10_is_read_whole(corpora: Path) -> None:
    paths = sorted((corpora / "esc10").glob("*/*"))
    assert len(paths) == 320
    for path in paths:
        coverage = read_clip(path).coverage
        assert (coverage.lost_sec, coverage.truncated) == (0.0, False)
        assert coverage.asked_sec > 0.1


def test_one_of_every_corpus_is_readable(corpora: Path) -> None:
    for folder in ("fights", "grid", "librispeech", "nemo", "noise", "ravdess", "yesno", "fsdd"):
        for path in islice(find_media(corpora / folder), 20):
            try:
                assert read_clip(path, video=True, stride_sec=0.5).coverage.lost_sec == 0.0
            except MediaError as error:
                pytest.fail(str(error))
