"""What was answered already, in one SQLite file beside the answers: a stopped run goes on where it stopped."""

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, TypeVar

from avpipe.errors import RunStopped
from avpipe.files import sha256_of
from avpipe.inference.claims import Claims
from avpipe.media import boxes_file

VERSION = 2
_SCHEMA = (
    """
CREATE TABLE IF NOT EXISTS answer (
    name TEXT PRIMARY KEY, state TEXT NOT NULL, sha256 TEXT NOT NULL, settings TEXT NOT NULL, record TEXT NOT NULL
) WITHOUT ROWID
""",
    "CREATE INDEX IF NOT EXISTS answer_by_content ON answer (sha256, settings)",
)

_BUSY_SEC = 60.0
"""How long to wait for another run that writes at the same moment."""

_LOOK_EVERY_SEC = 0.5

_OUTPUTS = ""
"""In whose hands the files of answers are; no file to answer has this name."""


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


class Answers:
    """The answers in one output folder, to be looked at: nothing is written, nor need there be a folder.

    Args:
        folder: of the output.
        settings: all besides the file that determines an answer, as plain data.
        boxes: whether the boxes beside a film determine its answer, too.

    Raises:
        RunStopped: from any method, if the journal cannot be read or is of another version.
    """

    NAME: ClassVar[str] = "journal.sqlite"

    def __init__(self, folder: Path, settings: Mapping[str, Any], boxes: bool = False) -> None:
        self.path = folder / self.NAME
        self.settings = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
        self.boxes = boxes
        with self._guarded():
            self.connection = self._connected()
            (found,) = self.connection.execute("PRAGMA user_version").fetchone()
            if found not in (0, VERSION):
                reason = f"is a journal of version {found}, and this avpipe writes version {VERSION}"
                raise RunStopped(self.path, reason, "name another output folder, or remove this file to begin anew")

    def _connected(self) -> sqlite3.Connection:
        if self.path.is_file():
            # Beside a journal that a run has open lie files through which it is read; others are made by no one.
            is_open = self.path.with_name(f"{self.NAME}-wal").exists()
            place = f"{self.path.absolute().as_uri()}?mode=ro{'' if is_open else '&immutable=1'}"
            connection = sqlite3.connect(place, timeout=_BUSY_SEC, uri=True)
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'answer'").fetchone():
                return connection
            connection.close()
        connection = sqlite3.connect(":memory:")
        connection.execute(_SCHEMA[0])
        return connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.connection.close()

    def stands(self, job: Named) -> bool:
        """Whether a run with these settings would find the answer for a file here, under whatever name."""
        state = self._of_all(state_of, job)
        if self._holds(job, state):
            return True
        if state.split(" ")[1:2] and int(state.split(" ")[1]) not in self._sizes:
            return False  # whose content need not be read
        sha256 = self._of_all(content_of, job)
        return self._holds(job, state, sha256) or self._of_content(job, sha256) is not None

    @cached_property
    def _sizes(self) -> frozenset[int]:
        """Bytes of the files that were answered."""
        with self._guarded():
            rows = self.connection.execute("SELECT state FROM answer WHERE settings = ?", (self.settings,))
            return frozenset(int(state.split(" ")[1]) for (state,) in rows if state)

    def _holds(self, job: Named, state: str, sha256: str = "") -> bool:
        """Whether an answer stands for a file in this state, or of this content."""
        known = self._row(job.name)
        if known is None or known[2] != self.settings:
            return False
        return bool(state and known[0] == state) or bool(sha256 and known[1] == sha256)

    def _of_content(self, job: Named, sha256: str) -> dict[str, Any] | None:
        """The record, under the name of ``job``, of the same content that was answered under another of its suffix."""
        if not sha256:
            return None
        with self._guarded():
            rows = self.connection.execute(
                "SELECT name, record FROM answer WHERE sha256 = ? AND settings = ? ORDER BY name",
                (sha256, self.settings),
            )
            for name, text in rows:
                record = json.loads(text)
                # What could not be judged says so with the file's name.
                if Path(name).suffix == Path(job.name).suffix and record["status"] in ("ok", "partial"):
                    return {**record, "path": job.name}
        return None

    def _of_all(self, told: Callable[[Path], str], job: Named) -> str:
        """What is told of a file, and of the boxes beside it, where they count; empty where nothing is of the file."""
        of_file, boxes = told(job.path), boxes_file(job.path) if self.boxes else None
        return f"{of_file} {told(boxes)}" if of_file and boxes else of_file

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
            if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
                remedy = "name another output folder, or remove this file to begin anew"  # it is damaged
            raise RunStopped(self.path, reason, remedy) from error


class Journal(Answers):
    """The answers in one output folder. Each holds for a file's content, the bundles, and the settings.

    Several processes of one machine may share the folder: each file is in the hands of one of them. A file whose
    content has an answer under another name (it was renamed, or copied) gets that answer.

    Args:
        folder: of the output, which is made; the journal is in it.
        settings: all besides the file that determines an answer, as plain data.
        boxes: whether the boxes beside a film determine its answer, too.

    Raises:
        RunStopped: from any method, if the folder cannot be written or the journal is of another version.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], boxes: bool = False) -> None:
        super().__init__(folder, settings, boxes)
        self.begun: dict[str, tuple[str, str]] = {}
        self._elsewhere: list[Any] = []
        with self._guarded():
            self.connection.execute("PRAGMA journal_mode = WAL")
            # An entry outlives this process at once, and a loss of power soon; to wait for the disk each time would
            # take as long as many a file. Whatever happens, the journal is whole.
            self.connection.execute("PRAGMA synchronous = NORMAL")
            for statement in (*_SCHEMA, f"PRAGMA user_version = {VERSION}"):
                self.connection.execute(statement)
            self.claims = Claims(folder / f".{self.NAME.lstrip('.')}.claims")

    def _connected(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return sqlite3.connect(self.path, timeout=_BUSY_SEC, isolation_level=None)

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self.claims.close()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other run is in this block at the same time: what is written of all answers is written by one."""
        while not self.claims.take(_OUTPUTS):
            time.sleep(_LOOK_EVERY_SEC)
        try:
            yield
        finally:
            self.claims.give_back(_OUTPUTS)

    def pending(self, jobs: Iterable[AnyJob]) -> Iterator[AnyJob]:
        """Those of ``jobs`` that were never answered, or not for this content and these settings.

        What another run has in hand is left to it: :meth:`elsewhere` tells of it.
        """
        for job in self.unanswered(jobs):
            if self.begin(job):
                yield job

    def unanswered(self, jobs: Iterable[AnyJob]) -> Iterator[AnyJob]:
        """Those of ``jobs`` whose state is another than when they were answered; each is then in our hands."""
        for job in jobs:
            if self._holds(job, self._state(job)):
                continue
            if self.claims.take(job.name):
                yield job
            else:
                self._elsewhere.append(job)

    def begin(self, job: Named) -> bool:
        """Whether a job in our hands is to be answered; if its content was, it is entered and out of our hands."""
        state, sha256 = self._state(job), self._of_all(content_of, job)
        # Looked up anew: another run may have answered it since.
        if self._holds(job, state, sha256) or self._entered_as_renamed(job, state, sha256):
            self.claims.give_back(job.name)
            return False
        self.begun[job.name] = (state, sha256)
        return True

    def _state(self, job: Named) -> str:
        return self._of_all(state_of, job)

    def elsewhere(self) -> list[Any]:
        """The jobs that were in the hands of other runs, once each time; a moment passes where there are any."""
        jobs, self._elsewhere = self._elsewhere, []
        if jobs:
            time.sleep(_LOOK_EVERY_SEC)
        return jobs

    def _entered_as_renamed(self, job: Named, state: str, sha256: str) -> bool:
        """Whether the same content was answered under another name of this suffix, and is now under this one too."""
        record = self._of_content(job, sha256)
        if record is not None:
            with self._guarded():
                self._enter(job.name, state, sha256, record)
        return record is not None

    def add(self, answer: Answer) -> None:
        """Enter an answer; whenever this process ends after that, it stands."""
        with self._guarded():
            self._enter_begun(answer)
        self.claims.give_back(answer.path)

    def _enter_begun(self, answer: Answer) -> None:
        self._enter(answer.path, *self.begun.pop(answer.path), answer.to_record())

    def _enter(self, name: str, state: str, sha256: str, record: Mapping[str, Any]) -> None:
        text = json.dumps(record, ensure_ascii=False)
        self.connection.execute(
            "INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?, ?)", (name, state, sha256, self.settings, text)
        )


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
