"""What ``predict`` and ``denoise`` do with media that somebody has damaged at random.

    python -m scripts.fuzz_media [--files 2000] [--seed 0] [--folder DIR] [--timeout-sec 30]

Writes small sound and film files of many formats, and of these as many mutants as asked for, the same ones for a seed:
bytes flipped, stretches cut out, ends cut off, stretches of other files put in. Both commands then label and clean the
folder, each decoding in a process of its own, within limits. Exit status 1 where a command ends otherwise than it
should, says anything but lines for a user, leaves a file without a row or writes a row of no known status; files on
which a process died or hung are told of, as their rows must tell it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avpipe.media import UnwritableMedia, write_audio, write_video

RATE_HZ = 16_000
SOUNDS = (
    "wav",
    "flac",
    "mp3",
    "m4a",
    "ogg",
    "opus",
    "aiff",
    "caf",
    "mka",
    "ac3",
    "wv",
    "au",
    "w64",
    "aac",
    "mp2",
    "tta",
)
FILMS = ("mp4", "mkv", "webm", "mov", "ts", "avi", "flv", "mpg", "ogv", "wmv", "gif", "3gp", "nut")
STATUSES = frozenset(("ok", "partial", "abstained", "error"))
GIVEN_UP = ("crashed", "nothing came of it", "of memory")
"""Words in the rows of files on which a process was lost."""

Mutation = Callable[[bytes, bytes, np.random.Generator], bytes]


def write_seeds(folder: Path, seconds: float = 1.0) -> list[Path]:
    """A second of sound, and of film with sound, in every format that can be written here."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(0)
    time_sec = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    sweep = 0.3 * np.sin(2 * np.pi * 440 * time_sec * (1 + time_sec))
    waveform = (sweep + 0.01 * draw.standard_normal(len(time_sec))).astype(np.float32)[np.newaxis]
    frames = [np.roll(draw.integers(0, 256, (72, 96, 3), dtype=np.uint8) // 4 + 90, k, axis=1) for k in range(25)]
    for suffix in SOUNDS:
        with suppress(UnwritableMedia):
            write_audio(folder / f"sound.{suffix}", waveform, RATE_HZ)
    for suffix in FILMS:
        with suppress(UnwritableMedia):
            write_video(folder / f"film.{suffix}", frames, fps=25, waveform=waveform, sample_rate=RATE_HZ)
        if not (folder / f"film.{suffix}").exists():
            with suppress(UnwritableMedia):
                write_video(folder / f"film.{suffix}", frames, fps=25)
    return sorted(path for path in folder.iterdir() if path.stat().st_size)


def flipped(content: bytes, other: bytes, draw: np.random.Generator) -> bytes:
    """A few bytes are others, half of the times among the first thousand: a header is worth more than a sample."""
    changed = bytearray(content)
    reach = min(len(changed), 1000) if draw.random() < 0.5 else len(changed)
    for place in draw.integers(0, reach, int(2 ** draw.uniform(0, 7))):
        changed[place] = int(draw.integers(0, 256))
    return bytes(changed)


def cut_out(content: bytes, other: bytes, draw: np.random.Generator) -> bytes:
    """A stretch is missing."""
    start, end = sorted(draw.integers(0, len(content) + 1, 2))
    return content[:start] + content[end:]


def cut_off(content: bytes, other: bytes, draw: np.random.Generator) -> bytes:
    """The end is missing."""
    return content[: int(draw.integers(0, len(content)))]


def spliced(content: bytes, other: bytes, draw: np.random.Generator) -> bytes:
    """A stretch of another file stands in it, or in place of as much of it."""
    start, end = sorted(draw.integers(0, len(other) + 1, 2))
    place = int(draw.integers(0, len(content) + 1))
    return content[:place] + other[start:end] + content[place + (end - start) * int(draw.integers(0, 2)) :]


MUTATIONS: tuple[Mutation, ...] = (flipped, flipped, cut_out, cut_off, spliced)


def write_mutants(folder: Path, seeds: Sequence[Path], count: int, seed: int) -> None:
    """So many mutants, each of one to three mutations."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = [path.read_bytes() for path in seeds]
    for number in range(count):
        draw = np.random.default_rng([seed, number])
        which = number % len(seeds)
        content = contents[which]
        for _ in range(int(draw.integers(1, 4))):
            mutation = MUTATIONS[int(draw.integers(len(MUTATIONS)))]
            content = mutation(content or b"\0", contents[int(draw.integers(len(contents)))], draw)
        (folder / f"{number:05}{seeds[which].suffix}").write_bytes(content)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one command."""

    command: str
    wall_sec: float
    statuses: Counter[str]
    given_up: tuple[str, ...]
    """Rows of files on which a process died, hung or took too much."""
    faults: tuple[str, ...]
    """What must not be."""


def tried(command: str, arguments: Sequence[str], rows_at: Path, count: int, limit_sec: float) -> Outcome:
    """Run a command over the mutants, and look at how it ends and what it wrote."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "avpipe", command, *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=limit_sec,
    )
    wall_sec = time.perf_counter() - began
    rows = [json.loads(line) for line in rows_at.read_text(encoding="utf-8").splitlines()] if rows_at.exists() else []
    statuses = Counter(row["status"] for row in rows)
    given_up = tuple(row["reason"] for row in rows if any(words in row["reason"] for words in GIVEN_UP))
    return Outcome(command, wall_sec, statuses, given_up, tuple(_faults(done, rows, statuses, count)))


def _faults(
    done: subprocess.CompletedProcess[str], rows: Sequence[dict[str, str]], statuses: Counter[str], count: int
) -> Iterator[str]:
    expected = 1 if statuses["error"] else 0
    if done.returncode != expected:
        yield f"exit status {done.returncode}, not {expected}"
    if "Traceback" in done.stderr or "Traceback" in done.stdout:
        yield f"a traceback: {done.stderr[-2000:]}"
    if len({row["path"] for row in rows}) != count:
        yield f"{len(rows)} rows of {count} files"
    if others := set(statuses) - STATUSES:
        yield f"unknown statuses: {others}"
    if nameless := [row["path"] for row in rows if row["status"] == "error" and not row["reason"]]:
        yield f"errors without a reason: {nameless[:5]}"


def fuzz(folder: Path, count: int, seed: int, timeout_sec: float) -> list[Outcome]:
    """Both commands over mutants that are written into a folder; what they wrote stays beside them."""
    write_mutants(folder / "mutants", write_seeds(folder / "seeds"), count, seed)
    limits = [f"timeout_sec={timeout_sec:g}", "max_memory_mb=1500", "workers=1", "device=cpu"]
    limit_sec = 600.0 + count * 2.0
    return [
        tried(
            "predict",
            ["bundle=[digits,scenes]", str(folder / "mutants"), str(folder / "answers"), *limits],
            folder / "answers" / "predictions.jsonl",
            count,
            limit_sec,
        ),
        tried(
            "denoise",
            [str(folder / "mutants"), str(folder / "clean"), *limits],
            folder / "clean" / "denoise.jsonl",
            count,
            limit_sec,
        ),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--timeout-sec", type=float, default=30.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="avpipe-fuzz-") as temporary:
        outcomes = fuzz(given.folder or Path(temporary), given.files, given.seed, given.timeout_sec)
    for one in outcomes:
        told = ", ".join(f"{number} {status}" for status, number in sorted(one.statuses.items()))
        print(f"{one.command}: {told}; {one.wall_sec:.0f} s; {len(one.given_up)} given up", flush=True)
        for line in (
            *(f"  given up: {reason}" for reason in one.given_up),
            *(f"  FAULT: {fault}" for fault in one.faults),
        ):
            print(line)
    return 1 if any(one.faults for one in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
