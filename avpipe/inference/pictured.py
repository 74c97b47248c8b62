"""The journal of a labelled folder, which keeps a small picture of each content beside its answer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from avpipe.inference.journal import Answer, Journal, Named
from avpipe.inference.prediction import Job, Prediction
from avpipe.inference.remote import version_of
from avpipe.report import Thumbnail

_SCHEMA = "CREATE TABLE IF NOT EXISTS picture (sha256 TEXT PRIMARY KEY, alt TEXT NOT NULL, jpeg BLOB NOT NULL)"


class PicturedJournal(Journal):
    """A :class:`Journal` of predictions; its arguments and errors are those."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], boxes: bool = False) -> None:
        super().__init__(folder, settings, boxes)
        self._versions: dict[str, str] = {}
        with self._guarded():
            self.connection.execute(_SCHEMA)

    def _state(self, job: Named) -> str:
        """Of a file that is fetched, what its place tells of it; what could not be fetched is asked for each time."""
        if isinstance(job, Job) and job.url:
            return "" if job.trouble else self._version(job)
        return super()._state(job)

    def _version(self, job: Job) -> str:
        """Told before it is fetched and taken as told then: what changes in between is fetched anew the next time."""
        if job.name not in self._versions:
            self._versions[job.name] = version_of(job)
        return self._versions[job.name]

    def _enter_begun(self, answer: Answer) -> None:
        assert isinstance(answer, Prediction)
        _, sha256 = self.begun[answer.path]
        if answer.thumbnail is not None and sha256:
            row = (sha256, answer.thumbnail.alt, answer.thumbnail.jpeg)
            self.connection.execute("INSERT OR REPLACE INTO picture VALUES (?, ?, ?)", row)
        super()._enter_begun(answer)

    def thumbnail(self, name: str) -> Thumbnail | None:
        """Of the file of that name, as it was when it was answered."""
        with self._guarded():
            row = self.connection.execute(
                "SELECT alt, jpeg FROM answer JOIN picture USING (sha256) WHERE name = ?", (name,)
            ).fetchone()
        return None if row is None else Thumbnail(*row)
