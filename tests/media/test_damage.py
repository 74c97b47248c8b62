"""Damage: what can be decoded is decoded, times stay true, and the loss is told."""

from pathlib import Path

import numpy as np
import pytest

from avpipe.media import ClipFormat, Coverage, WindowPlan, probe, read_clip, stream_clips, write_audio, write_video
from tests.synthetic import (
    RATE_HZ,
    coloured_frames,
    damage,
    frame_numbers,
    noise,
    tone,
    truncate,
    write_coloured_video,
    write_noise_wav,
)


def whole_coverage(path: Path) -> Coverage:
    coverage = probe(path, decode=True).coverage
    assert coverage is not None
    return coverage


def test_damaged_flac_is_silent_where_it_is_damaged(tmp_path: Path) -> None:
    waveform = write_noise_wav(tmp_path / "a.flac", 10.0)
    damage(tmp_path / "a.flac", 0.5, 0.51)
    clip = read_clip(tmp_path / "a.flac")
    assert clip.waveform is not None
    assert clip.waveform.shape == waveform.shape
    ((start, end),) = clip.coverage.gaps
    assert 4.5 < start < end < 5.5
    first, last = round(start * RATE_HZ), round(end * RATE_HZ)
    assert not clip.waveform[:, first:last].any()
    np.testing.assert_array_equal(clip.waveform[:, :first], waveform[:, :first])
    np.testing.assert_array_equal(clip.waveform[:, last:], waveform[:, last:])
    assert clip.coverage.decoder == "av"
    assert clip.coverage.lost_sec == pytest.approx(end - start)
    assert not clip.coverage.truncated


def test_windows_of_a_damaged_flac_are_those_of_one_read(tmp_path: Path) -> None:
    write_noise_wav(tmp_path / "a.flac", 10.0)
    damage(tmp_path / "a.flac", 0.5, 0.51)
    whole = read_clip(tmp_path / "a.flac").waveform
    assert whole is not None
    with stream_clips(tmp_path / "a.flac", [WindowPlan(1.0, 1.0, ClipFormat())]) as stream:
        parts = [clip.waveform for _, clip in stream if clip.waveform is not None]
        assert stream.coverage.lost_sec > 0
        assert stream.coverage.decoder == "av"
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mka", "a.mp3"])
def test_truncated_sound_tells_what_its_header_promised(tmp_path: Path, name: str) -> None:
    write_audio(tmp_path / name, noise(8.0), RATE_HZ)
    truncate(tmp_path / name, 0.5)
    coverage = whole_coverage(tmp_path / name)
    assert coverage.truncated
    assert coverage.asked_sec == pytest.approx(8.0, abs=0.001)
    assert coverage.decoded_sec == pytest.approx(4.0, abs=0.2)
    assert coverage.lost_sec == pytest.approx(8.0 - coverage.decoded_sec)
    ((start, end),) = coverage.gaps
    assert start == pytest.approx(coverage.decoded_sec)
    assert end == pytest.approx(8.0, abs=0.001)


def test_windows_before_the_break_are_whole(tmp_path: Path) -> None:
    write_noise_wav(tmp_path / "a.wav", 8.0)
    truncate(tmp_path / "a.wav", 0.45)
    with stream_clips(tmp_path / "a.wav", [WindowPlan(1.0, 1.0, ClipFormat())]) as stream:
        clips = [clip for _, clip in stream]
    assert [clip.coverage.truncated for clip in clips] == [False] * 3 + [True]
    assert clips[-1].coverage.lost_sec == pytest.approx(0.4, abs=0.01)


@pytest.mark.parametrize("name", ["a.ogg", "a.opus", "a.avi"])
def test_truncation_shows_where_no_header_gives_a_length(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.avi":
        write_video(path, coloured_frames(100))
    else:
        write_audio(path, noise(8.0, rate_hz=48_000), 48_000)
    assert not whole_coverage(path).truncated
    truncate(path, 0.6)
    assert whole_coverage(path).truncated


def test_small_differences_to_the_header_are_no_truncation(tmp_path: Path) -> None:
    write_noise_wav(tmp_path / "a.wav", 2.0)
    content = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(content[: -RATE_HZ // 100 * 2])  # 10 ms
    coverage = read_clip(tmp_path / "a.wav").coverage
    assert coverage.lost_sec == 0.0
    assert coverage.gaps == ()


def test_wav_of_unknown_length(tmp_path: Path) -> None:
    waveform = write_noise_wav(tmp_path / "a.wav", 1.0)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    for place in (4, content.index(b"data") + 4):
        content[place : place + 4] = b"\xff\xff\xff\xff"  # what a program writes to a pipe
    (tmp_path / "a.wav").write_bytes(content)
    clip = read_clip(tmp_path / "a.wav")
    np.testing.assert_array_equal(clip.waveform, waveform)
    assert not clip.coverage.truncated
    assert clip.coverage.asked_sec == 1.0


def test_lost_packets_of_a_film(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    write_video(path, coloured_frames(100), waveform=tone(4.0), sample_rate=RATE_HZ)
    damage(path, 0.5, 0.52)
    clip = read_clip(path, video=True)
    assert clip.frames is not None
    assert clip.waveform is not None
    assert clip.frame_times_sec is not None
    assert len(frame_numbers(clip.frames)) < 100
    np.testing.assert_allclose(clip.frame_times_sec, np.array(frame_numbers(clip.frames)) / 25, atol=0.0011)
    assert clip.waveform.shape[1] == 4 * RATE_HZ
    assert clip.coverage.lost_sec > 0


def test_truncated_film(tmp_path: Path) -> None:
    path = write_coloured_video(tmp_path / "a.mkv", 200, waveform=noise(8.0))
    truncate(path, 0.5)
    coverage = whole_coverage(path)
    assert coverage.truncated
    assert coverage.asked_sec == pytest.approx(8.0, abs=0.01)
    assert coverage.lost_sec > 2.0


def test_times_that_lie_weeks_behind_are_of_a_broken_clock(tmp_path: Path) -> None:
    weeks_sec = 4e6
    late, torn = tmp_path / "late.mkv", tmp_path / "torn.mkv"
    write_coloured_video(late, 50, times_sec=[weeks_sec + index / 25 for index in range(50)])
    write_coloured_video(torn, 50, times_sec=[index / 25 + (weeks_sec if index >= 25 else 0.0) for index in range(50)])
    plan = WindowPlan(1.0, 1.0, ClipFormat(audio=False, video=True))
    for path in (late, torn):
        with stream_clips(path, [plan]) as clips:
            shown = [clip.frames for _, clip in clips]
        assert [len(frames) for frames in shown if frames is not None] == [25, 25]
        assert frame_numbers(np.concatenate([frames for frames in shown if frames is not None])) == list(range(50))


def test_a_film_put_behind_another_in_an_mp4_is_told(tmp_path: Path) -> None:
    path = tmp_path / "joined.mp4"
    write_video(path, coloured_frames(10))
    content = path.read_bytes()
    assert probe(path, decode=True).coverage.losses() == []
    path.write_bytes(2 * content)
    told = f"another film behind this one ({len(content)} bytes) is not read"
    assert probe(path, decode=True).coverage.losses() == [told]
    assert read_clip(path, 0.0, 0.2, audio=False, video=True).coverage.losses() == []
