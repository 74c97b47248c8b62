"""Make data/samples/: digits spoken by espeak-ng, drawn moving pictures, and files that are awkward on purpose.

Needs the program espeak-ng (on Debian and Ubuntu: apt install espeak-ng); the rest comes with avpipe. The same
versions of espeak-ng and FFmpeg write the same bytes.

    python scripts/make_samples.py [FOLDER]
"""

import csv
import io
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
import soxr

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SAMPLES = Path(__file__).resolve().parent.parent / "data" / "samples"

PEAK = 0.6
"""Largest absolute sample of a spoken digit: a near voice, far from clipping."""

FILM_RATE_HZ = 16_000
HEIGHT_PX, WIDTH_PX = 72, 96
MILLISECOND = Fraction(1, 1000)


# -- sound


def say(digit: str, voice: str, rate_hz: int) -> np.ndarray:
    """One digit as mono samples at ``rate_hz``, trimmed to the word with 50 ms around it."""
    command = ["espeak-ng", "-v", voice, "-s", "150", "--stdout", digit]
    wav = subprocess.run(command, check=True, capture_output=True).stdout
    samples, spoken_rate_hz = soundfile.read(io.BytesIO(wav), dtype="float32")
    samples = soxr.resample(samples, spoken_rate_hz, rate_hz)
    loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
    word = samples[loud[0] : loud[-1] + 1]
    return np.pad(word * (PEAK / np.abs(word).max()), round(0.05 * rate_hz)).astype(np.float32)


def in_one_second(word: np.ndarray, rate_hz: int) -> np.ndarray:
    """The word in the middle of one second."""
    silence = rate_hz - len(word)
    return np.pad(word, (silence // 2, silence - silence // 2))


def write_sound(path: Path, word: np.ndarray, rate_hz: int) -> None:
    soundfile.write(path, word, rate_hz)


def write_stereo(path: Path, word: np.ndarray, rate_hz: int) -> None:
    """Left louder than right."""
    soundfile.write(path, np.stack([word, 0.7 * word], axis=1), rate_hz)


def write_opus(path: Path, word: np.ndarray, rate_hz: int) -> None:
    """By FFmpeg, because libsndfile draws the serial number of an Ogg stream by the clock."""
    with av.open(str(path), "w", format="ogg", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libopus", rate=rate_hz, layout="mono", bit_rate=32_000)
        mux_sound(container, stream, word, rate_hz)


def write_truncated_sound(path: Path, word: np.ndarray, rate_hz: int) -> None:
    """A wav whose header promises three seconds and which ends after one."""
    soundfile.write(path, np.pad(in_one_second(word, rate_hz), (0, 2 * rate_hz)), rate_hz)
    promised = path.read_bytes()
    two_seconds_bytes = 2 * rate_hz * 2
    path.write_bytes(promised[:-two_seconds_bytes])


# -- pictures


def draw(time_sec: float, duration_sec: float) -> np.ndarray:
    """One picture: a pulsing disc that wanders to the right, over a ground that is bright above and dark below.

    Shape: (HEIGHT_PX, WIDTH_PX, 3), RGB, uint8.
    """
    rows, columns = np.mgrid[:HEIGHT_PX, :WIDTH_PX]
    ground = 160 - 120 * rows / HEIGHT_PX
    picture = np.stack([0.5 * ground, 0.7 * ground, ground], axis=-1)
    centre = WIDTH_PX * (0.2 + 0.6 * time_sec / duration_sec)
    radius = 11 + 5 * np.sin(2 * np.pi * 2 * time_sec)
    disc = (rows - HEIGHT_PX / 2) ** 2 + (columns - centre) ** 2 < radius**2
    picture[disc] = (240, 200, 60)
    return picture.astype(np.uint8)


def write_pictures(
    path: Path, times_sec: np.ndarray, duration_sec: float, sound: np.ndarray | None = None, rotation_deg: int = 0
) -> None:
    """Write pictures shown at ``times_sec`` (h264) and mono sound at ``FILM_RATE_HZ`` (aac) to an mp4.

    The display matrix asks for a counter-clockwise turn by ``rotation_deg``; the pictures are stored turned the other
    way, so a player that obeys shows them upright.
    """
    # Bit-exact: no dates, no versions. The index stands in front, so that a file cut short can still be read.
    options = {"fflags": "+bitexact", "movflags": "+faststart"}
    with av.open(str(path), "w", format="mp4", options=options) as container:
        # With macroblock trees, x264 looks beyond the edges of pictures this small and writes other bytes each time.
        video = container.add_stream("libx264", options={"crf": "30", "x264-params": "threads=1:mbtree=0"})
        video.pix_fmt = "yuv420p"
        video.width, video.height = (WIDTH_PX, HEIGHT_PX) if rotation_deg % 180 == 0 else (HEIGHT_PX, WIDTH_PX)
        video.codec_context.time_base = MILLISECOND
        if rotation_deg:
            video.set_display_rotation(rotation_deg)
        if sound is not None:
            audio = container.add_stream("aac", rate=FILM_RATE_HZ, layout="mono", bit_rate=32_000)
            mux_sound(container, audio, sound, FILM_RATE_HZ)
        for time_sec in times_sec:
            picture = np.rot90(draw(time_sec, duration_sec), -rotation_deg // 90)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = round(time_sec / MILLISECOND), MILLISECOND
            container.mux(video.encode(frame))
        container.mux(video.encode())


def mux_sound(container: Any, stream: Any, samples: np.ndarray, rate_hz: int) -> None:
    """Encode mono samples into a stream, to the last."""
    stream.codec_context.flags |= av.codec.context.Flags.bitexact
    frame = av.AudioFrame.from_ndarray(samples[None, :], format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = rate_hz, 0, Fraction(1, rate_hz)
    container.mux(stream.encode(frame))
    container.mux(stream.encode())


def write_film(path: Path, word: np.ndarray, rate_hz: int) -> None:
    write_pictures(path, np.arange(0, 1, 0.04), 1.0, in_one_second(word, rate_hz))


def write_rotated_film(path: Path, word: np.ndarray, rate_hz: int) -> None:
    write_pictures(path, np.arange(0, 1, 0.04), 1.0, in_one_second(word, rate_hz), rotation_deg=90)


def write_variable_rate_film(path: Path, word: np.ndarray, rate_hz: int) -> None:
    """First quick, then slow: the number of a frame says little about its time."""
    times_sec = np.concatenate([np.arange(0, 0.48, 0.04), np.arange(0.48, 1, 0.13)])
    write_pictures(path, times_sec, 1.0, in_one_second(word, rate_hz))


def write_truncated_film(path: Path, word: np.ndarray, rate_hz: int) -> None:
    """Three seconds, the digit said in each; the file is cut a little behind the middle."""
    write_pictures(path, np.arange(0, 3, 0.04), 3.0, np.tile(in_one_second(word, rate_hz), 3))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])


# -- the folder


@dataclass(frozen=True, slots=True)
class Spoken:
    """One file in which a digit is said."""

    path: str
    digit: str
    voice: str
    rate_hz: int = 16_000
    write: Callable[[Path, np.ndarray, int], None] = write_sound


# Voices that people and the shipped bundle both understand. They show that the line from a file to an answer works;
# they are no measure of accuracy: that stands in the bundle's card.
SPOKEN = (
    Spoken("zero.wav", "zero", "en-gb-x-rp+f5", rate_hz=8_000),
    Spoken("one.wav", "one", "en-us+klatt2"),
    Spoken("two.flac", "two", "en-us+m4"),
    Spoken("three.opus", "three", "en-us+m6", 48_000, write_opus),
    Spoken("four_stereo_44100.mp3", "four", "en-gb-scotland+m8", 44_100, write_stereo),
    Spoken("six_film.mp4", "six", "en-us+adam", FILM_RATE_HZ, write_film),
    Spoken("eight_rotated.mp4", "eight", "en-gb-x-rp+m2", FILM_RATE_HZ, write_rotated_film),
    Spoken("nine_variable_rate.mp4", "nine", "en-us+f2", FILM_RATE_HZ, write_variable_rate_film),
    Spoken("three_truncated.wav", "three", "en-us+m5", 8_000, write_truncated_sound),
    Spoken("nine_truncated.mp4", "nine", "en-us+f5", FILM_RATE_HZ, write_truncated_film),
    Spoken("a/seven.wav", "seven", "en-us+f2"),
    Spoken("b/seven.wav", "seven", "en-gb-x-rp+f5"),
    Spoken("two (take 3) [final] \N{MICROPHONE}.wav", "two", "en-gb-x-rp+Alex"),
)


def write_labels(path: Path) -> None:
    """What is said in which file, as a manifest for `corpus=manifest`: labels as in FSDD, the voice as group."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", "label", "group", "text"])
        for spoken in SPOKEN:
            writer.writerow([spoken.path, DIGITS.index(spoken.digit), spoken.voice, spoken.digit])


def make_samples(folder: Path) -> None:
    """Write all samples into ``folder``."""
    for spoken in SPOKEN:
        path = folder / spoken.path
        path.parent.mkdir(parents=True, exist_ok=True)
        spoken.write(path, say(spoken.digit, spoken.voice, spoken.rate_hz), spoken.rate_hz)
    write_pictures(folder / "film_without_sound.mp4", np.arange(0, 3, 0.04), 3.0)
    (folder / "text.wav").write_text("This is a text that calls itself a sound.\n", encoding="utf-8")
    (folder / "empty.flac").write_bytes(b"")
    write_labels(folder / "labels.csv")


def main() -> int:
    if shutil.which("espeak-ng") is None:
        print("make_samples: espeak-ng: not found; install it (Debian, Ubuntu: apt install espeak-ng)", file=sys.stderr)
        return 2
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES
    make_samples(folder)
    files = [path for path in folder.rglob("*") if path.is_file()]
    print(f"{folder}: {len(files)} files, {sum(path.stat().st_size for path in files) / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
