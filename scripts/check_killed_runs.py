"""Whether ``avpipe predict`` ends with the same answers however often it is killed, and by how many processes.

    python -m scripts.check_killed_runs [--files 2000] [--kills 10] [--seed 0] [--bundle digits] [--folder DIR]

Writes files of sound, one in twenty of them damaged, and labels them three times: undisturbed; killed (``kill -9``) at
random moments and begun anew; and by two processes that share the output. The sorted lines of ``predictions.jsonl``
must be the same bytes, the summaries too. Exit status 1 where they are not.
"""

import argparse
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from avpipe.media import write_audio

RATE_HZ = 16_000
DAMAGED_EVERY = 20


def write_files(folder: Path, count: int, seed: int) -> None:
    """So many sounds of up to two seconds, every twentieth cut off, overwritten in the middle, or no sound at all."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        draw = np.random.default_rng([seed, number])
        seconds = draw.uniform(0.2, 2.0)
        time_sec = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
        waveform = 0.3 * np.sin(2 * np.pi * draw.uniform(100, 3000) * time_sec) + 0.02 * draw.standard_normal(
            len(time_sec)
        )
        path = folder / f"{number % 7}" / f"{number:05}.{('wav', 'flac', 'mp3')[number % 3]}"
        path.parent.mkdir(exist_ok=True)
        write_audio(path, waveform.astype(np.float32)[np.newaxis], RATE_HZ)
        if number % DAMAGED_EVERY == 0:
            _damage(path, number // DAMAGED_EVERY % 3, draw)


def _damage(path: Path, how: int, draw: np.random.Generator) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    if how == 0:
        content = content[:middle]
    elif how == 1:
        content[middle - 500 : middle + 500] = draw.integers(0, 256, 1000, dtype=np.uint8).tobytes()
    else:
        content = bytearray(b"This is no sound at all.\n" * 40)
    path.write_bytes(content)


def command(bundle: str, media: Path, output: Path) -> list[str]:
    arguments = [f"bundle={bundle}", str(media), str(output), "workers=1", "device=cpu"]
    return [sys.executable, "-m", "avpipe", "predict", *arguments]


def run_whole(arguments: Sequence[str]) -> float:
    """Seconds that a command takes, which must end with some files that could not be read."""
    began = time.perf_counter()
    done = subprocess.run(arguments, capture_output=True, text=True)
    if done.returncode != 1:
        raise RuntimeError(f"exit status {done.returncode}: {done.stderr[-1000:]}")
    return time.perf_counter() - began


def run_killed(arguments: Sequence[str], output: Path, count: int, kills: int, seed: int) -> list[int]:
    """Kill a command at random moments, so many times, and let it end then; how many answers stood at each kill."""
    draw = random.Random(seed)
    stood = []
    for aim in sorted(draw.sample(range(1, count - 1), kills)):
        with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while answers(output) < aim and process.poll() is None:
                time.sleep(0.002)
            time.sleep(draw.uniform(0.0, 0.05))
            process.kill()
        stood.append(answers(output))
    run_whole(arguments)
    return stood


def run_two(arguments: Sequence[str]) -> None:
    """Two processes at a time on one output."""
    both = [subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(2)]
    statuses = [process.wait() for process in both]
    if statuses != [1, 1]:
        raise RuntimeError(f"exit statuses {statuses}")


def answers(output: Path) -> int:
    """How many answers stand in a journal."""
    try:
        with closing(sqlite3.connect(f"file:{output / 'journal.sqlite'}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM answer").fetchone()[0])
    except sqlite3.Error:
        return 0


def told(output: Path) -> tuple[list[bytes], bytes]:
    """The sorted records, and the summary."""
    records = sorted((output / "predictions.jsonl").read_bytes().splitlines())
    return records, (output / "summary.json").read_bytes()


def check(folder: Path, bundle: str, count: int, kills: int, seed: int) -> list[str]:
    """What was not as it must be."""
    media = folder / "media"
    write_files(media, count, seed)
    whole_sec = run_whole(command(bundle, media, folder / "whole"))
    stood = run_killed(command(bundle, media, folder / "killed"), folder / "killed", count, kills, seed)
    run_two(command(bundle, media, folder / "two"))
    print(
        f"{count} files in {whole_sec:.0f} s undisturbed; killed with {', '.join(map(str, stood))} answers", flush=True
    )
    expected = told(folder / "whole")
    faults = [name for name in ("killed", "two") if told(folder / name) != expected]
    return [*faults, *([] if len(expected[0]) == count else [f"{len(expected[0])} records"])]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bundle", default="digits")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="avpipe-killed-") as temporary:
        faults = check(given.folder or Path(temporary), given.bundle, given.files, given.kills, given.seed)
    print(f"NOT as the undisturbed run: {', '.join(faults)}" if faults else "all answers are the same bytes")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
