"""The demo: label data/samples with a shipped bundle, take the noise out of some, and train a small model.

Each command is printed as one would type it. Everything is written to outputs/demo, which is made anew each time.
"""

import csv
import json
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = Path("outputs/demo")
SAMPLES = Path("data/samples")

console = Console(highlight=False, emoji=False)


def run(*command: str, accepted: tuple[int, ...] = (0,)) -> None:
    """Print a command and run it with this Python's programs; stop the demo where it fails."""
    console.print(f"\n[bold]$ {escape(shlex.join(command))}[/]", soft_wrap=True)
    program = Path(sys.executable).parent / command[0]
    status = subprocess.run([program, *command[1:]], cwd=ROOT, check=False).returncode
    if status not in accepted:
        sys.exit(f"demo: the command above ended with status {status}")


def read_predictions(folder: Path) -> list[dict[str, Any]]:
    lines = (ROOT / folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def label_of(prediction: dict[str, Any]) -> str:
    """What the one bundle says, or nothing."""
    return next((answer["label"] for answer in prediction["tasks"].values()), None) or ""


def print_answers(title: str, folder: Path, expected: dict[str, str]) -> None:
    """A table of the answers in a folder beside what was expected, and how many agree."""
    table = Table(title=title, title_justify="left")
    table.add_column("file", no_wrap=True)
    for header in ("expected", "answer", "status", "reason"):
        table.add_column(header)
    right = 0
    for prediction in read_predictions(folder):
        name, answer = prediction["path"], label_of(prediction)
        right += name in expected and answer == expected[name]
        # The reason names the file once more, by its whole path.
        reason = prediction["reason"].rpartition(f"{name}: ")[2]
        table.add_row(*map(escape, (name, expected.get(name, ""), answer, prediction["status"], reason)))
    console.print()
    console.print(table)
    console.print(f"{right} of {len(expected)} as expected. All answers: {folder}/predictions.jsonl", soft_wrap=True)


def label_samples() -> None:
    """The shipped bundle on the samples, some of which are broken on purpose."""
    answers = OUTPUT / "samples"
    # Status 1: some files failed, all others are answered. Two of the samples are no media at all.
    run("avpipe", "predict", "bundle=digits", f"input={SAMPLES}", f"output={answers}", accepted=(1,))
    console.print(
        "(It ended with status 1, as it should: text.wav and empty.flac are no media, and are named as errors.)"
    )
    with (ROOT / SAMPLES / "labels.csv").open(encoding="utf-8", newline="") as file:
        expected = {row["path"]: row["label"] for row in csv.DictReader(file)}
    print_answers("Spoken digits", answers, expected)


def clean_recordings() -> None:
    """Noise over the samples, at 5 dB, and out again."""
    noisy, clean = OUTPUT / "noisy", OUTPUT / "clean"
    run("python", "scripts/make_noisy.py", str(SAMPLES), str(noisy))
    run("avpipe", "denoise", str(noisy), str(clean))
    table = Table(title="Speech above noise, estimated", title_justify="left")
    for header in ("file", "before", "after"):
        table.add_column(header)
    for line in (ROOT / clean / "denoise.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        levels = (row["snr_before_db"], row["snr_after_db"])
        told = ["too little speech" if level is None else f"{level:.0f} dB" for level in levels]
        table.add_row(escape(row["path"]), *told)
    console.print(table)
    console.print(f"Look and listen: {clean}/report.html", soft_wrap=True)


def train_on_sounds() -> None:
    """From a folder of class folders to a model, its score, and its answers on sounds it never heard."""
    sounds, unheard, model, metrics = (OUTPUT / name for name in ("sounds", "unheard", "run", "metrics.json"))
    run("python", "scripts/make_sound_corpus.py", str(sounds))
    corpus = ("corpus=folders", f"corpus.root={sounds}")
    settings = ("preprocess.window_sec=1.0", "preprocess.hop_sec=0.5", "trainer.max_epochs=6")
    run("avpipe", "train", "task=sound_event", *corpus, *settings, f"run_dir={model}")
    run("avpipe", "evaluate", f"bundle={model}/bundle", *corpus, "split=test", f"output={metrics}")
    run("python", "scripts/make_sound_corpus.py", str(unheard), "2", "1")
    run("avpipe", "predict", f"bundle={model}/bundle", f"input={unheard}", f"output={OUTPUT / 'answers'}")
    expected = {
        path.relative_to(ROOT / unheard).as_posix(): path.parent.name for path in (ROOT / unheard).rglob("*.wav")
    }
    print_answers("Sounds it never heard", OUTPUT / "answers", expected)


def main() -> None:
    started = time.monotonic()
    shutil.rmtree(ROOT / OUTPUT, ignore_errors=True)
    label_samples()
    clean_recordings()
    train_on_sounds()
    console.print(f"\nAll of it is in {ROOT / OUTPUT} ({time.monotonic() - started:.0f} s).", soft_wrap=True)


if __name__ == "__main__":
    main()
