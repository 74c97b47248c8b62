"""What was answered already, in one SQLite file beside the answers: a stopped run goes on where it stopped."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, TypeVar

from avpipe.errors import RunStopped
from avpipe.files import sha256_of
from avpipe.media import boxes_file

VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answer (
    name TEXT PRIMARY KEY, state TEXT NOT NULL, sha256 TEXT NOT NULL, settings TEXT NOT NULL, record TEXT NOT NULL
) WITHOUT ROWID
"""


class Named(Protocol):
    """A file to answer."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> Path: ...


class Answer(Protocol):
    """What is entered of it; ``path`` is its name."""

    @property
    def path(self) -> str: ...
    def to_record(self) -> dict[str, Any]: ...


AnyJob = TypeVar("AnyJob", bound=Named)


class Journal:
    """The answers in one output folder. Each holds for a file's content, the bundles, and the settings.

    Args:
        folder: of the output; the journal is in it.
        settings: all besides the file that determines an answer, as plain data.

    Raises:
        RunStopped: from any method, if the folder cannot be written or the journal is of another version.
    """

    NAME: ClassVar[str] = "journal.sqlite"

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.path = folder / self.NAME
        self.settings = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
        self.begun: dict[str, tuple[str, str]] = {}
        with self._guarded():
            folder.mkdir(parents=True, exist_ok=True)
            self.connection = sqlite3.connect(self.path, isolation_level=None)
            (found,) = self.connection.execute("PRAGMA user_version").fetchone()
            if found not in (0, VERSION):
                raise RunStopped(self.path, f"is a journal of version {found}", "name another output folder")
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.execute(_SCHEMA)
            self.connection.execute(f"PRAGMA user_version = {VERSION}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.connection.close()

    def pending(self, jobs: Iterable[AnyJob]) -> Iterator[AnyJob]:
        """Those of ``jobs`` that were never answered, or not for this content and these settings."""
        for job in jobs:
            known = self._row(job.name)
            state = _of_all(state_of, job)
            if known is not None and known[2] == self.settings and state and known[0] == state:
                continue
            sha256 = _of_all(content_of, job)
            if known is not None and known[2] == self.settings and sha256 and known[1] == sha256:
                continue
            self.begun[job.name] = (state, sha256)
            yield job

    def again(self, job: AnyJob) -> Iterator[AnyJob]:
        """The job, to be answered whatever was."""
        self.begun[job.name] = (_of_all(state_of, job), _of_all(content_of, job))
        yield job

    def add(self, answer: Answer) -> None:
        """Enter an answer; it is on the disk when this returns."""
        state, sha256 = self.begun.pop(answer.path)
        record = json.dumps(answer.to_record(), ensure_ascii=False)
        with self._guarded():
            self.connection.execute(
                "INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?, ?)",
                (answer.path, state, sha256, self.settings, record),
            )

    def records(self, jobs: Iterable[Named]) -> Iterator[dict[str, Any]]:
        """The records of ``jobs``, in their order."""
        for job in jobs:
            row = self._row(job.name)
            if row is not None and row[2] == self.settings:
                yield json.loads(row[3])

    def _row(self, name: str) -> tuple[str, str, str, str] | None:
        with self._guarded():
            row: tuple[str, str, str, str] | None = self.connection.execute(
                "SELECT state, sha256, settings, record FROM answer WHERE name = ?", (name,)
            ).fetchone()
        return row

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            remedy = "make room or give rights, then run the same command again: what is done is kept"
            raise RunStopped(self.path, reason, remedy) from error


def _of_all(told: Callable[[Path], str], job: Named) -> str:
    """What is told of a file, and of the boxes beside it, where there are any; empty where nothing is of the file."""
    boxes = boxes_file(job.path)
    return told(job.path) and " ".join([told(job.path), *([told(boxes)] if boxes else [])])


def state_of(path: Path) -> str:
    """What changes with every write to a file; cheaper to look at than its content. Empty: it cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return ""
    return f"{found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"


def content_of(path: Path) -> str:
    """The SHA-256 of a file's bytes; empty: it cannot be read."""
    try:
        return sha256_of(path) if path.is_file() else ""
    except OSError:
        return ""
