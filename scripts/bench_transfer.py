"""Whether transfer pays: acted emotion from few examples, from nothing and from what other corpora taught.

usage: python scripts/bench_transfer.py OUTPUT [--examples 5 20 100] [--seeds 3] [--ways scratch features staged full]

One encoder learns ESC-10's sounds, then (``init_from=``) spoken digits, then 251 LibriSpeech speakers. Then it learns
the emotions of nEMO from so many examples a class, spoken by four speakers: one draw of them a seed, the same for each
way. A fifth speaker validates, and WR0, whom no training heard, tests. Rates were set beforehand and not searched for.
Needs AVPIPE_CORPORA; about an hour on one core. The same command goes on where it was stopped.

Writes OUTPUT/transfer.json and prints a table: the mean UAR over the seeds, its 95 % interval, and that of the
difference to ``scratch`` (a bootstrap over WR0's recordings, each with the answers of all seeds).
"""

import argparse
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from avpipe.corpora import Nemo
from avpipe.files import write_text
from avpipe.inference.answers import read_answers

RECIPE = (
    "preprocess=mel_voice", "preprocess.window_sec=3.0", "preprocess.hop_sec=3.0", "encoder=residual2d",
    "pooling=statistics", "augment=features", "cache=features", "device=cpu", "data.workers=0", "logger=[]",
)  # fmt: skip
PRETRAINING = {
    "sounds": ("task=sound_event", "corpus=esc10", "trainer.max_epochs=40"),
    "digits": ("task=digits", "corpus=fsdd", "trainer.max_epochs=10"),
    "speakers": (
        "task=speaker_id", "corpus=librispeech", "corpus.root={corpora}/librispeech/train-clean-100", "data.passes=4",
        "split.by=random", "split.val_fraction=0", "split.test_fraction=0", "trainer.max_epochs=25",
    ),
}  # fmt: skip
WAYS = {
    "scratch": ("transfer=scratch", "optim.lr=2e-3"),
    "features": ("transfer=features", "optim.lr=5e-3", "init_from={pretrained}"),
    "staged": ("transfer=staged", "optim.lr=2e-3", "init_from={pretrained}"),
    "full": ("transfer=full", "transfer.lr_decay=0.7", "optim.lr=2e-3", "init_from={pretrained}"),
}
EPOCHS = {5: 60, 20: 40, 100: 16}
"""Fewer where there are more examples; of another number, those of the next smaller one."""
TEST, VALIDATION = "WR0", "TP0"
EACH_TESTED, EACH_VALIDATED = 40, 10
"""Recordings of each emotion."""


def train(run_dir: Path, *arguments: str) -> Path:
    """Train, or go on, or find it done; returns the run's folder."""
    if not (run_dir / "metrics.json").is_file():
        command = [sys.executable, "-m", "avpipe", "train", *RECIPE, *arguments, f"run_dir={run_dir}"]
        print(" ".join(command[3:]), flush=True)
        subprocess.run(command, check=True)
    return run_dir


def pretrain(output: Path, corpora: Path) -> Path:
    """The bundle of the last of the corpora, each begun with what the one before taught."""
    before: tuple[str, ...] = ()
    for name, arguments in PRETRAINING.items():
        run_dir = train(output / name, *(each.format(corpora=corpora) for each in arguments), *before)
        before = (f"init_from={run_dir / 'bundle'}",)
    return run_dir / "bundle"


def write_list(path: Path, nemo: Nemo, examples: int, seed: int) -> Path:
    """Write the list of what is learned from, validated and tested on; the last two are the same in all lists."""
    by_place: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for example in nemo.examples():
        side = {TEST: "test", VALIDATION: "val"}.get(example.group, "train")
        by_place[side, str(example.target)].append(example.path)
    rows = []
    for (side, label), paths in sorted(by_place.items()):
        count = {"train": examples, "val": EACH_VALIDATED, "test": EACH_TESTED}[side]
        draw = np.random.default_rng(seed if side == "train" else 0)
        rows += [(each, label, side) for each in draw.permutation(sorted(paths))[:count]]
    text = "".join(f"{each},{label},{side}\n" for each, label, side in rows)
    write_text(path, f"path,label,split\n{text}")
    return path


def answers_of(run_dir: Path) -> dict[str, tuple[str, bool]]:
    """By recording: its label, and whether the likeliest label was right."""
    return {answer.name: (answer.target, answer.correct) for answer in read_answers(run_dir / "answers.csv")}


def uar_draws(runs: Sequence[Path], draws: int = 2000) -> np.ndarray:
    """(1 + draws,): the mean UAR of several runs on the same recordings, first of all of them, then of resamples.

    The draws are the same for all runs on the same recordings, so that differences are paired.
    """
    told = [answers_of(run) for run in runs]
    names = sorted(told[0])
    labels = np.array([told[0][name][0] for name in names])
    right = np.array([[answers[name][1] for name in names] for answers in told], dtype=np.float64).mean(0)
    draw = np.random.default_rng(0)
    recalls = []
    for label in sorted(set(labels)):
        own = right[labels == label]
        resampled = own[draw.integers(len(own), size=(draws, len(own)))].mean(1)
        recalls.append(np.concatenate([[own.mean()], resampled]))
    return np.mean(recalls, axis=0)


def interval(values: np.ndarray) -> list[float]:
    low, high = np.quantile(values[1:], (0.025, 0.975))
    return [float(low), float(high)]


def table(runs: Mapping[tuple[int, str], Sequence[Path]]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for (examples, way), folders in runs.items():
        drawn = uar_draws(folders)
        row: dict[str, Any] = {"examples": examples, "way": way, "uar": float(drawn[0]), "interval": interval(drawn)}
        row["each_seed"] = [json.loads((each / "metrics.json").read_text())["metrics"]["uar"] for each in folders]
        if (examples, "scratch") in runs and way != "scratch":
            more = drawn - uar_draws(runs[examples, "scratch"])
            row |= {"more": float(more[0]), "more_interval": interval(more)}
        rows.append(row)
    return rows


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    print("| examples a class | way | UAR (95 % interval) | above scratch (95 % interval) |\n|---|---|---|---|")
    for row in rows:
        low, high = row["interval"]
        more = ""
        if "more" in row:
            more = "{:+.3f} ({:+.3f} to {:+.3f})".format(row["more"], *row["more_interval"])
        print(f"| {row['examples']} | {row['way']} | {row['uar']:.3f} ({low:.3f} - {high:.3f}) | {more} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--examples", type=int, nargs="+", default=list(EPOCHS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    options = parser.parse_args()
    output = options.output.absolute()
    corpora = Path(os.environ["AVPIPE_CORPORA"]).absolute()
    pretrained = pretrain(output, corpora)
    nemo = Nemo(corpora / "nemo")
    runs: dict[tuple[int, str], list[Path]] = {}
    # Seed by seed, so that a run that is stopped has something of everything.
    for seed in range(options.seeds):
        for examples in options.examples:
            listed = write_list(output / f"nemo-{examples}-{seed}.csv", nemo, examples, seed)
            epochs = EPOCHS[max((each for each in EPOCHS if each <= examples), default=min(EPOCHS))]
            for way in options.ways:
                arguments = (each.format(pretrained=pretrained) for each in WAYS[way])
                run_dir = train(
                    output / f"emotion-{examples}-{way}-{seed}",
                    "task=emotion", "corpus=manifest", f"corpus.path={listed}", f"seed={seed}",
                    f"trainer.max_epochs={epochs}", *arguments,
                )  # fmt: skip
                runs.setdefault((examples, way), []).append(run_dir)
        rows = table(dict(sorted(runs.items(), key=lambda item: (item[0][0], options.ways.index(item[0][1])))))
        write_text(output / "transfer.json", json.dumps(rows, indent=2) + "\n")
        print_table(rows)


if __name__ == "__main__":
    main()
