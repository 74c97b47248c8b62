"""Whether a transcript hangs on where a recording is cut, and how much memory and time hours of it take.

    python scripts/check_long_transcripts.py [--hours 3] [--bundle digit_strings] [--folder DIR]

Joins the test strings of the corpus ``digit_strings`` (needs AVPIPE_CORPORA) into one recording, over and over in other
orders; of three hours it is 170 MB. Half an hour of it is written down with windows and batches of several sizes, of
which the word error rates are compared. Five minutes and all of it go through ``avpipe predict`` in processes of their
own, whose peaks of resident memory are compared. Exit status 1 where a bound is not kept.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
from rich.console import Console
from rich.table import Table

from avpipe.bundle import Bundle, find_bundle, load_bundle
from avpipe.corpora import DigitStrings, Example
from avpipe.device import choose_device
from avpipe.inference import Predictor
from avpipe.objectives.edits import num_edits

SHORT_SEC, COMPARED_SEC = 300.0, 1800.0
WINDOWS_SEC = (6.0, 12.0, 30.0)
BATCHES = (1, 16)
MAX_DIFFERENCE = 0.001
"""Of word error rates."""
MAX_GROWTH_MB = 50.0
KILOBYTE, MEGABYTE = 1024, 1e6


@dataclass(frozen=True, slots=True)
class Joined:
    """A recording and what is said in it."""

    path: Path
    text: str
    seconds: float


def joined(path: Path, examples: Sequence[Example], least_sec: float) -> Joined:
    """Write recordings one after the other, all of them in one order after the other, until there is enough."""
    texts, seconds = [], 0.0
    with soundfile.SoundFile(path, "w", 8000, 1, "PCM_16") as file:
        for example in orders(examples):
            samples, _ = soundfile.read(example.path, dtype="int16")
            file.write(samples)
            texts.append(str(example.target))
            seconds += len(samples) / 8000
            if seconds >= least_sec:
                return Joined(path, " ".join(texts), seconds)
    raise AssertionError("the orders have no end")


def orders(examples: Sequence[Example]) -> Iterator[Example]:
    draw = np.random.default_rng(20_261_121)
    while True:
        for place in draw.permutation(len(examples)):
            yield examples[place]


def error_rate(bundle: Bundle, recording: Joined, batch_size: int) -> float:
    """Word error rate of a recording's transcript."""
    answer = Predictor([bundle], batch_size)(recording.path)
    if answer.reason:
        sys.exit(f"{recording.path}: {answer.status}, {answer.reason}")
    said, true = (answer.tasks[bundle.name].text or "").split(), recording.text.split()
    return num_edits(said, true) / len(true)


def with_windows(bundle: Bundle, window_sec: float) -> Bundle:
    """The same bundle with other windows, which overlap as its own do."""
    preprocessor = bundle.preprocessor
    other = type(preprocessor)(window_sec, window_sec - preprocessor.windowing.overlap_sec, preprocessor.audio)
    return replace(bundle, preprocessor=other)


def predict(bundle: str, recording: Joined, folder: Path) -> tuple[float, float]:
    """Peak of memory in MB and seconds of ``avpipe predict`` on one recording."""
    began = time.monotonic()
    options = [f"bundle={bundle}", f"input={recording.path}", f"output={folder}", "workers=0", "format=[jsonl,srt]"]
    process = os.posix_spawn(sys.executable, [sys.executable, "-m", "avpipe", "predict", *options], os.environ)
    _, status, usage = os.wait4(process, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"avpipe predict {' '.join(options)}: exit status {os.waitstatus_to_exitcode(status)}")
    return usage.ru_maxrss * KILOBYTE / MEGABYTE, time.monotonic() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--hours", type=float, default=3.0, help="length of the long recording")
    parser.add_argument("--bundle", default="digit_strings", help="a bundle that transcribes, by name or folder")
    parser.add_argument("--folder", type=Path, help="where to make the recordings, if not in the usual temporary place")
    asked = parser.parse_args()

    examples = [example for example, side in DigitStrings().official_split().items() if side == "test"]
    bundle = load_bundle(find_bundle(asked.bundle), choose_device("cpu"))
    console, kept = Console(), []
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        folder = Path(name)
        compared = joined(folder / "compared.flac", examples, min(COMPARED_SEC, asked.hours * 3600))
        table = Table("window", "batch", "WER")
        rates = {}
        for window_sec in WINDOWS_SEC:
            for batch_size in BATCHES:
                rate = error_rate(with_windows(bundle, window_sec), compared, batch_size)
                rates[window_sec, batch_size] = rate
                table.add_row(f"{window_sec:g} s", str(batch_size), f"{100 * rate:.3f} %")
        console.print(table)
        difference = max(rates.values()) - min(rates.values())
        kept.append((difference < MAX_DIFFERENCE, f"word error rates differ by {100 * difference:.3f} points"))

        table = Table("recording", "peak MB", "seconds", "x real time")
        peaks = []
        for least_sec in (SHORT_SEC, asked.hours * 3600):
            recording = joined(folder / f"{least_sec:.0f}.flac", examples, least_sec)
            peak_mb, wall_sec = predict(asked.bundle, recording, folder / f"{least_sec:.0f}")
            peaks.append(peak_mb)
            speed = f"{recording.seconds / wall_sec:.0f}"
            table.add_row(f"{recording.seconds / 3600:.2f} h", f"{peak_mb:.0f}", f"{wall_sec:.0f}", speed)
        console.print(table)
        growth_mb = peaks[1] - peaks[0]
        kept.append(
            (growth_mb <= MAX_GROWTH_MB, f"{growth_mb:.0f} MB more for the long one (at most {MAX_GROWTH_MB:g})")
        )
    for is_kept, told in kept:
        console.print(f"{'kept ' if is_kept else 'BROKEN'} {told}", highlight=False)
    return 0 if all(is_kept for is_kept, _ in kept) else 1


if __name__ == "__main__":
    sys.exit(main())
