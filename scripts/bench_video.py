"""Speed of films on their way into a training batch against the libraries that people would otherwise use, and of
training itself against a bare loop.

    THP_MEM_ALLOC_ENABLE=1 python -m scripts.bench_video [--training-only]

A batch is clips of 16 frames of 112x112, an eighth of a second apart, scaled to a shorter side of 128, cut from the
middle, standardised, as ``task=action`` reads them. Peers take the same frames of the same films to the same batch, by
the fastest way that each documents. It prints the peer's median seconds divided by ours, over interleaved repeats of
one run: above 1 ours is faster. Then clips a second of ``avpipe train`` on cached clips beside a bare PyTorch loop over
the same tensors and the same network. Exit status 1 where a ratio is below 0.9. The variable is what the command
``avpipe`` sets for itself, memory in large pages; all sides have it here.

The peers are set up as ``scripts/bench_media.py`` tells; the short films are those of ``fights`` below
``$AVPIPE_CORPORA``, the long one is drawn.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from avpipe.config import compose, instantiate, plain
from avpipe.corpora import Example
from avpipe.features import FrameStack, Preprocessor, collate
from avpipe.media import find_media
from avpipe.training.recordings import Reader, Recording, measure
from scripts.bench_media import decoded_until, long_film
from scripts.bench_training import cached
from scripts.measure import REPEATS, Comparison, Row

CLIPS = 16
MARK = 0.9

Place = tuple[Recording, float]
"""A recording, and where in it a clip begins, in seconds."""


def places(paths: Sequence[Path], count: int, window_sec: float) -> list[Place]:
    """Random windows of random films, as training draws them."""
    recordings, _ = measure([Example(path, None) for path in paths])
    rng = np.random.default_rng(0)
    chosen = (recordings[index] for index in rng.integers(len(recordings), size=count))
    return [(one, float(rng.uniform(0.0, max(0.0, one.duration_sec - window_sec)))) for one in chosen]


class Batches:
    """The same clips as one batch, each way.

    Args:
        preprocessor: of ``task=action``.
        wanted: the clips.
    """

    def __init__(self, preprocessor: Preprocessor, wanted: Sequence[Place]) -> None:
        assert isinstance(preprocessor.video, FrameStack)
        self.video = preprocessor.video
        self.reader = Reader(preprocessor)
        self.wanted = wanted
        self.steps = preprocessor.window_steps
        self.sizes = {place[0].example.path: self._size(place) for place in wanted}

    def times(self, place: Place) -> np.ndarray:
        """Times of the frames on show, from the film's start, within the film."""
        recording, start_sec = place
        seconds = min(self.reader.preprocessor.window_sec, recording.duration_sec - start_sec)
        return start_sec + self.video.stride_sec * np.arange(self.video.num_steps(seconds))

    def _size(self, place: Place) -> tuple[int, int]:
        frames = self.reader.clip(*place).frames
        assert frames is not None
        return frames.shape[1], frames.shape[2]

    def ours(self) -> torch.Tensor:
        items = [self.reader.preprocessor(self.reader.clip(*place)) for place in self.wanted]
        return collate(items, self.steps)[0]["video"]

    def of(self, read: Callable[[Path, np.ndarray], torch.Tensor]) -> torch.Tensor:
        """The batch of a peer, which reads (T, 3, 112, 112), uint8, of a film at given times."""
        rows = torch.zeros(len(self.wanted), 3, self.steps["video"], self.video.crop_px, self.video.crop_px)
        for row, place in zip(rows, self.wanted, strict=True):
            frames = read(place[0].example.path, self.times(place)).transpose(0, 1)
            row[:, : frames.shape[1]] = (frames.float() / 255.0 - self.video.mean) / self.video.std
        return rows

    def decode(self) -> None:
        """Only decode what the clips need, from the key frame before each."""
        for place in self.wanted:
            times = self.times(place)
            decoded_until(place[0].example.path, float(times[0]), float(times[-1]))

    def scaled(self, path: Path) -> tuple[int, int]:
        """(height, width) of a film's picture, seen with square pixels, whose shorter side is scaled."""
        return self.sizes[path]

    def corner(self, height: int, width: int) -> tuple[int, int]:
        """Top and left of the square in the middle of a scaled picture."""
        return (height - self.video.crop_px) // 2, (width - self.video.crop_px) // 2


def with_opencv(cv2: Any, batches: Batches) -> Callable[[Path, np.ndarray], torch.Tensor]:
    """Seek to the first frame's index, step over those between two frames without converting them."""

    def read(path: Path, times: np.ndarray) -> torch.Tensor:
        capture = cv2.VideoCapture(str(path))
        try:
            rate = capture.get(cv2.CAP_PROP_FPS)
            indices = np.floor(times * rate + 0.01).astype(int)
            if indices[0]:
                capture.set(cv2.CAP_PROP_POS_FRAMES, int(indices[0]))
            frames: list[np.ndarray] = []
            following = indices[0]
            for index in indices:
                while following <= index and capture.grab():
                    following += 1
                decoded, picture = capture.retrieve()
                if not decoded or following <= index:
                    break
                frames.append(squared(path, picture))
            return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)
        finally:
            capture.release()

    def squared(path: Path, picture: np.ndarray) -> np.ndarray:
        height, width = batches.scaled(path)
        top, left = batches.corner(height, width)
        small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
        square = small[top : top + batches.video.crop_px, left : left + batches.video.crop_px]
        return np.asarray(cv2.cvtColor(square, cv2.COLOR_BGR2RGB))

    return read


def with_torchcodec(
    decoders: Any, transforms: Any, batches: Batches, seek_mode: str
) -> Callable[[Path, np.ndarray], torch.Tensor]:
    """Scale and cut in the decoder, and ask for all times at once."""

    def read(path: Path, times: np.ndarray) -> torch.Tensor:
        changes = [transforms.Resize(batches.scaled(path)), transforms.CenterCrop((batches.video.crop_px,) * 2)]
        decoder = decoders.VideoDecoder(path, seek_mode=seek_mode, transforms=changes)
        begin, end = decoder.metadata.begin_stream_seconds, decoder.metadata.end_stream_seconds
        return decoder.get_frames_played_at([begin + sec for sec in times if begin + sec < end]).data

    return read


def bench_reading(title: str, batches: Batches, repeats: int = REPEATS) -> Row:
    """Seconds a batch, against OpenCV and torchcodec."""
    compared = Comparison("media", f"{len(batches.wanted)} clips of {title} into a batch", {"avpipe": batches.ours})
    if found := compared.against("opencv", "cv2"):
        found[0].setNumThreads(1)  # of its scaling, as torch's
        compared.jobs["opencv"] = partial(batches.of, with_opencv(found[0], batches))
    if found := compared.against("torchcodec", "torchcodec.decoders", "torchcodec.transforms"):
        for mode in ("exact", "approximate"):
            compared.jobs[f"torchcodec {mode}"] = partial(
                batches.of, with_torchcodec(found[0], found[1], batches, mode)
            )
    mine = batches.ours()
    apart = [
        f"{name} by {(job() - mine).abs().mean() * float(batches.video.std.mean()) * 255.0:.2f}"
        for name, job in compared.jobs.items()
        if name != "avpipe"
    ]
    compared.bound = "the decoder alone", batches.decode, 1.0
    return compared.run(repeats, f"pixels differ on average, of 255 levels: {', '.join(apart)}" if apart else "")


def bench_batches(repeats: int = REPEATS) -> list[Row]:
    """Short films and a long one."""
    torch.set_num_threads(1)  # as in a worker process, one of several
    preprocessor: Preprocessor = instantiate(plain(compose("train", ["task=action"]))["preprocess"])
    fights = Path(os.environ["AVPIPE_CORPORA"]) / "fights"
    films = {"fights, 224x168": list(find_media(fights)), "a long film, 720p": [long_film()]}
    return [
        bench_reading(title, Batches(preprocessor, places(paths, CLIPS, preprocessor.window_sec)), repeats)
        for title, paths in films.items()
    ]


def main() -> int:
    """Run every comparison; 0 if all marks are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--training-only", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rows = [] if asked.training_only else bench_batches()
    rows.append(cached("action", "fights", epochs=4, rounds=3))
    print(*rows, sep="\n")
    return 0 if all(row.ratio is None or row.ratio >= MARK for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
