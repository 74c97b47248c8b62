"""How much memory a run takes, its processes together."""

import multiprocessing
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

_LOOK_EVERY_SEC = 0.1


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
