"""What three bundles cost from one decode, beside each of them alone.

    AVPIPE_CORPORA=DIR python -m scripts.bench_one_decode [--films 4] [--seconds 30] [--height 720] [--rounds 3]

Writes films (H.264, AAC): pictures of ``fights``, cut every few seconds, and speech of ``librispeech``. Labels them
with ``scenes``, ``emotion`` and ``speaker``, each alone and all at once, in this process on one thread, in turn and so
many times; of the seconds of the processor the least counts. Each film must be decoded once, and the answers must be
those of the bundles alone. Exit status 1 where they are not, or all at once cost 1.5 times the dearest or more. The
smaller the pictures, the less there is to share: the networks behind them cost the same.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from avpipe.bundle import Bundle, find_bundle, load_bundle
from avpipe.inference import Job, Prediction, Predictor, decoding
from avpipe.media import MediaError, find_media, read_clip, stream_clips, write_video
from scripts.bench_media import decoded, decoded_until
from scripts.measure import Bound, Row

NAMES = ("scenes", "emotion", "speaker")
MAX_RATIO = 1.5
RATE_HZ = 16_000
FPS = 25


def write_films(folder: Path, corpora: Path, count: int, seconds: int, height: int) -> list[Job]:
    """So many films of so many seconds, with cuts and speech."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures, sounds = (sorted(find_media(corpora / name)) for name in ("fights", "librispeech"))
    jobs = []
    for number in range(count):
        path = folder / f"{number}.mp4"
        speech = [
            read_clip(sound, sample_rate=RATE_HZ, mono=True).waveform for sound in sounds[3 * number : 3 * number + 3]
        ]
        waveform = np.concatenate([each for each in speech if each is not None], axis=1)
        waveform = np.resize(waveform[0], seconds * RATE_HZ)[np.newaxis]
        frames = _frames(pictures[40 * number :], seconds * FPS, height)
        write_video(path, frames, fps=FPS, waveform=waveform, sample_rate=RATE_HZ)
        jobs.append(Job(path.name, path))
    return jobs


def _frames(films: Sequence[Path], count: int, height: int) -> Iterator[np.ndarray]:
    """Frames of one film after another, at the size of the new one, 16:9."""
    size = height, height * 16 // 9
    written = 0
    for film in films:
        try:
            frames = read_clip(film, audio=False, video=True).frames
        except MediaError:
            continue
        assert frames is not None
        rows, columns = (
            np.arange(length) * have // length for length, have in zip(size, frames.shape[1:3], strict=True)
        )
        for frame in frames:
            if written == count:
                return
            written += 1
            yield np.ascontiguousarray(frame[rows][:, columns])


class Kept:
    """A sink that keeps records."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Any]] = {}

    def add(self, prediction: Prediction) -> None:
        self.records[prediction.path] = prediction.to_record()


Answered = tuple[float, float, dict[str, dict[str, Any]], Counter[str]]
"""Seconds of the processor, seconds of the clock, records, decodes of each film."""


def answered(bundles: Sequence[Bundle], jobs: Sequence[Job]) -> Answered:
    """What a run over the films took, and said."""
    kept, opened = Kept(), Counter[str]()

    def counting(path: Path, *arguments: Any) -> Any:
        opened[Path(path).name] += 1
        return stream_clips(path, *arguments)

    with patch.object(decoding, "stream_clips", counting):
        began_cpu, began = time.process_time(), time.perf_counter()
        Predictor(bundles).run(jobs, kept)
        return time.process_time() - began_cpu, time.perf_counter() - began, kept.records, opened


def plain(answer: Mapping[str, Any]) -> dict[str, Any]:
    """A task's answer without what other bundles say of shots."""
    shots = [{key: value for key, value in shot.items() if key != "labels"} for shot in answer.get("shots", ())]
    return {**answer, "shots": shots} if shots else dict(answer)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=4)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="avpipe-films-") as temporary:
        folder = given.folder or Path(temporary)
        jobs = write_films(folder, Path(os.environ["AVPIPE_CORPORA"]), given.films, given.seconds, given.height)
        return compare(jobs, given.rounds)


def measured(jobs: Sequence[Job], rounds: int) -> dict[str, list[Answered]]:
    """Runs of each bundle alone and of all at once, in turn."""
    bundles = {name: load_bundle(find_bundle(name), torch.device("cpu")) for name in NAMES}
    asked = {**{name: [bundles[name]] for name in NAMES}, "all": list(bundles.values())}
    for chosen in asked.values():
        answered(chosen, jobs[:1])  # whatever is slow the first time
    runs: dict[str, list[Answered]] = {name: [] for name in asked}
    for _ in range(rounds):
        for name, chosen in asked.items():
            runs[name].append(answered(chosen, jobs))
    return runs


def bench_films(films: int, seconds: int, rounds: int) -> Row:
    """Seconds of the clock for three bundles on some films of 1280x720, beside each after the other."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="avpipe-films-") as temporary:
        jobs = write_films(Path(temporary), Path(os.environ["AVPIPE_CORPORA"]), films, seconds, 720)
        runs = measured(jobs, rounds)
        began = time.perf_counter()
        for job in jobs:
            decoded_until(job.path, 0.0, float(seconds))
            decoded(job.path)
        bound = Bound("the decoder alone, one thread", time.perf_counter() - began)
    wall_sec = {name: statistics.median(each[1] for each in told) for name, told in runs.items()}
    took = {"avpipe": wall_sec["all"], "avpipe, one bundle after the other": sum(wall_sec[name] for name in NAMES)}
    note = "alone, emotion and speaker tell of the film as a whole; in one run also of each shot"
    return Row("predict", f"{', '.join(NAMES)} of {films} films of {seconds} s, one thread", took, bound, note=note)


def compare(jobs: Sequence[Job], rounds: int) -> int:
    """Measure, print, and return the exit status."""
    runs = measured(jobs, rounds)
    cost_sec = {name: min(each[0] for each in told) for name, told in runs.items()}
    for name, told in runs.items():
        wall_sec = min(each[1] for each in told)
        print(f"{name:8} {cost_sec[name]:6.1f} s of the processor, {wall_sec:6.1f} s of the clock")
    dearest = max(NAMES, key=cost_sec.__getitem__)
    ratio = cost_sec["all"] / cost_sec[dearest]
    once = set(runs["all"][0][3].values()) == {1}
    together = runs["all"][0][2]
    same = all(
        plain(together[job.name]["tasks"][name]) == plain(runs[name][0][2][job.name]["tasks"][name])
        for job in jobs
        for name in NAMES
        if name in together[job.name]["tasks"] or name in runs[name][0][2][job.name]["tasks"]
    )
    print(f"all at once: {ratio:.2f} times {dearest}; {'one decode' if once else 'SEVERAL DECODES'} a film;", end=" ")
    print("the same answers" if same else "OTHER ANSWERS")
    return 0 if ratio < MAX_RATIO and once and same else 1


if __name__ == "__main__":
    sys.exit(main())
