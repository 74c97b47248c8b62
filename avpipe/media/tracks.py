"""What has been decoded of one sense and is still needed: filled from a reader, cut into windows, forgotten."""

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame

from avpipe.media.clip import ClipFormat
from avpipe.media.damage import Span
from avpipe.media.pictures import Painter, Size
from avpipe.media.samples import Waveform, mixed_to_mono, resampled
from avpipe.media.sound import open_sound
from avpipe.media.truncation import is_cut_short
from avpipe.media.video import FrameReader

READ_AHEAD_SEC = 0.25
"""The least that is read at a time."""


UNKNOWN_LENGTH_SEC = 60.0
"""Of a file that promises no length, this much is asked for at a time."""


class SoundTrack:
    """Samples of one file, addressed by their index on its timeline."""

    def __init__(self, path: Path, start_sec: float) -> None:
        self._path = path
        self._reader = reader = open_sound(path, start_sec)
        self._blocks: deque[Waveform] = deque()
        self._first = round(start_sec * reader.rate)
        self._end = self._first
        self._exhausted = False
        self.truncated = False

    @property
    def rate(self) -> int:
        """Hz."""
        return self._reader.rate

    @property
    def gaps(self) -> list[Span]:
        return self._reader.gaps

    @property
    def decoder(self) -> str:
        return self._reader.decoder

    @property
    def promised_sec(self) -> float | None:
        return self._reader.promised_sec

    @property
    def end_sec(self) -> float:
        return self._end / self.rate

    def frames_between(self, start_sec: float, end_sec: float) -> tuple[int, int]:
        return 0, 0

    def reaches_beyond(self, sec: float) -> bool:
        """Whether there is sound after a time; decodes that far."""
        sample = self._index(sec)
        self._fill(sample + 1)
        return self._end > sample

    def cut(self, start_sec: float, end_sec: float, wanted: ClipFormat) -> tuple[Waveform, int] | None:
        """(waveform, rate) of [start, end), shorter where the sound ends; None where there is none."""
        start, end = self._index(start_sec), self._index(end_sec)
        self._fill(end)
        parts, first = [], self._first
        for block in self._blocks:
            part = block[:, max(0, start - first) : max(0, end - first)]
            if part.shape[1]:
                parts.append(part)
            first += block.shape[1]
        if not parts:
            return None
        waveform = np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
        if wanted.mono:
            waveform = mixed_to_mono(waveform)
        rate = wanted.sample_rate or self.rate
        return np.require(resampled(waveform, self.rate, rate), requirements=["C", "W"]), rate

    def forget(self, before_sec: float) -> None:
        """Let go of what lies before a time."""
        before = self._index(before_sec)
        while self._blocks and self._first + self._blocks[0].shape[1] <= before:
            self._first += self._blocks.popleft().shape[1]

    def close(self) -> None:
        self._reader.close()

    def _index(self, sec: float) -> int:
        # A file without end ends at a sample that no file reaches.
        return round(sec * self.rate) if sec != float("inf") else 1 << 62

    def _fill(self, until: int) -> None:
        while self._end < until and not self._exhausted:
            remaining_sec = UNKNOWN_LENGTH_SEC if self.promised_sec is None else self.promised_sec - self.end_sec
            step = min(until - self._end, round(remaining_sec * self.rate))
            block = self._reader.next_block(max(step, round(READ_AHEAD_SEC * self.rate)))
            if block is None:
                self._exhausted = True
                self._note_end()
            else:
                self._blocks.append(block)
                self._end += block.shape[1]

    def _note_end(self) -> None:
        self.truncated, lost = missing_end(self._path, self.end_sec, self.promised_sec, self._reader.slack_sec)
        self.gaps.extend(lost)


@dataclass(slots=True)
class Shown:
    """A frame that some window wants: painted in the sizes that are wanted of it."""

    time_sec: float
    """Presentation time."""
    on_show: Span
    """When it can be seen: from its time (a little earlier for a file's first frame) to that of the next."""
    pictures: dict[Size, np.ndarray]


class PictureTrack:
    """Frames of one file. Only those that some window wants are painted and kept.

    Args:
        wanted_sizes: which sizes the windows want of a frame, given the tolerance of times, its own time, and when
            it is on show.
    """

    decoder = "av"

    def __init__(self, path: Path, start_sec: float, wanted_sizes: Callable[[float, float, Span], set[Size]]) -> None:
        self._path = path
        self._reader = FrameReader(path, start_sec)
        self._wanted_sizes = partial(wanted_sizes, self._reader.tolerance_sec)
        self._painter = Painter(self._reader.shape)
        self._shown: deque[Shown] = deque()
        self._times = array("d")
        self._losses_noted = 0
        self._pending: tuple[float, float, VideoFrame] | None = None
        self.truncated = False
        self.gaps: list[Span] = []
        self.end_sec = 0.0
        self._started = False

    @property
    def picture_px(self) -> tuple[int, int]:
        """(height, width) of the upright picture."""
        return self._reader.shape

    @property
    def promised_sec(self) -> float | None:
        return self._reader.promised_sec

    def frames_between(self, start_sec: float, end_sec: float) -> tuple[int, int]:
        start, end = start_sec - self._reader.tolerance_sec, end_sec - self._reader.tolerance_sec
        decoded = bisect_left(self._times, end) - bisect_left(self._times, start)
        return decoded, sum(start <= time < end for time in self._reader.lost_times_sec)

    def reaches_beyond(self, sec: float) -> bool:
        """Whether there is picture after a time; decodes that far."""
        self._fill(sec)
        return self._pending is not None or self.end_sec > sec + self._reader.tolerance_sec

    def cut(self, start_sec: float, end_sec: float, wanted: ClipFormat) -> tuple[np.ndarray, np.ndarray] | None:
        """(frames, presentation times) of [start, end); None where no frame is on show."""
        self._fill(end_sec)
        if wanted.stride_sec is None:
            tolerance = self._reader.tolerance_sec
            chosen = [one for one in self._shown if start_sec - tolerance <= one.time_sec < end_sec - tolerance]
        else:
            seen_until = end_sec if self._pending is not None else min(end_sec, self.end_sec)
            chosen = list(self._on_show_at(targets(start_sec, seen_until, wanted.stride_sec)))
        if not chosen:
            return None
        return np.stack([one.pictures[wanted.size_px] for one in chosen]), np.array([one.time_sec for one in chosen])

    def _on_show_at(self, times_sec: Iterable[float]) -> Iterator[Shown]:
        shown = iter(self._shown)
        one = next(shown, None)
        for time_sec in times_sec:
            late = time_sec + self._reader.tolerance_sec
            while one is not None and one.on_show[1] <= late:
                one = next(shown, None)
            if one is not None and one.on_show[0] <= late:
                yield one

    def forget(self, before_sec: float) -> None:
        """Let go of frames that are no longer on show at a time."""
        before = before_sec - self._reader.tolerance_sec
        while self._shown and self._shown[0].on_show[1] <= before:
            self._shown.popleft()

    def close(self) -> None:
        self._reader.close()

    def _fill(self, until_sec: float) -> None:
        """Decode every frame that begins before a time."""
        if not self._started:
            self._started = True
            self._advance()
        while self._pending is not None and self._pending[0] < until_sec - self._reader.tolerance_sec:
            self._advance()

    def _advance(self) -> None:
        """Take the next frame; with it, it is known how long the one before was on show."""
        before, self._pending = self._pending, self._reader.next_frame()
        if self._pending is not None:
            self._times.append(self._pending[0])
            self.end_sec = self._pending[0]
        elif before is not None:
            self.end_sec = before[0] + (before[1] or self._reader.period_sec)
        self._note_losses()
        if before is not None:
            self._keep(before[0], before[2])

    def _keep(self, time_sec: float, frame: VideoFrame) -> None:
        is_first = self._reader.from_beginning and time_sec == self._times[0]
        on_show = (time_sec - self._reader.period_sec / 2 if is_first else time_sec, self.end_sec)
        sizes = self._wanted_sizes(time_sec, on_show)
        if sizes:
            self._shown.append(Shown(time_sec, on_show, {size: self._painter.paint(frame, size) for size in sizes}))

    def _note_losses(self) -> None:
        """Book frames that were lost before the frame just taken, and a picture that ends too early."""
        lost = self._reader.lost_times_sec[self._losses_noted :]
        self._losses_noted += len(lost)
        for time_sec in lost:
            ends = self._pending[0] if self._pending is not None else max(lost) + self._reader.period_sec
            self.gaps.append((time_sec, max(ends, time_sec)))
        if self._pending is None:
            self.truncated, tail = missing_end(self._path, self.end_sec, self.promised_sec, self._reader.slack_sec)
            self.gaps.extend(tail)


def targets(start_sec: float, end_sec: float, stride_sec: float) -> Iterator[float]:
    """The times start, start + stride, ... before the end."""
    return (start_sec + k * stride_sec for k in range(max(0, ceil((end_sec - start_sec) / stride_sec - 1e-6))))


def missing_end(path: Path, end_sec: float, promised_sec: float | None, slack_sec: float) -> tuple[bool, list[Span]]:
    """(whether a file was cut short, the stretch that it promised beyond its end) for a sense that ended here."""
    if promised_sec is not None and promised_sec - end_sec > slack_sec:
        return True, [(end_sec, promised_sec)]
    return is_cut_short(path), []
