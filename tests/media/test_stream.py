"""Windows of a stream: how many, where, and the same as clips read one by one."""

import gc
import os
import resource
from math import ceil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avpipe.errors import ArgumentError
from avpipe.media import (
    Clip,
    ClipFormat,
    NoSuchStream,
    UnreadableMedia,
    WindowPlan,
    decoded_sha256,
    read_clip,
    stream_clips,
    write_audio,
    write_video,
)
from tests.synthetic import frame_numbers, noise, write_coloured_video, write_noise_wav

SOUND = ClipFormat()


def clips_of(path: Path, *plans: WindowPlan, start_sec: float = 0.0, end_sec: float | None = None) -> list[list[Clip]]:
    clips: list[list[Clip]] = [[] for _ in plans]
    with stream_clips(path, plans, start_sec, end_sec) as stream:
        for index, clip in stream:
            clips[index].append(clip)
    return clips


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stream") / "noise.wav"
    write_noise_wav(path, 3.0, channels=2, rate_hz=44_100)
    return path


@settings(max_examples=40, deadline=None)
@given(window_ms=st.integers(50, 4000), hop_ms=st.integers(50, 2000))
def test_number_and_content_of_windows(wav: Path, window_ms: int, hop_ms: int) -> None:
    window, hop = window_ms / 1000, hop_ms / 1000
    (clips,) = clips_of(wav, WindowPlan(window, hop, SOUND))
    expected = 1 if window_ms >= 3000 else ceil((3000 - window_ms) / hop_ms) + 1
    if hop_ms > window_ms and (expected - 1) * hop_ms >= 3000:
        expected -= 1  # it would begin after the end
    assert len(clips) == expected
    for number, clip in enumerate(clips):
        assert clip.start_sec == number * hop
        assert clip.waveform is not None


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_windows_equal_clips_read_one_by_one(tmp_path: Path, name: str) -> None:
    write_noise_wav(tmp_path / name, 5.0, channels=2, rate_hz=44_100)
    wanted = ClipFormat(sample_rate=16_000, mono=True)
    (clips,) = clips_of(tmp_path / name, WindowPlan(1.0, 0.7, wanted))
    assert len(clips) == 7
    for number, clip in enumerate(clips):
        alone = read_clip(tmp_path / name, number * 0.7, 1.0, sample_rate=16_000, mono=True)
        np.testing.assert_array_equal(clip.waveform, alone.waveform)
        assert clip.coverage == alone.coverage


@pytest.mark.parametrize("name", ["a.mp3", "a.opus", "a.m4a"])
def test_first_window_and_short_file_of_coded_sound(tmp_path: Path, name: str) -> None:
    write_audio(tmp_path / name, noise(2.0, rate_hz=48_000), 48_000)
    (first, *_), (whole,) = clips_of(tmp_path / name, WindowPlan(1.0, 1.0, SOUND), WindowPlan(9.0, 9.0, SOUND))
    np.testing.assert_array_equal(first.waveform, read_clip(tmp_path / name, 0.0, 1.0).waveform)
    np.testing.assert_array_equal(whole.waveform, read_clip(tmp_path / name).waveform)


def test_several_plans_from_one_decode(tmp_path: Path) -> None:
    path = write_coloured_video(tmp_path / "a.mkv", 100, waveform=noise(4.0))
    plans = [
        WindowPlan(1.0, 0.5, ClipFormat(audio=False, video=True, stride_sec=0.2)),
        WindowPlan(2.0, 2.0, ClipFormat(audio=True, video=True, size_px=24)),
        WindowPlan(0.8, 1.0, ClipFormat(audio=True, sample_rate=8000)),
    ]
    streamed = clips_of(path, *plans)
    assert [len(clips) for clips in streamed] == [7, 2, 4]
    for plan, clips in zip(plans, streamed, strict=True):
        for number, clip in enumerate(clips):
            wanted = plan.format
            alone = read_clip(
                path,
                number * plan.hop_sec,
                plan.window_sec,
                wanted.audio,
                wanted.video,
                sample_rate=wanted.sample_rate,
                size_px=wanted.size_px,
                stride_sec=wanted.stride_sec,
            )
            for name in ("waveform", "frames", "frame_times_sec"):
                np.testing.assert_array_equal(getattr(clip, name), getattr(alone, name))
    first = streamed[0][1].frames
    assert first is not None
    assert frame_numbers(first) == [12, 17, 22, 27, 32]


def test_stretch_of_a_file(wav: Path) -> None:
    (clips,) = clips_of(wav, WindowPlan(0.5, 0.5, SOUND), start_sec=1.0, end_sec=2.2)
    assert [clip.start_sec for clip in clips] == [1.0, 1.5, 2.0]
    samples = np.concatenate([clip.waveform for clip in clips if clip.waveform is not None], axis=1)
    np.testing.assert_array_equal(samples, noise(3.0, 2, 44_100)[:, 44_100 : round(2.2 * 44_100)])


def test_a_sense_that_ends_first_is_none_later(tmp_path: Path) -> None:
    path = write_coloured_video(tmp_path / "a.mkv", 25, waveform=noise(3.0))
    (clips,) = clips_of(path, WindowPlan(1.0, 1.0, ClipFormat(video=True)))
    assert [clip.frames is None for clip in clips] == [False, True, True]
    assert all(clip.waveform is not None for clip in clips)


def test_coverage_is_known_at_the_end(wav: Path) -> None:
    with stream_clips(wav, [WindowPlan(1.0, 1.0, SOUND)]) as stream:
        next(stream)
        with pytest.raises(RuntimeError):
            _ = stream.coverage
        assert len(list(stream)) == 2
        assert stream.coverage.asked_sec == stream.coverage.decoded_sec == 3.0


def test_a_plan_without_its_sense_does_not_hinder_the_others(wav: Path) -> None:
    plans = [WindowPlan(1.0, 1.0, ClipFormat(audio=False, video=True)), WindowPlan(1.0, 1.0, SOUND)]
    with stream_clips(wav, plans) as stream:
        assert [index for index, _ in stream] == [1, 1, 1]
        assert isinstance(stream.absent[0], NoSuchStream)
    with stream_clips(wav, plans[:1]) as stream, pytest.raises(NoSuchStream):
        next(stream)


@pytest.mark.parametrize(("window_sec", "hop_sec", "start_sec"), [(0, 1, 0), (1, 0, 0), (1, 1, -1)])
def test_windows_that_cannot_be(wav: Path, window_sec: float, hop_sec: float, start_sec: float) -> None:
    with pytest.raises(ArgumentError):
        stream_clips(wav, [WindowPlan(window_sec, hop_sec, SOUND)], start_sec)


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_a_stream_left_half_way_closes_its_files(tmp_path: Path) -> None:
    path = write_coloured_video(tmp_path / "a.mkv", 50, waveform=noise(2.0))
    before = open_descriptors()
    with stream_clips(path, [WindowPlan(0.5, 0.5, ClipFormat(video=True))]) as stream:
        next(stream)
        assert open_descriptors() == before + 2
    assert open_descriptors() == before


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_a_stream_left_half_way_ends_its_decoders_threads_without_a_collector(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    write_video(path, [np.full((120, 160, 3), index, np.uint8) for index in range(50)])

    def threads() -> int:
        return len(os.listdir("/proc/self/task"))

    gc.collect()
    before = threads()
    gc.disable()
    try:
        with stream_clips(path, [WindowPlan(0.5, 0.5, ClipFormat(audio=False, video=True))]) as stream:
            next(stream)
            during = threads()
        assert threads() == before
        read_clip(path, 0.4, 0.2, audio=False, video=True)
        assert threads() == before
        decoded_sha256(path, 0.4, 1.0)
        assert threads() == before
    finally:
        gc.enable()
    assert during > before or os.cpu_count() == 1


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_five_hundred_files_leave_nothing_behind(tmp_path: Path) -> None:
    film = write_coloured_video(tmp_path / "a.mkv", 10, waveform=noise(0.4))
    write_noise_wav(tmp_path / "a.wav", 0.4)
    write_audio(tmp_path / "a.mp3", noise(0.4), 16_000)
    (tmp_path / "bad.mp4").write_bytes(film.read_bytes()[:200])

    def open_all(times: int) -> int:
        for _ in range(times):
            for name in ("a.mkv", "a.wav", "a.mp3"):
                read_clip(tmp_path / name, video=True)
            with pytest.raises(UnreadableMedia):
                read_clip(tmp_path / "bad.mp4")
        gc.collect()
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    warm = open_all(25)
    descriptors = open_descriptors()  # when what earlier tests left is collected
    after = open_all(100)
    assert open_descriptors() == descriptors
    assert after - warm < 8e6


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    write_audio(path, np.zeros((1, 3600 * 16_000), np.float32), 16_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (clips,) = ([sum(1 for _ in stream_clips(path, [WindowPlan(5.0, 5.0, SOUND)]))],)
    assert clips == [720]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def test_equal_recordings_have_equal_hashes(tmp_path: Path) -> None:
    waveform = write_noise_wav(tmp_path / "a.wav", 1.5)
    write_audio(tmp_path / "b.flac", waveform, 16_000)
    write_audio(tmp_path / "c.mka", waveform, 16_000, codec="pcm_s16le")
    write_noise_wav(tmp_path / "d.wav", 1.5, seed=1)
    hashes = [decoded_sha256(tmp_path / name) for name in ("a.wav", "b.flac", "c.mka", "d.wav")]
    assert hashes[0] == hashes[1] == hashes[2] != hashes[3]
    assert decoded_sha256(tmp_path / "a.wav", 0.5, 1.0) == decoded_sha256(tmp_path / "c.mka", 0.5, 1.0) != hashes[0]
    film = write_coloured_video(tmp_path / "a.mkv", 10)
    assert decoded_sha256(film) == decoded_sha256(write_coloured_video(tmp_path / "b.mp4", 10))
