"""What a network that looks has to beat: logistic regression on how much moves, and on what a film's header tells.

    python -m scripts.floor_video runs/action_fights

RUN_DIR is that of ``avpipe train``, with or without ``cv``. Each floor learns from the training part of a fold alone
and is scored on its test part; the table has both beside the network's own ``metrics.json``. A network that is not
ahead of the first has learned no more than that fights move; one that is not ahead of the second may have learned how
a film was cut and stored.
"""

import argparse
from functools import cache
from pathlib import Path

import numpy as np

from avpipe.media import probe, read_clip
from scripts.floor import print_floors

_MOVED = (0.05, 0.15)
"""Changes of a pixel, of 1, that count as little and as much."""


@cache
def motion(path: Path) -> np.ndarray:
    """(24,): how four measures of a frame go over time, by mean, deviation, maximum, mean change and two percentiles.

    They are the mean and the deviation of its difference from the frame 0.08 s before, and the parts of it that changed
    by a little and by much.
    """
    frames = read_clip(path, audio=False, video=True, size_px=48, stride_sec=0.08).frames
    assert frames is not None
    change = np.abs(np.diff(frames.mean(axis=3) / 255.0, axis=0))
    measures = [change.mean((1, 2)), change.std((1, 2)), *((change > moved).mean((1, 2)) for moved in _MOVED)]
    rows = [
        [one.mean(), one.std(), one.max(), np.abs(np.diff(one)).mean(), *np.percentile(one, [10, 90])]
        for one in measures
    ]
    return np.array(rows).ravel()


@cache
def header(path: Path) -> np.ndarray:
    """(8,): size, shape, rate, length, frames, and bits a second of the file and of its sound."""
    info = probe(path)
    film = info.video[0]
    seconds = info.end_sec or 1.0
    return np.array(
        [
            film.width,
            film.height,
            film.width / film.height,
            film.average_fps or 0.0,
            seconds,
            film.frames or 0,
            np.log(path.stat().st_size / seconds),
            info.audio[0].bit_rate or 0 if info.audio else 0,
        ],
        dtype=float,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_dir", type=Path)
    print_floors(parser.parse_args().run_dir, {"motion": motion, "header": header})


if __name__ == "__main__":
    main()
