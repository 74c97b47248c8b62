"""What a network has to beat: statistics of MFCCs and logistic regression, on the splits of a finished training.

    python scripts/floor.py runs/emotion [--rate 16000]

RUN_DIR holds a ``split.csv``, or a folder a fold that does. The floor of each fold learns from its training part alone
and is scored on its test part; the table has it beside the network's own ``metrics.json``.
"""

import argparse
import csv
import json
import statistics
from functools import cache
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


def floor_of(split: Path, rate: int) -> dict[str, float]:
    """Accuracy and UAR on the test part of a ``split.csv``."""
    with split.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    parts = {side: [row for row in rows if row["split"] == side] for side in ("train", "test")}
    x, y = {}, {}
    for side, members in parts.items():
        x[side] = np.stack([features(split.parent / row["path"], rate) for row in members])
        y[side] = [row["label"] for row in members]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.02, max_iter=400, class_weight="balanced"))
    said = model.fit(x["train"], y["train"]).predict(x["test"])
    uar = recall_score(y["test"], said, labels=sorted(set(y["test"])), average="macro", zero_division=0)
    return {"accuracy": float(accuracy_score(y["test"], said)), "uar": float(uar)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--rate", type=int, default=16000)
    arguments = parser.parse_args()
    folders = sorted(path.parent for path in arguments.run_dir.glob("fold-*/split.csv")) or [arguments.run_dir]
    table = Table("part", "floor accuracy", "floor UAR", "network accuracy", "network UAR")
    found: dict[str, list[float]] = {name: [] for name in ("floor accuracy", "floor UAR", "accuracy", "uar")}
    for folder in folders:
        floor = floor_of(folder / "split.csv", arguments.rate)
        (folder / "floor.json").write_text(json.dumps(floor, indent=2) + "\n", encoding="utf-8")
        network = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["metrics"]
        values = [floor["accuracy"], floor["uar"], network["accuracy"], network["uar"]]
        for name, value in zip(found, values, strict=True):
            found[name].append(value)
        table.add_row(folder.name, *(f"{value:.3f}" for value in values))
    if len(folders) > 1:
        table.add_row("mean", *(f"{statistics.fmean(values):.3f}" for values in found.values()))
        table.add_row("sd", *(f"{statistics.stdev(values):.3f}" for values in found.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
