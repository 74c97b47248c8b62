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
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
import soundfile
import soxr

from avpipe.media import write_audio, write_video

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SAMPLES = Path(__file__).resolve().parent.parent / "data" / "samples"

PEAK = 0.6
"""Largest absolute sample of a spoken digit: a near voice, far from clipping."""

HEIGHT_PX, WIDTH_PX = 72, 96

SAME_BYTES = {"crf": "30", "x264-params": "threads=1:mbtree=0"}
"""With macroblock trees, x264 looks beyond the edges of pictures this small and writes other bytes each time."""


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


def write_sound(path: Path, word: np.ndarray, rate_hz: int) -> None:
    write_audio(path, word[None], rate_hz)


def write_stereo(path: Path, word: np.ndarray, rate_hz: int) -> None:
    """Left louder than right."""
    write_audio(path, np.stack([word, 0.7 * word]), rate_hz)


def write_truncated_sound(path: Path, word: np.ndarray, rate_hz: int) -> None:
    """A wav whose header promises two seconds more than there are."""
    missing = 2 * rate_hz
    write_sound(path, np.pad(word, (0, missing)), rate_hz)
    path.write_bytes(path.read_bytes()[: -2 * missing])


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


def draw_all(times_sec: np.ndarray) -> list[np.ndarray]:
    return [draw(time_sec, times_sec[-1]) for time_sec in times_sec]


def even_times(duration_sec: float) -> np.ndarray:
    """Presentation times in seconds, 25 a second."""
    return np.arange(0, duration_sec, 0.04)


def write_film(path: Path, word: np.ndarray, rate_hz: int) -> None:
    pictures = draw_all(even_times(len(word) / rate_hz))
    write_video(path, pictures, waveform=word[None], sample_rate=rate_hz, options=SAME_BYTES)


def write_rotated_film(path: Path, word: np.ndarray, rate_hz: int) -> None:
    """Stored turned clockwise; the display matrix asks for the turn back."""
    pictures = [np.rot90(picture, -1) for picture in draw_all(even_times(len(word) / rate_hz))]
    write_video(path, pictures, waveform=word[None], sample_rate=rate_hz, options=SAME_BYTES, rotation_deg=90)


def write_variable_rate_film(path: Path, word: np.ndarray, rate_hz: int) -> None:
    """First quick, then slow: the number of a frame says little about its time."""
    quick_then_slow = np.concatenate([even_times(0.24), np.arange(0.24, len(word) / rate_hz, 0.1)])
    pictures = draw_all(quick_then_slow)
    times = quick_then_slow.tolist()
    write_video(path, pictures, times_sec=times, waveform=word[None], sample_rate=rate_hz, options=SAME_BYTES)


def write_truncated_film(path: Path, word: np.ndarray, rate_hz: int) -> None:
    """Two seconds longer than the word; the file is cut soon after it."""
    duration_sec = len(word) / rate_hz + 2
    sound = np.pad(word, (0, 2 * rate_hz))[None]
    with TemporaryDirectory() as folder:
        film = Path(folder, "film.mp4")
        write_video(film, draw_all(even_times(duration_sec)), waveform=sound, sample_rate=rate_hz, options=SAME_BYTES)
        copy_with_index_in_front(film, path)
    with av.open(path) as whole:
        # The index to the packets, and as many of them as hold the word.
        end = next(packet.pos for packet in whole.demux(audio=0) if (packet.pts or 0) > len(word))
    path.write_bytes(path.read_bytes()[:end])


def copy_with_index_in_front(source_path: Path, target_path: Path) -> None:
    """Copy an mp4 packet by packet, as one does for the web: cut short, it can still be read."""
    options = {"movflags": "+faststart"}
    with av.open(source_path) as source, av.open(target_path, "w", options=options) as target:
        streams = {stream: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream]
                target.mux(packet)


def write_silent_film(path: Path) -> None:
    write_video(path, draw_all(even_times(3.0)), options=SAME_BYTES)


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
    Spoken("zero.wav", "zero", "en-us+klatt4", rate_hz=8_000),
    Spoken("one.wav", "one", "en-us+paul"),
    Spoken("two.flac", "two", "en-gb"),
    Spoken("three.m4a", "three", "en-gb-x-rp+m8", rate_hz=48_000),
    Spoken("four_stereo_44100.mp3", "four", "en-gb-x-rp+paul", 44_100, write_stereo),
    Spoken("five (take 3) [final] \N{MICROPHONE}.wav", "five", "en-us+m1"),
    Spoken("six_film.mp4", "six", "en-gb-scotland+max", 16_000, write_film),
    Spoken("a/seven.wav", "seven", "en-gb-x-rp+adam"),
    Spoken("b/seven.wav", "seven", "en-us+m5"),
    Spoken("eight_rotated.mp4", "eight", "en-gb-x-rp+f2", 16_000, write_rotated_film),
    Spoken("nine_variable_rate.mp4", "nine", "en-gb-scotland+m7", 16_000, write_variable_rate_film),
    Spoken("three_truncated.wav", "three", "en-us+john", 8_000, write_truncated_sound),
    Spoken("one_truncated.mp4", "one", "en-gb-x-rp+f3", 16_000, write_truncated_film),
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
    write_silent_film(folder / "film_without_sound.mp4")
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
