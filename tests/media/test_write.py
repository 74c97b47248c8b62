"""Writing: whole or not at all."""

from pathlib import Path

import numpy as np
import pytest

from avpipe.media import UnwritableMedia, probe, read_clip, write_audio, write_video
from tests.synthetic import RATE_HZ, coloured_frames, noise, tone


@pytest.mark.parametrize(
    "name", ["a.wav", "a.flac", "a.ogg", "a.aiff", "a.mp3", "a.m4a", "a.opus", "a.mka", "a.webm", "a.mp2", "a.ac3"]
)
@pytest.mark.parametrize("channels", [1, 2])
def test_a_tone_survives(tmp_path: Path, name: str, channels: int) -> None:
    rate = 48_000
    write_audio(tmp_path / name, np.repeat(tone(1.0, 1000, rate), channels, axis=0), rate)
    clip = read_clip(tmp_path / name)
    assert clip.waveform is not None
    assert clip.sample_rate == rate
    assert clip.waveform.shape[0] == channels
    for channel in clip.waveform[:, 12_000:36_000]:
        spectrum = np.abs(np.fft.rfft(channel * np.hanning(24_000)))
        assert spectrum.argmax() == 500
        assert np.sqrt((channel**2).mean()) == pytest.approx(
            0.5 / np.sqrt(2), rel=0.06
        )  # mp3 at its default bit rate loses most


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.webm", "a.avi", "a.ts", "a.mpg"])
def test_every_container_takes_sound_and_picture(tmp_path: Path, name: str) -> None:
    write_video(tmp_path / name, coloured_frames(25), waveform=tone(1.0, rate_hz=48_000), sample_rate=48_000)
    info = probe(tmp_path / name, decode=True)
    assert len(info.audio) == len(info.video) == 1
    assert info.coverage is not None
    assert (info.coverage.frames_decoded, info.coverage.lost_sec) == (25, 0.0)


def test_equal_frames_give_equal_bytes(tmp_path: Path) -> None:
    slope = np.arange(120)[:, None, None] + np.arange(160)[None, :, None]
    frames = [np.repeat((slope + 5 * index) % 256, 3, axis=2).astype(np.uint8) for index in range(40)]
    written = set()
    for index in range(6):
        write_video(tmp_path / f"{index}.mp4", frames)
        written.add((tmp_path / f"{index}.mp4").read_bytes())
    assert len(written) == 1


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_audio(path, noise(0.1), RATE_HZ)
    before = path.read_bytes()
    with pytest.raises(UnwritableMedia):
        write_audio(path, noise(0.1), RATE_HZ, subtype="NO_SUCH")
    with pytest.raises(UnwritableMedia):
        write_audio(tmp_path / "a.xyz", noise(0.1), RATE_HZ)
    with pytest.raises(UnwritableMedia):
        write_audio(tmp_path / "a.opus", noise(0.1), 44_100)
    with pytest.raises(UnwritableMedia):
        write_video(tmp_path / "a.mp4", [])
    with pytest.raises(UnwritableMedia):
        write_video(tmp_path / "a.mp4", coloured_frames(2), codec="no_such")
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.wav"]


def test_minutes_of_vorbis_are_written(tmp_path):
    write_audio(tmp_path / "long.ogg", np.zeros((2, 180 * 44_100), np.float32), 44_100)
    assert probe(tmp_path / "long.ogg").duration_sec == pytest.approx(180.0, abs=0.1)
