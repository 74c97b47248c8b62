"""What a network has to beat: statistics of MFCCs and logistic regression, on the splits of a finished training.

    python scripts/floor.py runs/emotion [--rate 16000]

RUN_DIR holds a ``split.csv``, or a folder a fold that does. The floor of each fold learns from its training part alone
and is scored on its test part; the table has it beside the network's own ``metrics.json``. ``scripts/floor_video.py``
does the same for films.
"""

import argparse
import csv
import json
import statistics
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path

import librosa
import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, recall_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from avpipe.media import read_clip

Describe = Callable[[Path], np.ndarray]
"""From a file to the numbers that describe it."""


@cache
def features(path: Path, rate: int) -> np.ndarray:
    """(150,): mean, deviation, deviation of the change, and two percentiles of 30 MFCCs."""
    clip = read_clip(path, sample_rate=rate, mono=True)
    assert clip.waveform is not None
    n_fft, n_mels = (512, 64) if rate >= 16000 else (256, 40)
    mfcc = librosa.feature.mfcc(
        y=clip.waveform[0],
        sr=rate,
        n_mfcc=30,
        n_fft=n_fft,
        hop_length=rate // 100,
        n_mels=n_mels,
        htk=True,
        norm="ortho",
    )
    change = np.diff(mfcc, axis=1) if mfcc.shape[1] > 1 else np.zeros_like(mfcc)
    percentiles = np.percentile(mfcc, [10, 90], axis=1).ravel()
    return np.concatenate([mfcc.mean(1), mfcc.std(1), change.std(1), percentiles])


def floor_of(split: Path, describe: Describe, strength: float = 0.02) -> dict[str, float]:
    """Accuracy and UAR on the test part of a ``split.csv`` of logistic regression on what describes a file."""
    with split.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    parts = {side: [row for row in rows if row["split"] == side] for side in ("train", "test")}
    x, y = {}, {}
    for side, members in parts.items():
        x[side] = np.stack([describe(split.parent / row["path"]) for row in members])
        y[side] = [row["label"] for row in members]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000, class_weight="balanced"))
    said = model.fit(x["train"], y["train"]).predict(x["test"])
    uar = recall_score(y["test"], said, labels=sorted(set(y["test"])), average="macro", zero_division=0)
    return {"accuracy": float(accuracy_score(y["test"], said)), "uar": float(uar)}


def print_floors(run_dir: Path, floors: Mapping[str, Describe]) -> None:
    """A table of floors, by name, beside the networks' own scores, a row for each network of a run."""
    folders = sorted(path.parent for path in run_dir.glob("*/split.csv")) or [run_dir]
    table = Table("part", *(f"{name} {measure}" for name in (*floors, "network") for measure in ("accuracy", "UAR")))
    rows = []
    for folder in folders:
        found = {name: floor_of(folder / "split.csv", describe) for name, describe in floors.items()}
        (folder / "floor.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        network = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["metrics"]
        rows.append([each[measure] for each in (*found.values(), network) for measure in ("accuracy", "uar")])
        table.add_row(folder.name, *(f"{value:.3f}" for value in rows[-1]))
    if len(rows) > 1:
        columns = list(zip(*rows, strict=True))
        table.add_row("mean", *(f"{statistics.fmean(values):.3f}" for values in columns))
        table.add_row("sd", *(f"{statistics.stdev(values):.3f}" for values in columns))
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--rate", type=int, default=16000)
    asked = parser.parse_args()
    print_floors(asked.run_dir, {"floor": partial(features, rate=asked.rate)})


if __name__ == "__main__":
    main()
