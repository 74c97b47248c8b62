"""Make a small corpus of class folders: five kinds of short sounds, each file drawn anew.

What tells the classes apart is the course of pitch and loudness over the second; pitch, level, length and background
noise are drawn at random, so a network that only learnt those would fail. The same seed writes the same bytes.

    python scripts/make_sound_corpus.py FOLDER [FILES_PER_CLASS [SEED]]
"""

import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 16_000
SECONDS = 1.0


def glide(from_hz: float, to_hz: float, duration_sec: float) -> np.ndarray:
    """A tone whose pitch goes evenly, in octaves, from one frequency to the other."""
    frequency_hz = np.geomspace(from_hz, to_hz, round(duration_sec * RATE_HZ))
    return np.sin(2 * np.pi * np.cumsum(frequency_hz) / RATE_HZ)


def rising(generator: np.random.Generator, duration_sec: float) -> np.ndarray:
    low_hz = generator.uniform(200, 1200)
    return glide(low_hz, low_hz * generator.uniform(2, 4), duration_sec)


def falling(generator: np.random.Generator, duration_sec: float) -> np.ndarray:
    return rising(generator, duration_sec)[::-1]


def steady(generator: np.random.Generator, duration_sec: float) -> np.ndarray:
    frequency_hz = generator.uniform(200, 4000)
    return glide(frequency_hz, frequency_hz, duration_sec)


def hiss(generator: np.random.Generator, duration_sec: float) -> np.ndarray:
    return generator.uniform(-1, 1, round(duration_sec * RATE_HZ))


def clicks(generator: np.random.Generator, duration_sec: float) -> np.ndarray:
    samples = np.zeros(round(duration_sec * RATE_HZ))
    samples[:: round(RATE_HZ / generator.uniform(8, 20))] = 1.0
    decay = np.exp(-np.arange(80) / generator.uniform(5, 20))
    return np.convolve(samples, decay)[: len(samples)]


KINDS: tuple[Callable[[np.random.Generator, float], np.ndarray], ...] = (rising, falling, steady, hiss, clicks)


def draw_sound(kind: Callable[[np.random.Generator, float], np.ndarray], generator: np.random.Generator) -> np.ndarray:
    """One sound of a kind: somewhere in its second, at some level, over some noise.

    Shape: (samples,), float64, in [-1, 1].
    """
    duration_sec = generator.uniform(0.5, 0.9)
    start = round(generator.uniform(0, SECONDS - duration_sec) * RATE_HZ)
    sound = kind(generator, duration_sec) * generator.uniform(0.1, 0.8)
    background = generator.uniform(-1, 1, round(SECONDS * RATE_HZ)) * generator.uniform(0.001, 0.02)
    background[start : start + len(sound)] += sound
    return np.clip(background, -1, 1)


def make_sound_corpus(folder: Path, files_per_class: int = 40, seed: int = 0) -> None:
    """Write ``folder/<class>/<number>.wav``."""
    for kind in KINDS:
        (folder / kind.__name__).mkdir(parents=True, exist_ok=True)
        for number in range(files_per_class):
            # A seed per file: more files leave the first ones as they are.
            generator = np.random.default_rng([seed, zlib.crc32(kind.__name__.encode()), number])
            soundfile.write(folder / kind.__name__ / f"{number:03}.wav", draw_sound(kind, generator), RATE_HZ)


def main() -> int:
    if not 2 <= len(sys.argv) <= 4:
        print("usage: python scripts/make_sound_corpus.py FOLDER [FILES_PER_CLASS [SEED]]", file=sys.stderr)
        return 2
    folder = Path(sys.argv[1])
    make_sound_corpus(folder, *map(int, sys.argv[2:]))
    print(f"{folder}: {len(list(folder.rglob('*.wav')))} files in {len(KINDS)} class folders")
    return 0


if __name__ == "__main__":
    sys.exit(main())
