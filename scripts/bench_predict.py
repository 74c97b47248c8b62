"""How fast a folder is labelled: two cores beside one, and beside a plain loop; how memory grows.

    AVPIPE_CORPORA=DIR python -m scripts.bench_predict [--bundle emotion] [--files 1200] [--rounds 3] [--ray]

Links so many recordings of ``ravdess`` into a folder and labels it with ``avpipe predict``, on both cores and on one of
them, and with a loop as one would write it: a file is read (soundfile, soxr), cut into windows, given to the same
network on as many threads, and its answer written, before the next one is read. Whole processes by the clock, in turn;
of each the median, start-up included, and past start-up: what all files take longer than a tenth of them. ``--ray``
tells besides how ``engine=ray`` compares. Memory is the greatest that the command had, over a tenth of the files and
all of them, and over a recording of a minute and one of an hour. Exit status 1 where, start-up included, two cores are
less than 1.6 times one, or ``predict`` less than 1.5 times the loop.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from scripts.bench_folder import predict
from scripts.measure import CORES, process_sec

MIN_BY_CORES, MIN_BY_LOOP = 1.6, 1.5
ONE, TWO, LOOP, RAY = "one core", "two cores", "plain loop, two cores", "engine=ray, two cores"


def labels(path: Path, of_task: str | None = None) -> dict[str, str]:
    """By file, as either way has written them."""
    records = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    if of_task is None:
        return {record["path"]: record["label"] for record in records}
    return {record["path"]: record["tasks"][of_task]["label"] for record in records}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="emotion")
    parser.add_argument("--files", type=int, default=1200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ray", action="store_true")
    given = parser.parse_args()
    # Ray's processes would wait for all others of a busy machine, which those of the other ways do not.
    os.environ.update(RAY_worker_niceness="0")
    from avpipe.media import find_media

    recordings = sorted(find_media(Path(os.environ["AVPIPE_CORPORA"]) / "ravdess"))
    with tempfile.TemporaryDirectory(prefix="avpipe-predict-") as temporary:
        root = Path(temporary)
        for folder, count in (("few", given.files // 10), ("all", given.files)):
            (root / folder).mkdir()
            for number, path in enumerate(recordings[:: max(1, len(recordings) // given.files)][:count]):
                (root / folder / f"{number:05}{path.suffix}").symlink_to(path)
        return measure(given.bundle, root, given.files, given.rounds, given.ray)


def measure(name: str, root: Path, count: int, rounds: int, with_ray: bool) -> int:
    """Measure, print, and return the exit status."""
    output, by_ray = root / "answers", root / "by ray"
    lines, sizes = root / "loop.jsonl", root / "sizes.json"
    process_sec(["-m", "scripts.peer_loops", "size", name, str(sizes)])

    def loop(folder: Path) -> list[str]:
        return ["-m", "scripts.peer_loops", "plain", str(sizes), str(folder), str(lines)]

    def ray(folder: Path) -> list[str]:
        return [*predict(name, folder, by_ray), "engine=ray"]

    ours = partial(predict, name, output=output)
    ways: dict[str, tuple[Callable[[Path], list[str]], Sequence[int]]] = {
        ONE: (ours, CORES[:1]),
        LOOP: (loop, CORES),
        **({RAY: (ray, CORES)} if with_ray else {}),
        TWO: (ours, CORES),
    }
    folders = {"few": count // 10, "all": count}
    seconds: dict[tuple[str, str], list[float]] = {}
    most = {}
    for _ in range(rounds):
        for folder in folders:
            for way, (command, cores) in ways.items():
                took, most[folder] = process_sec(command(root / folder), cores)
                seconds.setdefault((way, folder), []).append(took)
    middle = {each: statistics.median(values) for each, values in seconds.items()}
    past = {way: middle[way, "all"] - middle[way, "few"] for way in ways}
    for way in ways:
        files = ", ".join(f"{one:.1f}" for one in seconds[way, "all"])
        print(f"{way:22} {middle[way, 'all']:6.1f} s ({files}); past start-up", end=" ")
        print(f"{(count - count // 10) / past[way]:.0f} files a second")
    said, theirs = labels(output / "predictions.jsonl", name), labels(lines)
    agreeing = sum(said[path] == label for path, label in theirs.items())
    by_cores, by_loop = (middle[way, "all"] / middle[TWO, "all"] for way in (ONE, LOOP))
    print(f"two cores beside one: {by_cores:.2f}x, past start-up {past[ONE] / past[TWO]:.2f}x;", end=" ")
    print(f"beside the loop: {by_loop:.2f}x, past start-up {past[LOOP] / past[TWO]:.2f}x", end=" ")
    print(f"({agreeing} of {count} labels alike)")
    if with_ray:
        alike = (by_ray / "predictions.jsonl").read_bytes() == (output / "predictions.jsonl").read_bytes()
        print(f"{RAY}: {'the bytes of engine=local' if alike else 'OTHER ANSWERS'};", end=" ")
        print(f"past start-up {past[TWO] / past[RAY]:.2f} times its speed")
    lengths = {minutes: process_sec(predict(name, _long(root, minutes), output), CORES)[1] for minutes in (1, 60)}
    print(f"memory: {most['few']:.0f} MB for {count // 10} files, {most['all']:.0f} MB for {count};", end=" ")
    print(f"{lengths[1]:.0f} MB for a minute, {lengths[60]:.0f} MB for an hour")
    return 0 if by_cores >= MIN_BY_CORES and by_loop >= MIN_BY_LOOP else 1


def _long(root: Path, minutes: int) -> Path:
    """A recording of so many minutes, one of the folder over and over."""
    import numpy as np
    import soundfile

    samples, rate = soundfile.read(next(iter(sorted((root / "all").iterdir()))), dtype="float32")
    path = root / f"{minutes}.flac"
    soundfile.write(path, np.resize(samples, minutes * 60 * rate), rate)
    return path


if __name__ == "__main__":
    sys.exit(main())
