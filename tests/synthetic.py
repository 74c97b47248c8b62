"""Tiny synthetic media whose every sample and pixel is known, for tests of whatever reads media."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from avpipe.media import write_audio, write_video

RATE_HZ = 16_000
FPS = 25
HEIGHT_PX, WIDTH_PX = 48, 64


def tone(
    duration_sec: float, frequency_hz: float = 1000.0, rate_hz: int = RATE_HZ, amplitude: float = 0.5
) -> np.ndarray:
    """(1, samples) float32: a sine of one frequency."""
    seconds = np.arange(round(duration_sec * rate_hz)) / rate_hz
    return (amplitude * np.sin(2 * np.pi * frequency_hz * seconds)).astype(np.float32)[np.newaxis]


def noise(duration_sec: float, channels: int = 1, rate_hz: int = RATE_HZ, seed: int = 0) -> np.ndarray:
    """(channels, samples) float32 that 16-bit files hold exactly: no two stretches are alike."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(-8000, 8000, (channels, round(duration_sec * rate_hz)))
    return (steps / 32768).astype(np.float32)


def colour_of(index: int) -> np.ndarray:
    """(3,) uint8: the colour of frame ``index``, another one for each of the first 65536."""
    return np.array([index % 256, (37 * index + 11) % 256, index // 256], dtype=np.uint8)


def coloured_frames(count: int, height: int = HEIGHT_PX, width: int = WIDTH_PX) -> list[np.ndarray]:
    """``count`` pictures of (height, width, 3) uint8; frame k has the colour k all over."""
    return [np.broadcast_to(colour_of(index), (height, width, 3)).copy() for index in range(count)]


def frame_numbers(frames: np.ndarray) -> list[int]:
    """Which of ``coloured_frames`` these (T, H, W, 3) are; fails on any pixel of another colour."""
    numbers = [int(frame[0, 0, 0]) + 256 * int(frame[0, 0, 2]) for frame in frames]
    for number, frame in zip(numbers, frames, strict=True):
        np.testing.assert_array_equal(frame, np.broadcast_to(colour_of(number), frame.shape))
    return numbers


def quartered_frame(height: int = HEIGHT_PX, width: int = WIDTH_PX) -> np.ndarray:
    """(height, width, 3) uint8: red top left, green top right, blue bottom left, white bottom right."""
    frame = np.full((height, width, 3), 255, dtype=np.uint8)
    frame[: height // 2, : width // 2] = 255, 0, 0
    frame[: height // 2, width // 2 :] = 0, 255, 0
    frame[height // 2 :, : width // 2] = 0, 0, 255
    return frame


def corner_colours(frame: np.ndarray) -> list[str]:
    """Names of the colours in the corners, as one reads: top left, top right, bottom left, bottom right."""
    names = {(1, 0, 0): "red", (0, 1, 0): "green", (0, 0, 1): "blue", (1, 1, 1): "white"}
    corners = frame[2, 2], frame[2, -3], frame[-3, 2], frame[-3, -3]
    return [names.get((int(red > 128), int(green > 128), int(blue > 128)), "other") for red, green, blue in corners]


def write_coloured_video(
    path: Path,
    count: int = 50,
    *,
    fps: float | Fraction = FPS,
    times_sec: Sequence[float] | None = None,
    waveform: np.ndarray | None = None,
    sample_rate: int = RATE_HZ,
    rotation_deg: int = 0,
    key_frame_every: int = 12,
) -> Path:
    """A film without loss (H.264 in RGB, with B-frames) of ``coloured_frames``; sound, where given, as FLAC.

    ``path`` ends in ``.mkv`` or, without sound, in ``.mp4``.
    """
    write_video(
        path,
        coloured_frames(count),
        fps=fps,
        times_sec=times_sec,
        waveform=waveform,
        sample_rate=sample_rate if waveform is not None else None,
        codec="libx264rgb",
        options={"qp": "0", "preset": "ultrafast", "bf": "2", "g": str(key_frame_every)},
        rotation_deg=rotation_deg,
    )
    return path


def write_noise_wav(
    path: Path, duration_sec: float = 2.0, channels: int = 1, rate_hz: int = RATE_HZ, seed: int = 0
) -> np.ndarray:
    """Write ``noise`` to a wav or flac file and return it; reading gives exactly these samples."""
    waveform = noise(duration_sec, channels, rate_hz, seed)
    write_audio(path, waveform, rate_hz, subtype="PCM_16")
    return waveform


def write_text_named_wav(path: Path) -> Path:
    """A text whose name promises sound."""
    path.write_text("This is no sound at all.\n" * 40, encoding="utf-8")
    return path


def truncate(path: Path, fraction: float) -> Path:
    """Keep only the first part of a file's bytes."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * fraction)])
    return path


def damage(path: Path, from_fraction: float, to_fraction: float, seed: int = 0) -> Path:
    """Overwrite a stretch of a file's bytes with noise."""
    content = bytearray(path.read_bytes())
    start, end = int(len(content) * from_fraction), int(len(content) * to_fraction)
    content[start:end] = np.random.default_rng(seed).integers(0, 256, end - start, dtype=np.uint8).tobytes()
    path.write_bytes(content)
    return path


def write_resized_video(path: Path, sizes: Sequence[tuple[int, int]] = ((48, 64), (96, 80)), count: int = 25) -> Path:
    """A transport stream (``.ts``) whose frames change their size, every ``count`` of them: parts put end to end."""
    parts = []
    for place, (height, width) in enumerate(sizes):
        times_sec = [(place * count + index) / FPS for index in range(count)]
        part = path.with_name(f"{place}.{path.name}")
        write_video(part, coloured_frames(count, height, width), times_sec=times_sec)
        parts.append(part.read_bytes())
        part.unlink()
    path.write_bytes(b"".join(parts))
    return path
