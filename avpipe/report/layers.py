"""A picture of what a network's layers cost and see."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from avpipe.files import written_whole
from avpipe.networks import Layer

_ROW_IN, _MOST_NAMED = 0.17, 160
_INK, _LINE = "#333333", "#dddddd"
_COLOURS = ("#3b6ea8", "#c2693d", "#5b8c5a", "#7d5ba6")


def write_layer_picture(path: Path, title: str, layers: Sequence[Layer]) -> None:
    """Draw a bar a layer for parameters, multiply-adds, memory and receptive field, from the input downwards.

    Args:
        path: of a PNG, written whole.
        title: of the picture.
        layers: in order.
    """
    named = len(layers) <= _MOST_NAMED
    figure = Figure(figsize=(11.0, 1.3 + (_ROW_IN if named else _ROW_IN / 4) * len(layers)), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, color=_INK)
    columns = {
        "parameters": [float(layer.parameters) for layer in layers],
        "multiply-adds": [float(layer.multiply_adds) for layer in layers],
        "memory of the output, bytes": [float(layer.activation_bytes) for layer in layers],
        "receptive field, places": [
            float(max((f.places for f in layer.fields.values()), default=0)) for layer in layers
        ],
    }
    whole = [any(field.is_global for field in layer.fields.values()) for layer in layers]
    for place, (axes, (name, values)) in enumerate(
        zip(figure.subplots(1, 4, sharey=True), columns.items(), strict=True)
    ):
        colours = [_COLOURS[place]] * len(layers)
        bars = axes.barh(range(len(layers)), values, color=colours, height=0.8)
        axes.set_title(name, fontsize=9, color=_INK)
        axes.tick_params(labelsize=7, colors=_INK)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
        axes.grid(True, axis="x", color=_LINE, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.margins(y=0.01)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        if place == len(columns) - 1:
            for bar, sees_all in zip(bars, whole, strict=True):
                bar.set_alpha(0.4 if sees_all else 1.0)
            axes.set_xlabel("longest axis; pale: some\npath sees all of it", fontsize=8, color=_INK)
        if place == 0:
            axes.invert_yaxis()
            labels = [layer.name or layer.kind for layer in layers]
            axes.set_yticks(range(len(layers)) if named else [], labels if named else [], fontsize=7)
    with written_whole(path) as part:
        figure.savefig(part, format="png", dpi=100, metadata={"Software": None})
