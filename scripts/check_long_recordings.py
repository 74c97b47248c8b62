"""How much memory ``avpipe denoise`` takes for a recording of minutes and for one of hours.

    python scripts/check_long_recordings.py [--hours 6] [--bundle denoise] [--folder DIR]

Makes two 16 kHz recordings of speech-like noise in a temporary folder (of 6 hours: 0.7 GB, and as much for the output),
runs the command on each in a process of its own, and prints the peaks of resident memory, children included, beside
that of a bare ``import torch``. Exit status 1 where a bound is not kept or an output has another length.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from rich.console import Console
from rich.table import Table

RATE_HZ = 16_000
SHORT_SEC = 300
MINUTE_SEC = 60
MAX_ABOVE_TORCH_MB = 300.0
MAX_GROWTH_MB = 50.0
SAMPLED_EVERY_SEC = 0.1
KILOBYTE, MEGABYTE = 1024, 1e6


@dataclass(frozen=True, slots=True)
class Run:
    """A process that ended well."""

    peak_mb: float
    wall_sec: float


def write_recording(path: Path, seconds: int) -> None:
    """Speech-like noise, never more than a minute of it at once."""
    draw = np.random.default_rng(20_261_122)
    with soundfile.SoundFile(path, "w", RATE_HZ, 1, "PCM_16") as file:
        for begin in range(0, seconds, MINUTE_SEC):
            file.write(speech_like(min(MINUTE_SEC, seconds - begin), draw))


def speech_like(seconds: int, draw: np.random.Generator) -> np.ndarray:
    """(samples,): a buzz of gliding pitch in syllables and phrases, and a steady hiss."""
    time_sec = np.arange(seconds * RATE_HZ) / RATE_HZ
    pitch_hz = draw.uniform(100, 200) * (1 + 0.2 * np.sin(2 * np.pi * 0.4 * time_sec))
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    buzz = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 16))
    syllables = np.maximum(0, np.sin(2 * np.pi * 4 * time_sec)) * (np.sin(2 * np.pi * 0.3 * time_sec) > -0.4)
    return np.asarray(0.1 * buzz * syllables + 0.01 * draw.standard_normal(len(time_sec)), np.float32)


def run(command: Sequence[str]) -> Run:
    """Run a command to its end, watching its memory.

    Raises:
        SystemExit: the command failed.
    """
    began, peak_mb, done = time.monotonic(), 0.0, 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while not done:
        peak_mb = max(peak_mb, sum(peak_of(each) for each in family(process.pid)))
        time.sleep(SAMPLED_EVERY_SEC)
        done, status, usage = os.wait4(process.pid, os.WNOHANG)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)}: exit status {process.returncode}")
    # Torch takes a hundred MB more while the process ends, which sampling may miss.
    return Run(max(peak_mb, usage.ru_maxrss * KILOBYTE / MEGABYTE), time.monotonic() - began)


def family(process: int) -> list[int]:
    """A process and all that descend from it."""
    try:
        threads = list(Path(f"/proc/{process}/task").iterdir())
        children = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    except OSError:
        return []
    return [process, *(each for child in children for each in family(child))]


def peak_of(process: int) -> float:
    """The most memory that a process has had so far, in MB; 0 of one that is no more."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) * KILOBYTE / MEGABYTE for line in lines if line.startswith("VmHWM:"))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--hours", type=float, default=6.0, help="length of the long recording")
    parser.add_argument("--bundle", default="denoise", help="the filter's bundle, by name or folder")
    parser.add_argument("--folder", type=Path, help="where to make the recordings, if not in the usual temporary place")
    asked = parser.parse_args()

    bare = run([sys.executable, "-c", "import torch"])
    lengths_sec = SHORT_SEC, round(asked.hours * 3600)
    runs, equal = [], True
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        for seconds in lengths_sec:
            source, target = Path(folder, f"{seconds}.wav"), Path(folder, f"{seconds}-clean.wav")
            write_recording(source, seconds)
            options = [f"bundle={asked.bundle}", "clean_above_db=null"]
            runs.append(run([sys.executable, "-m", "avpipe", "denoise", str(source), str(target), *options]))
            equal = equal and soundfile.info(target).frames == seconds * RATE_HZ
            source.unlink()
            target.unlink()

    table = Table("run", "peak MB", "above torch", "seconds", "x real time")
    table.add_row("import torch", f"{bare.peak_mb:.0f}", "", "", "")
    for seconds, one in zip(lengths_sec, runs, strict=True):
        above = f"{one.peak_mb - bare.peak_mb:.0f}"
        speed = f"{seconds / one.wall_sec:.0f}"
        table.add_row(f"{seconds / 3600:.2f} h", f"{one.peak_mb:.0f}", above, f"{one.wall_sec:.0f}", speed)
    console = Console()
    console.print(table)
    above_mb = max(one.peak_mb for one in runs) - bare.peak_mb
    growth_mb = runs[1].peak_mb - runs[0].peak_mb
    verdicts = {
        f"{above_mb:.0f} MB above a bare import torch (at most {MAX_ABOVE_TORCH_MB:.0f})": above_mb
        <= MAX_ABOVE_TORCH_MB,
        f"{growth_mb:.0f} MB more for the long one (at most {MAX_GROWTH_MB:.0f})": growth_mb <= MAX_GROWTH_MB,
        "outputs as long as inputs": equal,
    }
    for told, kept in verdicts.items():
        console.print(f"{'kept ' if kept else 'BROKEN'} {told}", highlight=False)
    return 0 if all(verdicts.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
