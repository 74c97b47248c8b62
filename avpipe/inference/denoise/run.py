"""Many files through the filter, in processes, with a journal; or one file."""

import os
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from avpipe.errors import RunStopped, printable
from avpipe.files import sha256_of, written_whole
from avpipe.inference.denoise.cleaning import FULL, Cleaner, Tell
from avpipe.inference.denoise.journal import OutputJournal
from avpipe.inference.denoise.places import part_of, sweep
from avpipe.inference.denoise.record import CleanedFile, Job, failed
from avpipe.inference.workers import NO_LIMITS, Limits, Send, worked
from avpipe.progress import SoundProgress

_TELL_EVERY_SEC = 0.5

_TAKEN = "exists already, and is not as avpipe left it or was made of a file elsewhere"


@dataclass(frozen=True, slots=True)
class _Task:
    job: Job
    part: Path


@dataclass(frozen=True, slots=True)
class _Done:
    row: CleanedFile
    sha256: str
    """Of the part; empty where nothing was written."""


def clean_file(job: Job, cleaner: Cleaner, overwrite: bool, progress: SoundProgress) -> CleanedFile:
    """Clean one file, written whole or not at all.

    Raises:
        RunStopped: the disk is full.
    """
    if (refused := _refusal(job, overwrite, "exists already")) is not None:
        return refused
    sweep([job.target.parent])
    try:
        with written_whole(job.target) as part:
            row = cleaner(job, part, progress.advance)
            if row.status == "error":
                raise _NothingWritten
            _flush(part)
    except _NothingWritten:
        return row
    except OSError as error:
        if error.errno in FULL:
            raise
        return failed(job, f"{error.filename or job.target}: {error.strerror}")
    progress.finish_file()
    return replace(row, output=printable(job.target.as_posix()))


class _NothingWritten(Exception):
    """Leaves ``written_whole`` without a new file."""


def clean_files(
    jobs: list[Job],
    journal: OutputJournal,
    cleaner: Cleaner,
    workers: int,
    overwrite: bool,
    progress: SoundProgress,
    limits: Limits = NO_LIMITS,
) -> Counter[str]:
    """Clean what the journal does not know yet; returns how many had which status.

    Args:
        jobs: all of them.
        journal: of the output folder.
        cleaner: with the network loaded.
        workers: processes; 0: this one does all, without limits.
        overwrite: whether files at the targets that we did not write may go.
        progress: told of sound and of files.
        limits: of each process.

    Raises:
        RunStopped: the disk is full; what is done is kept.
    """
    journal.recover(jobs)
    statuses: Counter[str] = Counter()

    def enter(row: CleanedFile, job: Job, part: Path, sha256: str = "") -> None:
        journal.enter(row, job, part, sha256)
        statuses[row.status] += 1
        progress.finish_file()

    unfinished: set[Path] = set()

    def admitted(jobs: Iterable[Job]) -> Iterator[_Task]:
        for job in journal.pending(jobs):
            task = _Task(job, part_of(job.target))
            refused = _refusal(job, overwrite or journal.owns(job), _TAKEN)
            if refused is None:
                unfinished.add(task.part)
                yield task
            else:
                enter(refused, job, task.part)

    def clean(jobs: Iterable[Job]) -> None:
        # Closed before what is unfinished is removed: its processes write that, and files besides.
        with closing(_messages(admitted(jobs), cleaner, workers, progress, limits)) as messages:
            for task, message in messages:
                if isinstance(message, RunStopped):
                    raise message
                if isinstance(message, _Done):
                    unfinished.remove(task.part)  # from here on it is the journal's
                    place = printable(task.job.target.relative_to(journal.folder).as_posix())
                    row = replace(message.row, output=place) if message.sha256 else message.row
                    enter(row, task.job, task.part, message.sha256)

    try:
        clean(jobs)
        while waiting := journal.elsewhere():
            clean(waiting)
    finally:
        for part in unfinished:
            part.unlink(missing_ok=True)
        sweep({part.parent for part in unfinished}, own=False)
    return statuses


def _refusal(job: Job, overwrite: bool, taken: str) -> CleanedFile | None:
    """The row of what is no file, or whose target is taken."""
    if job.path.is_dir():
        return failed(job, f"{job.path}: is a folder; list its files, or give it as the input")
    if job.target.is_dir():
        return failed(job, f"{job.target}: is a folder; move it away")
    if not overwrite and os.path.lexists(job.target):
        return failed(job, f"{job.target}: {taken}; write overwrite=true to replace it")
    return None


def _messages(
    tasks: Iterable[_Task], cleaner: Cleaner, workers: int, progress: SoundProgress, limits: Limits
) -> Generator[tuple[_Task, object]]:
    """What becomes of each task, with what is told on the way."""
    if workers == 0:
        for task in tasks:
            yield task, _done(cleaner, task, progress.advance)
        return

    def lost(task: _Task, reason: str) -> _Done:
        task.part.unlink(missing_ok=True)
        return _Done(failed(task.job, f"{task.job.path}: {reason}"), "")

    for task, message in worked(tasks, partial(_work, cleaner), workers, (_Done, RunStopped), lost, limits):
        if isinstance(message, float):
            progress.advance(message)
        yield task, message


def _work(cleaner: Cleaner, task: _Task, send: Send) -> None:
    """What a process does: tells of sound now and then, and at last of the file."""
    told_at, untold_sec = time.monotonic(), 0.0

    def tell(seconds: float) -> None:
        nonlocal told_at, untold_sec
        untold_sec += seconds
        if time.monotonic() - told_at >= _TELL_EVERY_SEC:
            send(untold_sec)
            told_at, untold_sec = time.monotonic(), 0.0

    done = _done(cleaner, task, tell)
    send(untold_sec)
    send(done)


def _done(cleaner: Cleaner, task: _Task, tell: Tell) -> _Done | RunStopped:
    try:
        row = cleaner(task.job, task.part, tell)
        if row.status == "error":
            return _Done(row, "")
        _flush(task.part)
        return _Done(row, sha256_of(task.part))
    except RunStopped as stopped:
        return stopped


def _flush(part: Path) -> None:
    """Have a file on the disk before it gets its name."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
