"""The diagrams of the pages of scores."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from avpipe.report.diagrams import Calibration, selective_accuracy
from avpipe.report.drawing import (
    FONT_PT,
    INK,
    MUTED,
    SERIES,
    LegendEntry,
    Picture,
    inline_svg,
    line_style,
    new_figure,
    style,
)

MAX_MARKED = 40
"""Up to so many points of a line each is marked by a dot, so that a lone one is seen."""

_CLOCKS = frozenset(("epoch", "step", "seconds", "sec", "time", "time_sec", "elapsed_sec"))


def history_pictures(history: Sequence[Mapping[str, float]]) -> list[Picture]:
    """Losses, scores (what lies in [0, 1]), learning rates and the rest against the epoch; a diagram for each kind.

    Values that are no finite numbers are gaps in the lines; what never is one is named below.
    """
    told = [_number(row.get("epoch")) for row in history]
    epochs = np.array([index + 1 if math.isnan(epoch) else epoch for index, epoch in enumerate(told)])
    kinds: dict[str, dict[str, np.ndarray]] = {"Loss": {}, "Scores": {}, "Learning rate": {}, "Other": {}}
    for key in sorted({key for row in history for key in row}):
        values = np.array([_number(row.get(key)) for row in history])
        if key.rpartition("/")[2] not in _CLOCKS and any(_is_number(row.get(key)) for row in history):
            kinds[_kind(key, values)][key] = values
    return [_history_picture(kind, epochs, series) for kind, series in kinds.items() if series]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: object) -> float:
    """A finite number, or NaN."""
    if not isinstance(value, int | float):
        return math.nan
    return float(value) if math.isfinite(value) else math.nan


def _kind(key: str, values: np.ndarray) -> str:
    last = key.rpartition("/")[2].lower()
    if "loss" in last:
        return "Loss"
    if last in ("lr", "learning_rate") or last.startswith("lr-") or key.startswith("lr"):
        return "Learning rate"
    finite = values[np.isfinite(values)]
    return "Scores" if len(finite) and finite.min() >= 0 and finite.max() <= 1 else "Other"


def _history_picture(kind: str, epochs: np.ndarray, series: Mapping[str, np.ndarray]) -> Picture:
    figure = new_figure()
    axes = figure.add_subplot()
    style(axes, "epoch", kind.lower() if kind != "Other" else "value")
    shown = {key: values for key, values in series.items() if np.isfinite(values).any()}
    legend = []
    for index, (key, values) in enumerate(shown.items()):
        marker = "o" if len(epochs) <= MAX_MARKED else None
        axes.plot(epochs, values, marker=marker, markersize=3, **line_style(index))
        legend.append(LegendEntry(key, index))
    _count_along(axes, epochs)
    never = [key for key in series if key not in shown]
    note = f"Never a finite number: {', '.join(never)}." if never else ""
    alt = f"{kind} by epoch, {len(epochs)} epochs. " + " ".join(
        f"{key}: {_first_finite(values):.3g} to {_first_finite(values[::-1]):.3g}." for key, values in shown.items()
    )
    return Picture(f"{kind} by epoch", inline_svg(figure, kind.lower().replace(" ", "-")), alt, tuple(legend), note)


def _count_along(axes: Axes, places: np.ndarray) -> None:
    """Whole numbers below, also where there are but one or two."""
    axes.set_xlim(places.min() - 0.5, places.max() + 0.5)
    if np.ptp(places) < 8:
        axes.set_xticks(np.unique(places.round()))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))


def _first_finite(values: np.ndarray) -> float:
    return float(values[np.isfinite(values)][0])


def reliability_picture(after: Calibration, before: Calibration | None) -> Picture:
    """Accuracy against confidence, and below how many answers have it."""
    figure = new_figure(4.4, 3.8)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    style(upper, "", "accuracy")
    style(lower, "confidence", "answers")
    upper.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (2, 2)))
    named = [("answers", after)] if before is None else [("calibrated", after), ("before calibration", before)]
    width = 1 / len(after.counts)
    for index, (_, bins) in enumerate(named):
        filled = bins.counts > 0
        upper.plot(
            bins.confidence[filled], bins.accuracy[filled], marker="o", markersize=3.5, zorder=4 - index,
            **line_style(index),
        )  # fmt: skip
        part = width / len(named)
        left = bins.edges[:-1] + index * part
        lower.bar(left, bins.counts, part * 0.9, align="edge", color=SERIES[index], linewidth=0)
    upper.set_xlim(0, 1)
    upper.set_ylim(0, 1.02)
    lower.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
    errors = ", ".join(f"{name} {bins.error:.3f}" for name, bins in named)
    alt = f"Accuracy against confidence in {len(after.counts)} bins. Expected calibration error: {errors}."
    legend = tuple(LegendEntry(f"{name}: ECE {bins.error:.3f}", index) for index, (name, bins) in enumerate(named))
    note = "On the dotted line, confidence is accuracy. Below: how many answers each bin has."
    return Picture("Reliability", inline_svg(figure, "reliability"), alt, legend, note)


def selective_picture(confidences: np.ndarray, correct: np.ndarray, threshold: float | None) -> Picture:
    """Share of the answered and their accuracy, by the threshold below which an answer is refused."""
    figure = new_figure(4.4, 3.8)
    axes = figure.add_subplot()
    style(axes, "threshold", "share")
    thresholds = np.linspace(0, 1, 201)
    share, accuracy = selective_accuracy(confidences, correct, thresholds)
    axes.plot(thresholds, accuracy, **line_style(0))
    axes.plot(thresholds, share, **line_style(1))
    legend = (LegendEntry("accuracy of the answered", 0), LegendEntry("share answered", 1))
    if threshold is None:
        note = "How accuracy grows as more is refused."
    else:
        axes.axvline(threshold, color=INK, linewidth=0.9, linestyle=(0, (2, 2)))
        (kept,), (right,) = selective_accuracy(confidences, correct, np.array([threshold]))
        of_them = "" if math.isnan(right) else f", and {100 * right:.1f} % of them rightly"
        whole = 100 * correct.mean()
        note = f"At the threshold of {threshold:.3f}, {100 * kept:.1f} % are answered{of_them}; of all {whole:.1f} %."
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    alt = f"Share answered and accuracy of the answered, by the threshold of confidence. {note}"
    return Picture("Refusing the unsure", inline_svg(figure, "selective"), alt, legend, note)


def folds_picture(
    folds: Sequence[Mapping[str, float]],
    floors: Sequence[Mapping[str, float] | None],
    intervals: Mapping[str, tuple[float, float]],
    metrics: Sequence[str],
) -> Picture:
    """Each metric of each fold, beside the mean over folds and, where it is known, the interval."""
    figure = new_figure(max(5.5, min(9.0, 1.5 + 0.25 * len(folds))), 3.2)
    axes = figure.add_subplot()
    style(axes, "fold", "score")
    places = np.arange(1, len(folds) + 1, dtype=np.float64)
    legend, told = [], []
    for index, metric in enumerate(metrics):
        values = np.array([_number(fold.get(metric)) for fold in folds])
        offset = (index - (len(metrics) - 1) / 2) * 0.16
        axes.plot(places + offset, values, "o", color=SERIES[index], markersize=5)
        _draw_floor(axes, places + offset, [(floor or {}).get(metric) for floor in floors], SERIES[index])
        if np.isfinite(values).any():
            axes.axhline(np.nanmean(values), color=SERIES[index], linewidth=1.2)
            told.append(f"{metric}: mean {np.nanmean(values):.3f}.")
        if np.isfinite(intervals.get(metric, (math.nan, math.nan))).all():
            axes.axhspan(*intervals[metric], color=SERIES[index], alpha=0.12, linewidth=0)
        legend.append(LegendEntry(metric, index))
    _count_along(axes, places)
    note = "A dot a fold, a line at the mean"
    note += ", a band for the 95 % interval" if any(metric in intervals for metric in metrics) else ""
    note += ", a cross at the floor." if any(floors) else "."
    alt = f"Scores of {len(folds)} folds. {' '.join(told)}"
    return Picture("Folds", inline_svg(figure, "folds"), alt, tuple(legend), note)


def _draw_floor(axes: Axes, places: np.ndarray, values: Sequence[float | None], colour: str) -> None:
    floor = np.array([_number(value) for value in values])
    if np.isfinite(floor).any():
        axes.plot(places, floor, "x", color=colour, markersize=FONT_PT / 2)
