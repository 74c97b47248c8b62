"""An excerpt of a recording before and after the filter: spectrograms one above the other, and levels."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from avpipe.media import DamagedMedia, read_clip
from avpipe.report.drawing import (
    FONT_PT,
    LegendEntry,
    Picture,
    inline_svg,
    line_style,
    new_figure,
    style,
)

MAX_EXCERPT_SEC = 30.0
"""Of a longer recording the middle is shown: a page holds many, and pixels are few."""

FRAME_SEC = 0.032
MAX_COLUMNS, MAX_BANDS = 420, 96
RANGE_DB = 70.0
LOWEST_DB = -100.0

_ROWS = ("before", "after", "removed")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """
    Shape:
        before, after: (samples,), float32: the mean of the channels, of one length.
    """

    start_sec: float
    total_sec: float
    sample_rate: int
    before: np.ndarray
    after: np.ndarray

    @property
    def seconds(self) -> float:
        return len(self.before) / self.sample_rate

    @property
    def is_whole(self) -> bool:
        return self.seconds > self.total_sec - 0.1

    @property
    def fragment(self) -> str:
        """What has a player begin where the excerpt does."""
        return "" if self.is_whole else f"#t={self.start_sec:.1f},{self.start_sec + self.seconds:.1f}"


def read_excerpt(before: Path, after: Path, total_sec: float) -> Excerpt:
    """The middle of a recording and of its cleaned version, at the rate of the former.

    Raises:
        MediaError: one of them can no longer be read.
    """
    start_sec = max(0.0, (total_sec - MAX_EXCERPT_SEC) / 2)
    one = read_clip(before, start_sec, MAX_EXCERPT_SEC, mono=True)
    other = read_clip(after, start_sec, MAX_EXCERPT_SEC, mono=True, sample_rate=one.sample_rate)
    if one.waveform is None or other.waveform is None or one.sample_rate is None:
        raise DamagedMedia(before, f"nothing is left at {start_sec:g} s")
    samples = min(one.waveform.shape[1], other.waveform.shape[1])
    return Excerpt(start_sec, total_sec, one.sample_rate, one.waveform[0, :samples], other.waveform[0, :samples])


def before_after_picture(excerpt: Excerpt, name: str) -> Picture:
    """Spectrograms before, after, and of what was removed, on one scale; below them the levels.

    Args:
        excerpt: what is drawn.
        name: of letters, digits and dashes, another for each picture of a page.
    """
    sounds = dict(zip(_ROWS, (excerpt.before, excerpt.after, excerpt.before - excerpt.after), strict=True))
    figure = new_figure(9.0, 6.6)
    rows = figure.subplots(4, 1, sharex=True, height_ratios=[1, 1, 1, 0.9])
    spectra = {row: spectrogram_db(sound, excerpt.sample_rate) for row, sound in sounds.items()}
    top_db = max(float(np.percentile(spectra["before"], 99.8)), LOWEST_DB + RANGE_DB)
    edges = excerpt.start_sec, excerpt.start_sec + excerpt.seconds, 0.0, excerpt.sample_rate / 2000
    for axes, (row, spectrum) in zip(rows, spectra.items(), strict=False):
        style(axes, "", "kHz")
        axes.grid(False)
        image = axes.imshow(
            spectrum, origin="lower", aspect="auto", extent=edges, cmap="magma", vmin=top_db - RANGE_DB, vmax=top_db,
            interpolation="nearest",
        )  # fmt: skip
        axes.text(0.006, 0.9, row, transform=axes.transAxes, va="top", color="white", fontsize=FONT_PT, weight="bold")
    bar = figure.colorbar(image, ax=rows[:3], pad=0.01, aspect=40)
    _style_bar(bar.ax)
    legend = _draw_levels(rows[3], sounds, excerpt)
    alt = f"Spectrograms of {excerpt.seconds:.1f} s before and after the filter and of what was removed, and levels."
    note = "The whole recording." if excerpt.is_whole else f"{excerpt.seconds:.0f} s from its middle."
    note += " Brightness is level in dB of full scale, alike in all three; lines are levels over all frequencies."
    return Picture("", inline_svg(figure, name), alt, legend, note)


def _style_bar(axes: Axes) -> None:
    style(axes, "", "dB")
    axes.grid(False)


def _draw_levels(axes: Axes, sounds: dict[str, np.ndarray], excerpt: Excerpt) -> tuple[LegendEntry, ...]:
    style(axes, "s", "dB of full scale")
    step = max(round(0.05 * excerpt.sample_rate), -(-len(excerpt.before) // MAX_COLUMNS))
    legend = []
    lowest = 0.0
    for index, (row, sound) in enumerate(sounds.items()):
        powers = np.add.reduceat(np.square(sound, dtype=np.float64), np.arange(0, len(sound), step)) / step
        levels = 10 * np.log10(np.maximum(powers, 10 ** (LOWEST_DB / 10)))
        times = excerpt.start_sec + (np.arange(len(levels)) + 0.5) * step / excerpt.sample_rate
        axes.plot(times, levels, zorder=4 - index, **{**line_style(index), "linewidth": 1.2})
        lowest = min(lowest, float(np.percentile(levels, 2)))
        legend.append(LegendEntry(row, index))
    axes.set_ylim(max(lowest - 3, LOWEST_DB), 0)
    return tuple(legend)


def spectrogram_db(sound: np.ndarray, sample_rate: int) -> np.ndarray:
    """Levels by band and time, low bands first; a sine of full scale has 0 dB in a band of one bin.

    Shape:
        sound: (samples,); returns (at most MAX_BANDS, at most MAX_COLUMNS).
    """
    n_fft = 2 ** max(4, round(np.log2(FRAME_SEC * sample_rate)))
    if len(sound) < n_fft:
        sound = np.pad(sound, (0, n_fft - len(sound)))
    window = np.hanning(n_fft + 1)[:-1].astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(sound, n_fft)[:: n_fft // 2]
    columns = min(MAX_COLUMNS, len(frames))
    cuts = np.linspace(0, len(frames), columns + 1).astype(int)
    bands = np.linspace(0, n_fft // 2, min(MAX_BANDS, n_fft // 2) + 1).astype(int)
    power = np.empty((len(bands) - 1, columns))
    for column, (first, end) in enumerate(itertools.pairwise(cuts)):
        spectrum = np.square(np.abs(np.fft.rfft(frames[first:end] * window, axis=1)[:, :-1])).mean(axis=0)
        power[:, column] = np.add.reduceat(spectrum, bands[:-1]) / np.diff(bands)
    return 10 * np.log10(np.maximum(power * (2 / window.sum()) ** 2, 10 ** ((LOWEST_DB - 60) / 10)))
