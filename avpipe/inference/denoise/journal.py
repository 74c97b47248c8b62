"""Which files were cleaned already, and which files in the output folder are ours.

What was written is entered before it gets its name: killed between the two, the next run gives it the name.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from avpipe.errors import RunStopped
from avpipe.files import sha256_of
from avpipe.inference.denoise.places import sweep
from avpipe.inference.denoise.record import CleanedFile, Job
from avpipe.inference.journal import Journal, Named, state_of

_SCHEMA = """
CREATE TABLE IF NOT EXISTS output (
    name TEXT PRIMARY KEY, target BLOB NOT NULL, part BLOB NOT NULL, state TEXT NOT NULL, sha256 TEXT NOT NULL,
    source BLOB NOT NULL
) WITHOUT ROWID
"""


class OutputJournal(Journal):
    """The journal of an output folder, hidden in it.

    Args:
        folder: of the output.
        settings: all besides the file that determines an output.

    Raises:
        RunStopped: as of :class:`Journal`.
    """

    NAME: ClassVar[str] = ".avpipe-denoise.sqlite"

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        super().__init__(folder, settings)
        self.folder = folder
        with self._guarded():
            self.connection.execute(_SCHEMA)

    def recover(self, jobs: Iterable[Job]) -> None:
        """Give finished parts of a run that was killed their names, and remove its unfinished ones."""
        with self._guarded():
            rows = self.connection.execute("SELECT name, target, part, state FROM output").fetchall()
        for name, target, part, state in rows:
            unnamed = self.folder / os.fsdecode(part)
            if identity(unnamed) == state and self.claims.take(name):  # a run that lives gives the name itself
                if identity(unnamed) == state:
                    os.replace(unnamed, self.folder / os.fsdecode(target))
                self.claims.give_back(name)
        sweep(dict.fromkeys([self.folder, *(job.target.parent for job in jobs)]))

    def _holds(self, job: Named, state: str, sha256: str = "") -> bool:
        """Not where it failed, either, nor where its output is not as it was left."""
        assert isinstance(job, Job)
        return self._stands(job) and super()._holds(job, state, sha256)

    def _entered_as_renamed(self, job: Named, state: str, sha256: str) -> bool:
        """Never: what was made of it stands under the other name."""
        return False

    def _stands(self, job: Job) -> bool:
        answer = self._row(job.name)
        return answer is not None and json.loads(answer[3])["status"] != "error" and self._is_ours(job)

    def owns(self, job: Job) -> bool:
        """Whether what stands at the target is as we left it, and was made of the file of the job."""
        output = self._output(job.name)
        return output is not None and output[3] == _source(job) and self._is_ours(job)

    def _is_ours(self, job: Job) -> bool:
        output = self._output(job.name)
        if output is None or output[0] != self._place(job.target) or not job.target.is_file():
            return False
        return identity(job.target) == output[1] or sha256_of(job.target) == output[2]

    def enter(self, row: CleanedFile, job: Job, part: Path, sha256: str) -> None:
        """Enter a row and, where something was written, whose name it is about to get; then give it the name."""
        if not row.output:
            self.add(row)
            return
        try:
            with self._guarded():
                self.connection.execute("BEGIN")
                self.connection.execute(
                    "INSERT OR REPLACE INTO output VALUES (?, ?, ?, ?, ?, ?)",
                    (job.name, self._place(job.target), self._place(part), identity(part), sha256, _source(job)),
                )
                self._enter_begun(row)
                self.connection.execute("COMMIT")
        except RunStopped:  # on a full disk: what is not entered is nobody's
            part.unlink(missing_ok=True)
            raise
        os.replace(part, job.target)
        self.claims.give_back(job.name)

    def _place(self, path: Path) -> bytes:
        return os.fsencode(path.relative_to(self.folder))

    def _output(self, name: str) -> tuple[bytes, str, str, bytes] | None:
        with self._guarded():
            row: tuple[bytes, str, str, bytes] | None = self.connection.execute(
                "SELECT target, state, sha256, source FROM output WHERE name = ?", (name,)
            ).fetchone()
        return row


def _source(job: Job) -> bytes:
    """Where a file lay that was cleaned: another folder has files of the same names."""
    return os.fsencode(os.path.abspath(job.path))


def identity(path: Path) -> str:
    """What stays when a file is renamed, and changes when it is written to; empty: there is none."""
    return state_of(path).rpartition(" ")[0]
