"""A small corpus that can be learned in seconds: sweeps up and down, by voices of different pitch, in noise."""

from pathlib import Path

import numpy as np

from avpipe.media import write_audio

RATE_HZ = 8000

LEARN = (
    "task=sound_event", "corpus=folders", "corpus.group_from=prefix", "trainer.max_epochs=3", "data.batch_size=8",
    "preprocess=mel_8k", "preprocess.window_sec=0.4", "preprocess.hop_sec=0.2", "preprocess.audio.n_mels=24",
    "encoder.channels=[4,8]", "encoder.bands=1", "device=cpu", "data.workers=0",
)  # fmt: skip
"""Arguments of a command that learns it."""


def write_corpus(root: Path, groups: int = 6, takes: int = 5) -> Path:
    """Class folders ``up`` and ``down`` of files ``<group>_<take>.wav``."""
    for label, direction in (("up", 1.0), ("down", -1.0)):
        (root / label).mkdir(parents=True)
        for group in range(groups):
            for take in range(takes):
                draw = np.random.default_rng([group, take, label == "up"])
                seconds = np.arange(int(RATE_HZ * draw.uniform(0.35, 0.7))) / RATE_HZ
                base_hz = 600.0 + 150.0 * group + draw.uniform(-40, 40)
                phase = 2 * np.pi * (base_hz * seconds + direction * 500.0 * seconds**2)
                waveform = 0.3 * np.sin(phase) + 0.05 * draw.standard_normal(len(seconds))
                write_audio(root / label / f"g{group}_{take}.wav", waveform.astype(np.float32)[None], RATE_HZ)
    return root
