"""A corpus that a random split flatters: each speaker has one label, and nothing but the speaker can be heard.

usage: python scripts/make_leaky_corpus.py FOLDER [SPEAKERS] [TAKES]

Every speaker has a chord of three tones of his own and one of two labels, ill or well, drawn without regard to it. Who
knows the speaker knows the label; of a speaker never heard nothing can be known. ``avpipe train corpus=folders
corpus.group_from=prefix leakage=true`` shows it: nearly all right on a random split, and chance by group.
"""

import itertools
import sys
from pathlib import Path

import numpy as np

from avpipe.media import write_audio

RATE_HZ = 8000
TONES_HZ = (200.0, 330.0, 480.0, 660.0, 880.0, 1140.0, 1460.0, 1860.0, 2360.0, 2980.0)
"""Far enough apart for each to stand in bands of its own."""
LABELS = ("ill", "well")


def write_corpus(root: Path, speakers: int = 40, takes: int = 16) -> int:
    """Write ``LABEL/<speaker>_<take>.wav``; returns the number of files."""
    draw = np.random.default_rng(20261126)
    chords = list(itertools.combinations(TONES_HZ, 3))
    chosen = draw.permutation(len(chords))[:speakers]
    labels = draw.permutation([LABELS[place % 2] for place in range(speakers)])
    for speaker, (chord, label) in enumerate(zip(chosen, labels, strict=True)):
        (root / label).mkdir(parents=True, exist_ok=True)
        for take in range(takes):
            seconds = np.arange(int(RATE_HZ * draw.uniform(0.4, 0.6))) / RATE_HZ
            tones = [np.sin(2 * np.pi * (hz * seconds + draw.uniform())) for hz in chords[chord]]
            waveform = draw.uniform(0.05, 0.15) * np.sum(tones, axis=0) + 0.01 * draw.standard_normal(len(seconds))
            write_audio(root / label / f"s{speaker:03}_{take}.wav", waveform.astype(np.float32)[None], RATE_HZ)
    return speakers * takes


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    folder, *sizes = sys.argv[1:]
    print(f"{folder}: {write_corpus(Path(folder), *map(int, sizes))} files of {len(LABELS)} labels")
