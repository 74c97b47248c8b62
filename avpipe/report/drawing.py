"""From matplotlib figures to SVG that stands in a page: same bytes every time, coloured by the page's style."""

import io
import itertools
import re
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

# A figure is drawn in these colours, and each is replaced by a variable of the page's style: light and dark are the
# reader's choice, and a picture cannot know it.
INK, MUTED, GRID = "#010101", "#010102", "#010103"
SERIES = tuple(f"#0102{index:02x}" for index in range(6))
_VARIABLES = {INK: "--ink", MUTED: "--muted", GRID: "--line", **{hue: f"--c{i}" for i, hue in enumerate(SERIES)}}

DASHES = ("solid", (0, (4, 2)), (0, (1, 1.5)))
FONT_PT = 9

# Without metadata: it holds addresses, and the date.
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """A line of a legend, which stands in the page and not in the picture: names may be of any script."""

    name: str
    series: int
    """Place in ``SERIES``, any number: colours come again with other dashes."""

    @property
    def colour(self) -> int:
        return self.series % len(SERIES)

    @property
    def dash(self) -> int:
        return self.series // len(SERIES) % len(DASHES)


@dataclass(frozen=True, slots=True)
class Picture:
    """A diagram and what is said beside it."""

    title: str
    svg: Markup
    alt: str
    legend: tuple[LegendEntry, ...] = ()
    note: str = ""


def new_figure(width_in: float = 4.4, height_in: float = 3.0) -> Figure:
    """A figure that pyplot knows nothing of, so it is freed like any object."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasSVG(figure)
    return figure


def style(axes: Axes, x_label: str, y_label: str) -> None:
    """The house's look; the arguments are ours, never a file's or a label's name."""
    axes.set_xlabel(x_label, fontsize=FONT_PT, color=MUTED)
    axes.set_ylabel(y_label, fontsize=FONT_PT, color=MUTED)
    axes.tick_params(labelsize=FONT_PT, colors=MUTED, length=3, width=0.6)
    axes.grid(True, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(GRID)


def line_style(series: int) -> dict[str, Any]:
    """Keywords of ``Axes.plot`` for a place in the legend."""
    entry = LegendEntry("", series)
    return {"color": SERIES[entry.colour], "linestyle": DASHES[entry.dash], "linewidth": 1.6}


def inline_svg(figure: Figure, name: str) -> Markup:
    """The figure as one ``<svg>`` element, to stand among others in one page.

    Args:
        figure: with the colours of this module.
        name: of letters and dashes, another for each picture of a page: its ids begin with it.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata=_NO_METADATA)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    # The sheet would hold for the whole page; comments repeat texts.
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true">', text, count=1)
    text = _renamed_ids(text.replace("xlink:href", "href"), name)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    return Markup(re.sub(r"\s+", " ", text).replace("> <", "><").strip())


def _renamed_ids(text: str, name: str) -> str:
    """Ids by number of appearance: matplotlib's are random, and the same in every figure; those unused go."""
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', text))
    numbers = itertools.count()
    names = {old: f"{name}-{next(numbers)}" for old in dict.fromkeys(re.findall(r' id="([^"]+)"', text)) if old in used}
    text = re.sub(r' id="([^"]+)"', lambda match: f' id="{names[match[1]]}"' if match[1] in names else "", text)
    return re.sub(r'(href="|url\()#([^")]+)', lambda match: f"{match[1]}#{names[match[2]]}", text)
