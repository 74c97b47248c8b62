"""A folder to which files come while it is looked at."""

import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

from avpipe.errors import ArgumentError
from avpipe.inference.folder_run import FolderRun
from avpipe.inference.inputs import find_jobs
from avpipe.inference.journal import state_of
from avpipe.inference.pictured import PicturedJournal
from avpipe.inference.prediction import Job

Item = TypeVar("Item")

_LOOK_EVERY_SEC = 1.0
_SHARE = 0.1
"""Of the time, at most, goes into looking, and into files of answers while there are others to answer."""


class Watch:
    """Which files of a folder are at rest.

    Args:
        folder: to look at.
        settle_sec: a file that has not changed for so long is at rest; nobody tells when it is complete.

    Raises:
        ArgumentError: if it is no folder, or for a time below 0.
    """

    def __init__(self, folder: Path, settle_sec: float) -> None:
        if not folder.is_dir():
            raise ArgumentError(f"input={folder}", "is no folder", "watch=true looks at a folder")
        if settle_sec < 0:
            raise ArgumentError(f"settle_sec={settle_sec}", "must be at least 0")
        self.folder = folder
        self.settle_sec = settle_sec
        self._seen: dict[str, tuple[str, float]] = {}
        """By name: its state, and since when (of the monotonic clock) it is in it."""
        self._at_rest: dict[str, Job] = {}
        self._done: dict[str, str] = {}
        """By name: the state in which it was done with."""

    def look(self) -> list[Job]:
        """The files that are at rest now, but for those that were done with as they are."""
        jobs = []
        for job in find_jobs(self.folder, may_be_empty=True):
            state, since = state_of(job.path), time.monotonic()
            known = self._seen.get(job.name)
            if known is None:
                since -= _age_sec(job.path)
            elif known[0] == state:
                since = known[1]
            self._seen[job.name] = state, since
            if state and state != self._done.get(job.name) and time.monotonic() - since >= self.settle_sec:
                jobs.append(job)
        self._at_rest.update((job.name, job) for job in jobs)
        return jobs

    def done_with(self, jobs: Iterable[Job]) -> None:
        """These need not be looked at again as they were."""
        self._done.update((job.name, self._seen[job.name][0]) for job in jobs)

    @property
    def found(self) -> list[Job]:
        """All that were at rest at some time, by name: a file that was answered and taken away keeps its row."""
        return [job for _, job in sorted(self._at_rest.items())]


def _age_sec(path: Path) -> float:
    """Since the last change; 0 where a clock is not ours."""
    try:
        return max(0.0, time.time() - path.stat().st_mtime)
    except OSError:
        return 0.0


class Interruption:
    """Within it, Ctrl-C and a request to terminate are noted; the second one raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._handlers[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._asked.is_set():
            raise KeyboardInterrupt
        self._asked.set()

    def __bool__(self) -> bool:
        return self._asked.is_set()

    def wait(self, seconds: float) -> None:
        self._asked.wait(seconds)

    def until(self, jobs: Iterable[Item]) -> Iterator[Item]:
        """The jobs, as long as nobody asked to end."""
        for job in jobs:
            if self:
                return
            yield job


def watch_folder(run: FolderRun, watch: Watch) -> tuple[dict[str, Any], int]:
    """Answer what comes, until it is interrupted: then the files in hand are finished, or given up at a second time.

    Files of answers are written whenever there is nothing else to do, and now and then while there is.

    Returns:
        What stands in ``summary.json``, and how many files were answered here.
    """
    num_answered, unwritten = 0, True
    wrote_at, writing_sec = time.monotonic(), 0.0
    with run.journal() as journal:
        with Interruption() as interrupted:
            while not interrupted:
                began = time.monotonic()
                jobs = watch.look()
                looking_sec = time.monotonic() - began
                fresh = _answered(run, watch, jobs, journal, interrupted)
                num_answered, unwritten = num_answered + fresh, unwritten or fresh > 0
                rested_sec = time.monotonic() - wrote_at
                if unwritten and not interrupted and (not fresh or writing_sec <= _SHARE * rested_sec):
                    began = time.monotonic()
                    run.write(watch.found, journal)
                    wrote_at, unwritten = time.monotonic(), False
                    writing_sec = wrote_at - began
                if not fresh:
                    interrupted.wait(max(_LOOK_EVERY_SEC, looking_sec / _SHARE))
        watch.look()  # others that share the output may have answered what came since
        return run.write(watch.found, journal), num_answered


def _answered(
    run: FolderRun, watch: Watch, jobs: list[Job], journal: PicturedJournal, interrupted: Interruption
) -> int:
    """How many of the files are now answered by us; what others have in hand is looked at again the next time."""
    try:
        number = run.answer(interrupted.until(jobs), journal)
    except KeyboardInterrupt:
        print("given up: the files in hand, which the same command answers anew", file=sys.stderr, flush=True)
        return 0
    if number:
        print(f"{number} more answered", file=sys.stderr, flush=True)
    elsewhere = {job.name for job in journal.elsewhere()}
    watch.done_with(job for job in jobs if job.name not in elsewhere)
    return number
