"""Where the windows of a plan lie, and which frames they want."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor

from avpipe.media.clip import WindowPlan
from avpipe.media.damage import Span
from avpipe.media.pictures import Size

FOREVER = float("inf")


@dataclass(frozen=True, slots=True)
class WindowGrid:
    """The windows of one plan between two times of a file.

    Window k is [start + k * hop, that + window), cut at the end asked for.
    """

    plan: WindowPlan
    start_sec: float
    end_sec: float

    def window(self, index: int) -> Span:
        """(start, end) in seconds of a window."""
        start = self.start_sec + index * self.plan.hop_sec
        return start, min(start + self.plan.window_sec, self.end_sec)

    def wants(self, time_sec: float, on_show: Span, tolerance_sec: float) -> bool:
        """Whether any window wants a frame of this presentation time, on show for this long."""
        return any(
            self._window_wants(window, time_sec, on_show, tolerance_sec)
            for window in self._windows_at(on_show, tolerance_sec)
        )

    def _windows_at(self, on_show: Span, tolerance_sec: float) -> Iterator[Span]:
        """The windows that a stretch of time touches."""
        if self.plan.window_sec == FOREVER:
            yield self.window(0)
            return
        hop = self.plan.hop_sec
        first = floor((on_show[0] - self.start_sec - self.plan.window_sec - tolerance_sec) / hop)
        last = ceil((on_show[1] - self.start_sec + tolerance_sec) / hop)
        for index in range(max(0, first), last + 1):
            if self.start_sec + index * hop < self.end_sec:
                yield self.window(index)

    def _window_wants(self, window: Span, time_sec: float, on_show: Span, tolerance_sec: float) -> bool:
        start, end = window
        stride = self.plan.format.stride_sec
        if stride is None:
            return start - tolerance_sec <= time_sec < end - tolerance_sec
        # One more than strictly needed at either side costs a conversion; one fewer would cost a frame.
        target = max(0, ceil((on_show[0] - start - 2 * tolerance_sec) / stride))
        return start + target * stride < min(on_show[1], end)


def wanted_sizes(grids: Sequence[WindowGrid], tolerance_sec: float, time_sec: float, on_show: Span) -> set[Size]:
    """The sizes in which any window wants a frame."""
    return {
        grid.plan.format.size_px
        for grid in grids
        if grid.plan.format.video and grid.wants(time_sec, on_show, tolerance_sec)
    }
