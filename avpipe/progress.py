"""How far a run over many things is."""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Item = TypeVar("Item")


def counted(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """The same items; a bar on a terminal, a line a minute elsewhere, on standard error.

    Args:
        items: to count.
        total: how many there are.
        what: they are, in the plural.
    """
    return _bar(items, total, what) if sys.stderr.isatty() else _lines(items, total, what)


def _bar(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield from progress.track(items, total=total)


def _lines(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    told = time.monotonic()
    for index, item in enumerate(items):
        if time.monotonic() - told >= 60.0:
            told = time.monotonic()
            print(f"{index} of {total} {what} begun", file=sys.stderr, flush=True)
        yield item


def age_of_process_sec() -> float:
    """How long ago this process began, before it loaded anything; 0 where the system (not Linux) does not tell."""
    try:
        # The name of the program, in brackets, may hold blanks and brackets of its own.
        fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")


class SoundProgress:
    """How much sound a run has done, and how fast: a bar on a terminal, a line a minute elsewhere, on standard error.

    Args:
        total_files: to do.
        total_sec: of sound in them; None where that is not known.
    """

    def __init__(self, total_files: int, total_sec: float | None = None) -> None:
        self._total_files = total_files
        self._total_sec = total_sec
        self._files = 0
        self._seconds = 0.0
        self._began = self._told = time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
        self._task = self._bar.add_task("", total=total_sec or total_files)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def advance(self, seconds: float) -> None:
        """So much more sound is done."""
        self._seconds += seconds
        self._show()

    def finish_file(self) -> None:
        """One more file is done."""
        self._files += 1
        self._show()

    def __str__(self) -> str:
        elapsed = max(time.monotonic() - self._began, 1e-3)
        files = f"{self._files} of {self._total_files} files, " if self._total_files > 1 else ""
        return f"{files}{self._seconds:.0f} s of sound, {self._seconds / elapsed:.1f} x real time"

    def _show(self) -> None:
        if not self._bar.disable:
            done = self._files if self._total_sec is None else self._seconds
            if self._total_sec is not None and self._seconds > 1.01 * self._total_sec:
                self._total_sec *= 2  # a second pass
                self._bar.update(self._task, total=self._total_sec)
            self._bar.update(self._task, completed=done, description=str(self))
        elif time.monotonic() - self._told >= 60.0:
            self._told = time.monotonic()
            print(self, file=sys.stderr, flush=True)
