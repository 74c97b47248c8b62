"""A small corpus of films: a bright block goes up or down, before a background that each source has its own of."""

from pathlib import Path

import numpy as np

from avpipe.media import write_video

LOOK = (
    "task=action", "corpus=folders", "corpus.group_from=prefix", "trainer.max_epochs=1", "data.batch_size=8",
    "preprocess.window_sec=0.5", "preprocess.hop_sec=0.25", "preprocess.video.size_px=40",
    "preprocess.video.crop_px=32", "augment=none", "device=cpu", "data.workers=0",
)  # fmt: skip
"""Arguments of a command that learns it."""


def write_films(root: Path, sources: int = 4, takes: int = 2) -> Path:
    """Class folders ``up`` and ``down`` of films ``<source>_<take>.mkv`` of half a second."""
    for label in ("up", "down"):
        for source in range(sources):
            for take in range(takes):
                draw = np.random.default_rng([source, take, label == "up"])
                frames = [draw.integers(0, 60, (48, 64, 3), dtype=np.uint8) + np.uint8(15 * source) for _ in range(8)]
                for place, frame in enumerate(frames if label == "down" else frames[::-1]):
                    frame[4 * place : 4 * place + 12, 20 + 4 * take : 36 + 4 * take] = 230
                (root / label).mkdir(parents=True, exist_ok=True)
                write_video(root / label / f"s{source}_{take}.mkv", frames, fps=16)
    return root
