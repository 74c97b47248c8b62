"""Processes that turn jobs into messages, each through a pipe of its own: decoding beside the network, files filtered.

A pipe holds little, so a worker that is ahead waits, and memory stays flat. A worker that dies (a decoder that crashes)
costs the file that it held and nothing else.
"""

import multiprocessing
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar, cast

import torch

from avpipe.errors import printable
from avpipe.inference.decoding import Failed, Finished, Message, Request, decode
from avpipe.inference.prediction import Job

Send = Callable[[Any], None]
Work = Callable[[Any, Send], None]
"""Does a job, and sends what there is to tell; it must have a pickle where processes are not forked."""

AnyJob = TypeVar("AnyJob")


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    connection: Connection
    job: Any = None


def decoded(jobs: Iterable[Job], requests: Sequence[Request], workers: int) -> Iterator[tuple[Job, Message]]:
    """Every message of every job; those of one job in order, those of several jobs mixed.

    Args:
        jobs: taken one at a time, as workers become free.
        requests: one a bundle.
        workers: processes; 0 decodes here, between the network's batches.
    """
    if workers == 0:
        for job in jobs:
            for message in decode(job, requests):
                yield job, message
        return

    def crashed(job: Job) -> Message:
        return Failed(f"{printable(str(job.path))}: the decoder crashed on it", "error")

    work = partial(_send_decoded, tuple(requests))
    yield from worked(jobs, work, workers, (Finished, Failed), crashed)


def _send_decoded(requests: Sequence[Request], job: Job, send: Send) -> None:
    for message in decode(job, requests):
        send(message)


def worked(
    jobs: Iterable[AnyJob],
    work: Work,
    workers: int,
    last: tuple[type, ...],
    crashed: Callable[[AnyJob], Any],
) -> Iterator[tuple[AnyJob, Any]]:
    """Every message of every job; those of one job in order, those of several jobs mixed.

    Args:
        jobs: taken one at a time, as workers become free.
        work: done in the processes.
        workers: at least one.
        last: what the last message of a job is an instance of.
        crashed: the last message for a job whose process died.
    """
    queue = iter(jobs)
    with _crew(work, workers) as crew:
        for worker in crew:
            _assign(worker, queue)
        while busy := {worker.connection: worker for worker in crew if worker.job is not None}:
            for connection in wait(list(busy)):
                worker = busy[cast(Connection, connection)]
                job = worker.job
                try:
                    message = worker.connection.recv()
                except (EOFError, ConnectionError):
                    message = crashed(job)
                    _replace(worker, work)
                yield job, message
                if isinstance(message, last):
                    _assign(worker, queue)


@contextmanager
def _crew(work: Work, workers: int) -> Iterator[list[_Worker]]:
    crew = [_start(work) for _ in range(workers)]
    try:
        yield crew
    finally:
        for worker in crew:
            worker.connection.close()
            worker.process.terminate()
            worker.process.join()


def _context() -> BaseContext:
    # A forked worker starts at once and shares the loaded libraries; it computes on one thread only, as threads do not
    # survive a fork.
    return multiprocessing.get_context("fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn")


def _start(work: Work) -> _Worker:
    context = _context()
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, ours, work), daemon=True)  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of any fork beside threads
        process.start()
    theirs.close()
    return _Worker(process, ours)


def _replace(worker: _Worker, work: Work) -> None:
    worker.connection.close()
    worker.process.join()
    fresh = _start(work)
    worker.process, worker.connection = fresh.process, fresh.connection


def _assign(worker: _Worker, queue: Iterator[Any]) -> None:
    worker.job = next(queue, None)
    if worker.job is not None:
        worker.connection.send(worker.job)


def _serve(connection: Connection, other_end: Connection, work: Work) -> None:
    other_end.close()  # or the pipe would stay open when the main process dies
    torch.set_num_threads(1)
    try:
        while True:
            work(connection.recv(), connection.send)
    except (EOFError, ConnectionError, KeyboardInterrupt):
        return  # the main process has left
