"""Put noise over the recordings of a folder: hum, hiss and knocks that code makes, 5 dB below the speech.

usage: python scripts/make_noisy.py INPUT OUTPUT

Whatever sound can be read is written as WAV, two seconds of noise before it, at its own rate; films are left out.
"""

import sys
from pathlib import Path

import numpy as np

from avpipe.augment.noise import mixed
from avpipe.augment.synthetic_noise import hum, knocks, modulated_noise
from avpipe.media import MediaError, find_media, read_clip, write_audio

RATIO_DB = 5.0
PAUSE_SEC = 2.0
MAKERS = (hum, knocks, modulated_noise)


def noisy(waveform: np.ndarray, sample_rate: int, seed: int) -> np.ndarray:
    """(channels, samples) to the same behind a pause, all under noise, the peak at a half."""
    noise = MAKERS[seed % len(MAKERS)](
        waveform.shape[1] + round(PAUSE_SEC * sample_rate), sample_rate, np.random.default_rng(seed)
    )
    # The ratio is meant where there is speech.
    behind = noise[-waveform.shape[1] :]
    gain = (mixed(waveform, behind, RATIO_DB) - waveform)[0].std() / behind.std()
    sound = np.pad(waveform, ((0, 0), (noise.size - waveform.shape[1], 0))) + np.float32(gain) * noise
    return sound * np.float32(0.5 / np.abs(sound).max())


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    root, output = map(Path, sys.argv[1:])
    for place, path in enumerate(find_media(root)):
        try:
            clip = read_clip(path, video=False)
        except MediaError:
            continue
        if clip.waveform is not None and clip.sample_rate is not None and path.suffix != ".mp4":
            name = output / path.relative_to(root).with_suffix(".wav")
            name.parent.mkdir(parents=True, exist_ok=True)
            write_audio(name, noisy(clip.waveform, clip.sample_rate, place), clip.sample_rate)
    print(f"{output}: {sum(1 for _ in find_media(output))} noisy recordings")


if __name__ == "__main__":
    main()
