"""A picture of what a sum is made of."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from avpipe.files import written_whole

_ROW_IN = 0.26
_INK, _LINE = "#333333", "#dddddd"
_COLOURS = ("#3b6ea8", "#c2693d")


def write_shares_picture(path: Path, title: str, groups: Mapping[str, Mapping[str, float]]) -> None:
    """Draw a bar for each part of each group, with its seconds and its share of the group.

    Args:
        path: of a PNG, written whole.
        title: of the picture.
        groups: seconds by part, by the group's name.
    """
    heights = [len(parts) for parts in groups.values()]
    figure = Figure(figsize=(8.0, 0.6 + _ROW_IN * sum(heights) + 0.75 * len(heights)), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=10, color=_INK)
    rows = figure.subplots(len(groups), 1, squeeze=False, height_ratios=heights)
    for place, (axes, (name, parts)) in enumerate(zip(rows[:, 0], groups.items(), strict=True)):
        total = sum(parts.values()) or 1.0
        bars = axes.barh(range(len(parts)), list(parts.values()), color=_COLOURS[place % len(_COLOURS)], height=0.75)
        texts = [f"{seconds:.2f} s, {seconds / total:.1%}" for seconds in parts.values()]
        axes.bar_label(bars, texts, padding=4, fontsize=8, color=_INK)
        axes.set_yticks(range(len(parts)), list(parts), fontsize=9, color=_INK)
        axes.invert_yaxis()
        axes.set_title(name, fontsize=9, color=_INK, loc="left")
        axes.set_xlabel("seconds", fontsize=8, color=_INK)
        axes.tick_params(axis="x", labelsize=8, colors=_INK)
        axes.grid(True, axis="x", color=_LINE, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.margins(x=0.18, y=0.02)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
    with written_whole(path) as part:
        figure.savefig(part, dpi=110, metadata={"Software": None})
