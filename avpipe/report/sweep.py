"""The page of a sweep: every job, its curve, and the best of each value."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from avpipe.report.drawing import SERIES, LegendEntry, Picture, inline_svg, line_style, new_figure, style
from avpipe.report.page import write_page

MAX_CURVES = 18
"""More lines than there are colours and dashes tell nothing."""
LEFT_OUT = ("ece_uncalibrated", "f1")
"""Of the table, which would be too wide; ``sweep.csv`` has them."""
DRAWN_FIRST = ("accuracy", "uar", "wer", "eer", "si_sdr")


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport:
    """What a sweep's jobs came to."""

    command: str
    axes: Mapping[str, Sequence[str]]
    """Keys in which jobs differ, each with its values."""
    rows: Sequence[Mapping[str, Any]]
    """As ``sweep.json`` has them."""
    best: Mapping[str, Mapping[str, Mapping[str, Any]]]
    """By key and value: the ``name`` of the job that validates best, and its ``validation``."""
    curves: Sequence[Sequence[float]]
    """Validation score of each epoch, a job each; empty where there is none."""


def write_sweep_report(path: Path, report: SweepReport) -> Path:
    """Write the page of a sweep to ``path``; it reads no media."""
    metrics = list(dict.fromkeys(name for row in report.rows for name in row["metrics"] if name not in LEFT_OUT))
    drawn = next((name for name in (*DRAWN_FIRST, *metrics) if name in metrics), None)
    pictures = [_scores_picture(report.rows, drawn)] if drawn else []
    if any(report.curves):
        pictures.append(_curves_picture(report))
    content = {
        "report": report,
        "title": "Sweep",
        "metrics": metrics,
        "drawn": drawn,
        "pictures": pictures,
        "axes": [_axis(report, key, drawn) for key in report.axes],
        "others": Counter(row["status"] for row in report.rows if row["status"] != "done"),
    }
    return write_page(path, "sweep.html", content)


def _axis(report: SweepReport, key: str, drawn: str | None) -> dict[str, Any]:
    """One axis: of each value the job that validates best, and the mean test score of all its jobs."""
    values = []
    for value in report.axes[key]:
        done = [row for row in report.rows if row["overrides"].get(key, "") == value and row["metrics"]]
        scores = [row["metrics"][drawn] for row in done if drawn in row["metrics"]] if drawn else []
        name = report.best[key].get(value, {}).get("name")
        best = next((row for row in done if row["name"] == name), None)
        mean = float(np.mean(scores)) if scores else None
        values.append({"value": value, "jobs": len(done), "mean": mean, "best": best})
    return {"key": key, "values": values}


def _scores_picture(rows: Sequence[Mapping[str, Any]], metric: str) -> Picture:
    figure = new_figure(max(4.4, min(9.0, 1.5 + 0.3 * len(rows))), 3.2)
    axes = figure.add_subplot()
    style(axes, "job, by its number in the table", "score")
    told = []
    for place, row in enumerate(rows, 1):
        value = row["metrics"].get(metric)
        if value is None or not math.isfinite(value):
            continue
        low, high = row["intervals"].get(metric, (value, value))
        axes.plot([place, place], [low, high], color=SERIES[0], linewidth=1.6, alpha=0.6)
        axes.plot([place], [value], "o", color=SERIES[0], markersize=5)
        told.append(f"{place}: {value:.3f}.")
    axes.set_xlim(0.5, len(rows) + 0.5)
    axes.set_xticks(range(1, len(rows) + 1, max(1, len(rows) // 20)))
    note = "A dot a job on the test part, a line for its 95 % interval: jobs whose lines overlap are not told apart."
    alt = f"{metric} of {len(rows)} jobs. {' '.join(told)}"
    return Picture(f"Scores: {metric}", inline_svg(figure, "scores"), alt, (), note)


def _curves_picture(report: SweepReport) -> Picture:
    figure = new_figure(6.0, 3.2)
    axes = figure.add_subplot()
    metric = next((row["metric"] for row in report.rows if row["metric"]), "score")
    style(axes, "epoch", "validation")
    numbered = [(place, curve) for place, curve in enumerate(report.curves, 1) if curve]
    legend = []
    for index, (place, curve) in enumerate(numbered[:MAX_CURVES]):
        marker = "o" if len(curve) == 1 else None
        axes.plot(range(1, len(curve) + 1), curve, marker=marker, markersize=3, **line_style(index))
        row = report.rows[place - 1]
        named = " ".join(f"{key}={row['overrides'].get(key, '')}" for key in report.axes)
        legend.append(LegendEntry(f"{place}: {named or row['name']}", index))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    left_out = len(numbered) - len(legend)
    note = f"The first {MAX_CURVES} jobs of {len(numbered)}." if left_out > 0 else ""
    alt = f"Validation {metric} by epoch, {len(legend)} jobs. " + " ".join(
        f"{place}: {curve[0]:.3g} to {curve[-1]:.3g}." for place, curve in numbered[:MAX_CURVES]
    )
    return Picture(f"Validation by epoch: {metric}", inline_svg(figure, "curves"), alt, tuple(legend), note)
