"""Files that are named by URLs, of any kind that fsspec knows: each is fetched to a temporary place to be answered."""

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from avpipe.errors import ArgumentError, printable
from avpipe.inference.prediction import Job
from avpipe.inference.workers import Limits, Send, worked
from avpipe.media import MEDIA_SUFFIXES

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(::[^:/]+)*://")
_BLOCK_BYTES = 1 << 20
_FETCHERS = 2
"""Processes that fetch: while a file is decoded, the next ones come."""
_VALIDATORS = (
    "ETag",
    "Last-Modified",
    "Content-MD5",
    "LastModified",
    "mtime",
    "created",
    "checksum",
    "md5Hash",
    "etag",
)
"""What systems tell of a file that changes with its content."""


def is_url(given: str) -> bool:
    """Whether a text names something by a URL; a file of that name is one all the same."""
    return bool(_URL.match(given)) and not Path(given).exists()


def find_remote(given: str) -> list[Job]:
    """The files that a URL means: one, or all media below it where it names no media file.

    Raises:
        ArgumentError: if nothing can be had from there, or no media.
    """
    if _suffix(given) in MEDIA_SUFFIXES:
        return [remote_job(given)]
    with _told(f"input={_named(given)}"):
        system, path = _system(given)
        found = sorted(system.unstrip_protocol(each) for each in system.find(path))
    jobs = [remote_job(url) for url in found if _suffix(url) in MEDIA_SUFFIXES]
    if not jobs:
        raise ArgumentError(f"input={_named(given)}", "no media file there", "name a media file, or a folder of them")
    return jobs


def _system(url: str) -> tuple[Any, str]:
    """What a URL lies on, and its path there."""
    import fsspec  # only where a URL is given

    system, path = fsspec.url_to_fs(url)
    return system, path


@contextmanager
def _told(subject: str) -> Iterator[None]:
    """Make one line of whatever the libraries for a kind of URL raise: they share no base."""
    try:
        yield
    except ArgumentError:
        raise
    except Exception as error:
        raise ArgumentError(subject, _reason(error), "check the address, and what it needs") from error


def remote_job(url: str) -> Job:
    """A file to be fetched, known by its URL without a password."""
    return Job(printable(_named(url)), Path(), url=url)


def _named(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if "@" in parts.netloc else url


def _suffix(url: str) -> str:
    return PurePosixPath(urlsplit(url).path or url).suffix.lower()


def _reason(error: BaseException) -> str:
    """The first line of an error, or its kind."""
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__


@dataclass(frozen=True, slots=True)
class _Fetched:
    """The last word on a file."""

    reason: str = ""
    """Why it was not fetched; empty: it was."""


def version_of(job: Job) -> str:
    """What changes with the content of a remote file, without fetching it; empty: nothing is told."""
    try:
        system, path = _system(job.url)
        return _version(system.info(path))
    except Exception:  # fetching it will tell
        return ""


def _version(info: Mapping[str, Any]) -> str:
    told = [f"{key}={info[key]}" for key in _VALIDATORS if info.get(key) is not None]
    return " ".join([f"size={info.get('size')}", *told]) if told else ""


class Fetcher:
    """Gets files from afar, in processes of its own and within limits, into a folder that goes when it is closed.

    Args:
        limits: of each process.
        max_fetch_mb: a larger file is not fetched; None: any size.
    """

    def __init__(self, limits: Limits, max_fetch_mb: float | None) -> None:
        if max_fetch_mb is not None and max_fetch_mb <= 0:
            raise ArgumentError(f"max_fetch_mb={max_fetch_mb}", "must be above 0", "null sets no limit")
        self._limits = limits
        self._max_bytes = None if max_fetch_mb is None else max_fetch_mb * 1e6
        self._folder = tempfile.TemporaryDirectory(prefix="avpipe-fetched-", ignore_cleanup_errors=True)

    def close(self) -> None:
        self._folder.cleanup()

    def fetched(self, jobs: Iterable[Job]) -> Iterator[Job]:
        """The jobs with the local files that they now have, or with what went wrong; as they come."""

        def lost(job: Job, reason: str) -> _Fetched:
            return _Fetched(reason=reason)

        work = partial(_fetch, self._max_bytes)
        for job, message in worked(self._placed(jobs), work, _FETCHERS, (_Fetched,), lost, self._limits):
            if isinstance(message, _Fetched):
                trouble = f"{job.name}: cannot be fetched ({printable(message.reason)})" if message.reason else ""
                yield replace(job, trouble=trouble)

    def _placed(self, jobs: Iterable[Job]) -> Iterator[Job]:
        for number, job in enumerate(jobs):
            yield replace(job, path=Path(self._folder.name) / f"{number}{_suffix(job.url)[:20]}")


def _fetch(max_bytes: float | None, job: Job, send: Send) -> None:
    """What a process does: tells of each block that comes, and at last of the file."""
    try:
        system, path = _system(job.url)
        with (
            system.open(path, "rb", block_size=_BLOCK_BYTES, cache_type="readahead") as source,
            job.path.open("wb") as file,
        ):
            while block := source.read(_BLOCK_BYTES):
                file.write(block)
                if max_bytes is not None and file.tell() > max_bytes:
                    raise OSError(f"has more than {max_bytes / 1e6:g} MB; raise max_fetch_mb")
                send(len(block))
        send(_Fetched())
    except Exception as error:  # the libraries for kinds of URLs share no base
        job.path.unlink(missing_ok=True)
        send(_Fetched(reason=_reason(error)))
