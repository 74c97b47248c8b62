"""Memory that is kept from batch to batch, and how much of it a run takes, its processes together."""

import ctypes
import multiprocessing
import os
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

_LOOK_EVERY_SEC = 0.1

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Of ``mallopt``, as glibc's malloc.h numbers them."""
_KEPT_BYTES = 2**30


def keep_freed_memory() -> None:
    """Have this process and its children use memory again that a layer has freed, in place of giving it back.

    Otherwise Linux clears every large tensor's pages anew: a CPU spends a fifth of a batch on that. The most that a run
    has at a time stays what it was. Elsewhere, and with another C library than glibc, nothing is done.
    """
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "mallopt"):
        library.mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
        library.mallopt(_MMAP_THRESHOLD, _KEPT_BYTES)


class MemoryWatch:
    """Looks on while a block runs; ``most_bytes`` is then the most that this process and its children had at a time.

    What several processes share counts once. Where the system does not tell (it is not Linux), it stays None.
    """

    def __init__(self) -> None:
        self.most_bytes: int | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            ended = self._ended.wait(_LOOK_EVERY_SEC)
            processes = [os.getpid(), *(child.pid for child in multiprocessing.active_children() if child.pid)]
            found = [_bytes_of(process) for process in processes]
            if found[0] is not None:
                self.most_bytes = max(self.most_bytes or 0, sum(each or 0 for each in found))
            if ended:
                return


def _bytes_of(process: int) -> int | None:
    """Of a process, with its part of what it shares; None where the system does not tell or the process has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:")), None)
