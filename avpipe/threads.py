"""How many threads compute; torch is asked where it is loaded, and not loaded to be asked."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def computing_threads() -> int:
    """How many threads may compute: as many as torch would take, which ``OMP_NUM_THREADS`` bounds."""
    if (torch := sys.modules.get("torch")) is not None:
        return int(torch.get_num_threads())
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdigit() and int(asked) else num_cores()


def compute_on_one_thread() -> None:
    """For the rest of this process, or of this thread."""
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)


@contextmanager
def single_threaded() -> Iterator[None]:
    """Compute on one thread, so that features are bit-equal in a worker process and in this one."""
    if (torch := sys.modules.get("torch")) is None:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
