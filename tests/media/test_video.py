"""Reading frames: which ones, when, which way up, which size, which colour."""

from pathlib import Path

import numpy as np
import pytest

from avpipe.media import read_clip, write_video
from tests.synthetic import (
    FPS,
    coloured_frames,
    corner_colours,
    frame_numbers,
    noise,
    quartered_frame,
    write_coloured_video,
)


def frames_of(path: Path, start_sec: float = 0.0, duration_sec: float | None = None, **wanted: object) -> np.ndarray:
    clip = read_clip(path, start_sec, duration_sec, audio=False, video=True, **wanted)  # type: ignore[arg-type]
    assert clip.frames is not None
    return clip.frames


@pytest.fixture(scope="module", params=["mkv", "mp4", "avi", "ts"])
def film(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred frames; lossless in mkv and mp4, where B-frames come out of order."""
    path: Path = tmp_path_factory.mktemp("film") / f"film.{request.param}"
    if request.param in ("mkv", "mp4"):
        return write_coloured_video(path, 100)
    codec = "png" if request.param == "avi" else "libx264"
    frames = [np.full((48, 64, 3), 40 + index, np.uint8) for index in range(100)]
    write_video(path, frames, fps=FPS, codec=codec, options={"g": "12"})
    return path


def numbers(path: Path, frames: np.ndarray) -> list[int]:
    if path.suffix in (".mkv", ".mp4"):
        return frame_numbers(frames)
    return [round(frame.mean()) - 40 for frame in frames]


def test_every_frame_at_its_time(film: Path) -> None:
    clip = read_clip(film, audio=False, video=True)
    assert clip.frames is not None
    assert clip.frames.dtype == np.uint8
    expected = np.arange(100)
    away = np.abs(np.array(numbers(film, clip.frames)) - expected).max()
    assert away <= (0 if film.suffix in (".mkv", ".mp4") else 1)
    np.testing.assert_allclose(clip.frame_times_sec, expected / FPS, atol=1e-6)
    assert (clip.coverage.frames_decoded, clip.coverage.frames_lost, clip.coverage.lost_sec) == (100, 0, 0.0)


@pytest.mark.parametrize("start", [1, 11, 12, 13, 50, 97])
def test_seeking_lands_on_the_frame(film: Path, start: int) -> None:
    clip = read_clip(film, start / FPS, 3 / FPS, audio=False, video=True)
    np.testing.assert_allclose(clip.frame_times_sec, np.arange(start, start + 3) / FPS, atol=1e-6)
    assert clip.frames is not None
    np.testing.assert_array_equal(clip.frames, frames_of(film)[start : start + 3])


def test_stride_takes_the_frames_on_show(tmp_path: Path) -> None:
    path = write_coloured_video(tmp_path / "a.mp4", 50)
    clip = read_clip(path, 0.5, 1.0, audio=False, video=True, stride_sec=0.1)
    assert clip.frames is not None
    assert frame_numbers(clip.frames) == [12, 15, 17, 20, 22, 25, 27, 30, 32, 35]
    np.testing.assert_allclose(clip.frame_times_sec, np.array(frame_numbers(clip.frames)) / FPS)
    assert frame_numbers(frames_of(path, stride_sec=0.01, duration_sec=0.08)) == [0] * 4 + [1] * 4


def test_stride_in_a_container_that_rounds_to_milliseconds(tmp_path: Path) -> None:
    path = write_coloured_video(tmp_path / "a.mkv", 60, fps=30)
    assert frame_numbers(frames_of(path, stride_sec=2 / 30)) == list(range(0, 60, 2))
    assert frame_numbers(frames_of(path, 1 / 30, 10 / 30, stride_sec=2 / 30)) == [1, 3, 5, 7, 9]


def test_variable_rate_keeps_presentation_times(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.5, 0.52, 0.9, 1.6]
    path = write_coloured_video(tmp_path / "a.mkv", 6, times_sec=times)
    clip = read_clip(path, audio=False, video=True)
    np.testing.assert_allclose(clip.frame_times_sec, times, atol=1e-6)
    assert frame_numbers(frames_of(path, 0.45, 0.6, stride_sec=0.1)) == [1, 3, 3, 3, 3, 4]
    assert frame_numbers(frames_of(path, 0.3, 0.5)) == [2, 3]


def test_delayed_start_keeps_its_time(tmp_path: Path) -> None:
    path = write_coloured_video(tmp_path / "a.mp4", 10, times_sec=[1.075 + index / FPS for index in range(10)])
    clip = read_clip(path, audio=False, video=True)
    assert clip.frame_times_sec is not None
    assert clip.frame_times_sec[0] == pytest.approx(1.075)
    early = read_clip(path, 1.0, 0.2, audio=False, video=True, stride_sec=0.05)
    assert early.frame_times_sec is not None
    assert early.frame_times_sec[0] == pytest.approx(1.075)
    assert len(early.frame_times_sec) == 2
    assert early.coverage.lost_sec == 0


@pytest.mark.parametrize("rotation_deg", [0, 90, 180, 270])
def test_rotation_is_applied_also_when_scaling(tmp_path: Path, rotation_deg: int) -> None:
    upright = quartered_frame(48, 64)
    stored = np.rot90(upright, -rotation_deg // 90)
    write_video(tmp_path / "a.mp4", [stored] * 3, codec="libx264rgb", options={"qp": "0"}, rotation_deg=rotation_deg)
    np.testing.assert_array_equal(frames_of(tmp_path / "a.mp4")[0], upright)
    assert corner_colours(frames_of(tmp_path / "a.mp4", size_px=24)[1]) == ["red", "green", "blue", "white"]
    assert frames_of(tmp_path / "a.mp4", size_px=24).shape == (3, 24, 32, 3)
    assert frames_of(tmp_path / "a.mp4", size_px=(20, 30)).shape == (3, 20, 30, 3)


@pytest.mark.parametrize(
    ("codec", "pixel_format"),
    [
        ("ffv1", "yuv420p"),
        ("ffv1", "yuv420p10le"),
        ("ffv1", "yuv444p"),
        ("ffv1", "yuv422p10le"),
        ("ffv1", "gbrp10le"),
        ("ffv1", "bgra"),
        ("ffv1", "gray"),
        ("ffv1", "rgb48le"),
    ],
)
def test_pixel_formats_give_the_right_colours(tmp_path: Path, codec: str, pixel_format: str) -> None:
    greys = [20, 128, 235]
    frames = [np.full((48, 64, 3), grey, np.uint8) for grey in greys]
    write_video(tmp_path / "a.mkv", frames, codec=codec, pixel_format=pixel_format)
    for size in (None, 32):
        read = frames_of(tmp_path / "a.mkv", size_px=size)
        for grey, frame in zip(greys, read, strict=True):
            assert np.abs(frame.astype(int) - grey).max() <= 2
    write_video(tmp_path / "b.mkv", [quartered_frame()], codec=codec, pixel_format=pixel_format)
    if pixel_format != "gray":
        assert corner_colours(frames_of(tmp_path / "b.mkv")[0]) == ["red", "green", "blue", "white"]


def test_odd_sizes(tmp_path: Path) -> None:
    frames = [quartered_frame(35, 51)]
    write_video(tmp_path / "a.mkv", frames)
    np.testing.assert_array_equal(frames_of(tmp_path / "a.mkv"), frames)
    assert frames_of(tmp_path / "a.mkv", size_px=7).shape == (1, 7, 10, 3)


def test_sound_of_a_film_lies_beside_its_frames(tmp_path: Path) -> None:
    waveform = noise(2.0)
    path = write_coloured_video(tmp_path / "a.mkv", 50, waveform=waveform)
    clip = read_clip(path, 0.0, 1.0, video=True)
    np.testing.assert_array_equal(clip.waveform, waveform[:, :16000])
    assert clip.frames is not None
    assert frame_numbers(clip.frames) == list(range(25))


def test_changing_decoders_settings_does_not_change_frames(tmp_path: Path) -> None:
    path = write_coloured_video(tmp_path / "a.mkv", 300, key_frame_every=250)
    np.testing.assert_array_equal(frames_of(path, 9.0, 1.0), np.stack(coloured_frames(300)[225:250]))
