"""Put noise over the recordings and films of a folder: hum, hiss and knocks that code makes, 5 dB below the speech.

usage: python scripts/make_noisy.py INPUT OUTPUT

Recordings are written as WAV at their own rate, behind two seconds of noise alone. Films stay as long as they are and
keep their pictures. What cannot be read is left out.
"""

import sys
from functools import partial
from pathlib import Path

import numpy as np

from avpipe.augment.noise import mixed
from avpipe.augment.synthetic_noise import hum, knocks, modulated_noise
from avpipe.media import MediaError, find_media, probe, read_clip, write_audio
from avpipe.media.rewrite import SoundForm, rewrite_sound

RATIO_DB = 5.0
PAUSE_SEC = 2.0
PEAK = 0.5
MAKERS = (hum, knocks, modulated_noise)


class Noise:
    """Noise for one recording, and a filter that puts it over the sound of a film.

    Args:
        waveform: (channels, samples), the speech.
        sample_rate: Hz.
        pause_sec: of noise before it.
        seed: of the noise, and which kind it is.
    """

    def __init__(self, waveform: np.ndarray, sample_rate: int, pause_sec: float, seed: int) -> None:
        make = MAKERS[seed % len(MAKERS)]
        noise = make(waveform.shape[1] + round(pause_sec * sample_rate), sample_rate, np.random.default_rng(seed))
        # The ratio is meant where there is speech.
        behind = noise[-waveform.shape[1] :]
        self.samples = noise * np.float32((mixed(waveform, behind, RATIO_DB) - waveform)[0].std() / behind.std())
        self.gain = np.float32(PEAK / np.abs(waveform).max())
        self._silence = np.zeros((len(waveform), 0), np.float32)
        self._passed = 0

    def push(self, block: np.ndarray) -> np.ndarray:
        places = range(self._passed, self._passed + block.shape[1])
        self._passed = places.stop
        return self.gain * (block + self.samples.take(places, mode="wrap"))

    def finish(self) -> np.ndarray:
        return self._silence


def _same(noise: Noise, form: SoundForm) -> Noise:
    return noise


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    root, output = map(Path, sys.argv[1:])
    for place, path in enumerate(find_media(root)):
        try:
            clip = read_clip(path, video=False)
        except MediaError:
            continue
        if clip.waveform is None or clip.sample_rate is None:
            continue
        name = output / path.relative_to(root)
        name.parent.mkdir(parents=True, exist_ok=True)
        if probe(path).video:
            noise = Noise(clip.waveform, clip.sample_rate, 0.0, place)
            rewrite_sound(path, name, partial(_same, noise))
        else:
            noise = Noise(clip.waveform, clip.sample_rate, PAUSE_SEC, place)
            sound = noise.samples + np.pad(clip.waveform, ((0, 0), (noise.samples.size - clip.waveform.shape[1], 0)))
            write_audio(name.with_suffix(".wav"), noise.gain * sound, clip.sample_rate)
    print(f"{output}: {sum(1 for _ in find_media(output))} noisy recordings and films")


if __name__ == "__main__":
    main()
