"""The table and the picture of a sweep over encoders: what each scored, and what it costs.

    python -m scripts.bench_sweep SWEEP [--picture FILE.png] [--rounds 6]

SWEEP is the folder of an ``avpipe train -m ... encoder=a,b,c`` whose jobs differ in nothing else. Scores, with their
intervals, are the sweep's. Costs are measured here, as ``scripts/bench_encoders.py`` does: by the processor's own time
on one thread, the encoders taking turns, in the sweep's batch size and precision (an answer is one window in 32 bits).
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from avpipe.config import compose, plain
from avpipe.files import written_whole
from scripts.bench_encoders import Contestant, measured


def read_jobs(sweep: Path) -> dict[str, dict[str, Any]]:
    """The jobs that are done, by encoder."""
    rows = json.loads((sweep / "sweep.json").read_text(encoding="utf-8"))["jobs"]
    return {row["overrides"]["encoder"]: row for row in rows if row["status"] == "done"}


def contestant(job: Mapping[str, Any]) -> Contestant:
    overrides = [f"{key}={value}" for key, value in job["overrides"].items()]
    config = plain(compose("train", overrides))
    return Contestant(overrides, config["data"]["batch_size"], config["device"]["precision"] == "bf16-mixed")


def with_interval(job: Mapping[str, Any], metric: str) -> str:
    low, high = job["intervals"][metric]
    return f"{job['metrics'][metric]:.3f} ({low:.3f} - {high:.3f})"


def print_table(
    jobs: Mapping[str, Mapping[str, Any]],
    contestants: Mapping[str, Contestant],
    costs: Mapping[str, tuple[float, float]],
) -> None:
    print("| `encoder=` | accuracy (95 % interval) | validation | parameters | multiply-adds | trained | an answer |")
    print("|---|---|---|---|---|---|---|")
    for name, job in jobs.items():
        sums, (speed, answer_ms) = contestants[name].sums, costs[name]
        print(
            f"| `{name}` | {with_interval(job, 'accuracy')} | {job['validation']:.3f} "
            f"| {sums.parameters / 1e6:.2f} M | {sums.multiply_adds / 1e6:.1f} M | {speed:.0f}/s | {answer_ms:.1f} ms |"
        )
    print("split:", ", ".join(sorted({job["split_sha256"][:12] for job in jobs.values()})))


def draw(path: Path, jobs: Mapping[str, Mapping[str, Any]], columns: Mapping[str, Sequence[float]]) -> None:
    """A PNG: accuracy with its interval over each of the costs, which rise by factors."""
    figure = Figure(figsize=(4.6 * len(columns), 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    plots = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    for axes, (label, costs) in zip(plots, columns.items(), strict=True):
        for place, ((name, job), cost) in enumerate(zip(jobs.items(), costs, strict=True)):
            score, (low, high) = job["metrics"]["accuracy"], job["intervals"]["accuracy"]
            colour = f"C{place}"
            axes.plot([cost, cost], [low, high], color=colour, linewidth=1.4, alpha=0.5)
            axes.plot([cost], [score], "o", color=colour, markersize=5, label=name)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel(label, fontsize=9)
        axes.tick_params(labelsize=8)
        axes.grid(True, color="#dddddd", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    plots[0].set_ylabel("accuracy on the test fold; lines: 95 % intervals", fontsize=9)
    figure.legend(*plots[0].get_legend_handles_labels(), loc="outside right center", fontsize=8, frameon=False)
    with written_whole(path) as part:
        figure.savefig(part, format="png", dpi=100, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sweep", type=Path)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--rounds", type=int, default=6)
    asked = parser.parse_args()
    jobs = read_jobs(asked.sweep)
    torch.manual_seed(0)
    contestants = {name: contestant(job) for name, job in jobs.items()}
    costs = measured(contestants, asked.rounds)
    print_table(jobs, contestants, costs)
    if asked.picture is not None:
        multiply_adds = [float(each.sums.multiply_adds) for each in contestants.values()]
        answers_ms = [answer_ms for _, answer_ms in costs.values()]
        draw(asked.picture, jobs, {"multiply-adds a window": multiply_adds, "ms an answer, one core": answers_ms})


if __name__ == "__main__":
    main()
