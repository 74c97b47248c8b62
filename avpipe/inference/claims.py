"""Which files a run has in hand, told to the other runs that share its output folder."""

import fcntl
import hashlib
import os
from pathlib import Path


class Claims:
    """Locks of the operating system, one a name: from a process that ends, however it ends, they are taken back.

    A name has a byte of one empty file, by its hash; two names of one byte wait for each other and lose nothing. The
    locks hold between processes: whoever asks twice in one process gets the same lock twice.

    Args:
        path: of the file, which is made where it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def take(self, name: str) -> bool:
        """Whether the name is now in our hands; not, where another process has it."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _place(name))
        except (BlockingIOError, PermissionError):  # systems differ in which of them they raise
            return False
        return True

    def give_back(self, name: str) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _place(name))

    def close(self) -> None:
        """Give back all of them."""
        os.close(self._file)


def _place(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 2
