"""Processes that turn jobs into messages, each through a pipe of its own: decoding beside the network, files filtered.

A pipe holds little, so a worker that is ahead waits, and memory stays flat. A worker that dies (a decoder that
crashes), that says nothing for too long, or that takes too much memory costs the file that it held and nothing else.
"""

import gc
import multiprocessing
import os
import resource
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar, cast

from avpipe.errors import ArgumentError, printable
from avpipe.inference.decoding import Failed, Finished, Message, Request, decode
from avpipe.inference.prediction import Job
from avpipe.threads import compute_on_one_thread

Send = Callable[[Any], None]
Work = Callable[[Any, Send], None]
"""Does a job, and sends what there is to tell; it must have a pickle where processes are not forked."""

Settle = Callable[[], None]

AnyJob = TypeVar("AnyJob")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a process may take before it is ended, and its file given up."""

    timeout_sec: float | None = None
    """Seconds without a word from it; None: any number."""
    max_memory_mb: float | None = None
    """Units of 10^6 bytes, above what a process has when it begins; None: any number."""

    def __post_init__(self) -> None:
        for name in ("timeout_sec", "max_memory_mb"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ArgumentError(f"{name}={value}", "must be above 0", "null sets no limit")


NO_LIMITS = Limits()

_OUT_OF_MEMORY = 86
"""Exit code of a process that came to its limit."""

_STATM = Path("/proc/self/statm")
_LOOK_EVERY_SEC = 0.05


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    connection: Connection
    job: Any = None
    heard_at: float = 0.0
    """When it last said something, or was given its job."""


def _nothing() -> None:
    pass


def decoded(
    jobs: Iterable[Job], requests: Sequence[Request], workers: int, limits: Limits, settle: Settle = _nothing
) -> Iterator[tuple[Job, Message]]:
    """Every message of every job; those of one job in order, those of several jobs mixed.

    Args:
        jobs: taken one at a time, as workers become free.
        requests: one a bundle.
        workers: processes; 0 decodes here, between the network's batches and without limits.
        limits: of each process.
        settle: waits until no other thread computes; called before a process takes another's place.
    """
    if workers == 0:
        for job in jobs:
            for message in decode(job, requests):
                yield job, message
        return

    def lost(job: Job, reason: str) -> Message:
        return Failed(f"{printable(str(job.path))}: {reason}", "error")

    work = partial(_send_decoded, tuple(requests))
    yield from worked(jobs, work, workers, (Finished, Failed), lost, limits, settle)


def _send_decoded(requests: Sequence[Request], job: Job, send: Send) -> None:
    for message in decode(job, requests):
        send(message)


def worked(
    jobs: Iterable[AnyJob],
    work: Work,
    workers: int,
    last: tuple[type, ...],
    lost: Callable[[AnyJob, str], Any],
    limits: Limits,
    settle: Settle = _nothing,
) -> Iterator[tuple[AnyJob, Any]]:
    """Every message of every job; those of one job in order, those of several jobs mixed.

    Args:
        jobs: taken one at a time, as workers become free.
        work: done in the processes.
        workers: at least one.
        last: what the last message of a job is an instance of.
        lost: the last message for a job whose process ended on it, from the job and the reason.
        limits: of each process.
        settle: waits until no other thread computes; called before a process takes another's place.
    """
    queue = iter(jobs)
    with _crew(work, workers, limits) as crew:
        for worker in crew:
            _assign(worker, queue)
        while busy := {worker.connection: worker for worker in crew if worker.job is not None}:
            for connection in wait(list(busy), _patience_sec(busy.values(), limits)):
                worker = busy[cast(Connection, connection)]
                job = worker.job
                try:
                    message = worker.connection.recv()
                except (EOFError, ConnectionError):
                    worker.process.join()
                    message = lost(job, _obituary(worker.process.exitcode, limits))
                    _replace(worker, work, limits, settle)
                worker.heard_at = time.monotonic()
                yield job, message
                if isinstance(message, last):
                    _assign(worker, queue)
            for worker in _hanging(busy.values(), limits):
                reason = f"nothing came of it for {limits.timeout_sec:g} s; raise timeout_sec if it can be trusted"
                yield worker.job, lost(worker.job, reason)
                _replace(worker, work, limits, settle)
                _assign(worker, queue)


def _obituary(exit_code: int | None, limits: Limits) -> str:
    """Why a process has ended."""
    if exit_code == _OUT_OF_MEMORY:
        return f"takes more than {limits.max_memory_mb:g} MB of memory; raise max_memory_mb if it can be trusted"
    return "the decoder crashed on it"


def _patience_sec(workers: Iterable[_Worker], limits: Limits) -> float | None:
    """How long to wait for a word until one of the workers hangs; None: forever."""
    if limits.timeout_sec is None:
        return None
    heard_at = min(worker.heard_at for worker in workers)
    return max(0.0, heard_at + limits.timeout_sec - time.monotonic())


def _hanging(workers: Iterable[_Worker], limits: Limits) -> Iterator[_Worker]:
    """Those that have said nothing for too long, and have nothing to say: while the network computes, words wait."""
    if limits.timeout_sec is not None:
        for worker in workers:
            is_late = time.monotonic() - worker.heard_at > limits.timeout_sec
            if worker.job is not None and is_late and not worker.connection.poll():
                yield worker


@contextmanager
def _crew(work: Work, workers: int, limits: Limits) -> Iterator[list[_Worker]]:
    crew = [_start(work, limits) for _ in range(workers)]
    try:
        yield crew
    finally:
        for worker in crew:
            _end(worker)


def _context() -> BaseContext:
    # A forked worker starts at once and shares the loaded libraries; it computes on one thread only, as threads do not
    # survive a fork.
    return multiprocessing.get_context("fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn")


def _start(work: Work, limits: Limits) -> _Worker:
    gc.collect()  # a decoder that was left over and is freed in a fork waits for threads that are not there
    context = _context()
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, ours, work, limits), daemon=True)  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of any fork beside threads
        process.start()
    theirs.close()
    return _Worker(process, ours)


def _end(worker: _Worker) -> None:
    worker.connection.close()
    worker.process.kill()  # a decoder that hangs may not listen to anything less
    worker.process.join()


def _replace(worker: _Worker, work: Work, limits: Limits, settle: Settle) -> None:
    _end(worker)
    settle()  # a lock that another thread holds would stay locked in the fork
    fresh = _start(work, limits)
    worker.process, worker.connection = fresh.process, fresh.connection


def _assign(worker: _Worker, queue: Iterator[Any]) -> None:
    worker.job = next(queue, None)
    if worker.job is not None:
        worker.heard_at = time.monotonic()
        worker.connection.send(worker.job)


def _serve(connection: Connection, other_end: Connection, work: Work, limits: Limits) -> None:
    other_end.close()  # or the pipe would stay open when the main process dies
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all, and the main process says when to end
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    compute_on_one_thread()
    if limits.max_memory_mb is not None:
        threading.Thread(target=_watch_memory, args=(limits.max_memory_mb * 1e6,), daemon=True).start()
    try:
        while True:
            work(connection.recv(), connection.send)
    except (EOFError, ConnectionError):
        return  # the main process has left


def _watch_memory(more_bytes: float) -> None:
    """End this process once it has taken so much more than it has now.

    A limit of the system's would not do: a decoder that gets no memory calls the file damaged.
    """
    least = _resident_bytes()
    while least is not None:
        if (_resident_bytes() or 0) - least > more_bytes:
            os._exit(_OUT_OF_MEMORY)
        time.sleep(_LOOK_EVERY_SEC)


def _resident_bytes() -> int | None:
    """What this process has in memory; None where the system does not tell."""
    try:
        return int(_STATM.read_bytes().split()[1]) * resource.getpagesize()
    except OSError:
        return None
