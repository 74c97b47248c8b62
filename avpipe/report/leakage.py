"""The page of a task that was trained on two splits, by group and at random."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avpipe.features import Preprocessor
from avpipe.report.answers import ScoredAnswer
from avpipe.report.drawing import SERIES, LegendEntry, Picture, inline_svg, new_figure, style
from avpipe.report.exhibits import worst_errors
from avpipe.report.page import flattened, write_page


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakageReport:
    """What both splits scored."""

    title: str
    command: str
    settings: Mapping[str, Any]
    content: Mapping[str, Any]
    """As ``leakage.json`` has it."""
    finding: str
    """A sentence."""
    answers: Sequence[ScoredAnswer]
    """Of the split by group."""
    preprocessor: Preprocessor | None
    """Draws the worst errors as the network sees them."""


def write_leakage_report(path: Path, report: LeakageReport) -> Path:
    """Write the page to ``path``; files that can no longer be read are told in it."""
    content = {
        "report": report,
        "told": report.content,
        "picture": _picture(report.content),
        "exhibits": worst_errors(report.answers, report.preprocessor),
        "settings": flattened(report.settings),
    }
    return write_page(path, "leakage.html", content)


def _picture(told: Mapping[str, Any]) -> Picture:
    """Each metric on both splits, side by side, with its interval."""
    names = [name for name in told["gap"] if all(0 <= told[side]["metrics"][name] <= 1 for side in ("group", "random"))]
    figure = new_figure(4.4, 3.0)
    axes = figure.add_subplot()
    style(axes, "metric, by its number in the table", "score")
    for index, side in enumerate(("group", "random")):
        for place, name in enumerate(names, 1):
            at, value = place + (index - 0.5) * 0.2, told[side]["metrics"][name]
            low, high = told[side]["intervals"].get(name, (value, value))
            axes.plot([at, at], [low, high], color=SERIES[index], linewidth=1.6, alpha=0.6)
            axes.plot([at], [value], "o", color=SERIES[index], markersize=5)
    axes.set_xticks(range(1, len(names) + 1))
    axes.set_xlim(0.5, max(len(names), 1) + 0.5)
    axes.set_ylim(-0.02, 1.02)
    alt = "Scores on both splits. " + " ".join(
        f"{name}: {told['group']['metrics'][name]:.3f} by group, {told['random']['metrics'][name]:.3f} at random."
        for name in names
    )
    legend = (LegendEntry("by group", 0), LegendEntry("at random", 1))
    return Picture(
        "Both splits", inline_svg(figure, "leakage"), alt, legend, "A dot a score, a line its 95 % interval."
    )
