"""What ``input=`` means: a file, a list of files, or every media file of a tree."""

from pathlib import Path

from avpipe.errors import ArgumentError, printable
from avpipe.inference.prediction import Job
from avpipe.inference.remote import find_remote, is_url, remote_job
from avpipe.media import find_media


def find_inputs(given: str) -> list[Job]:
    """As :func:`find_jobs`, of what may also be a URL; a list may name some, too.

    Raises:
        ArgumentError: as there.
    """
    return find_remote(given) if is_url(given) else find_jobs(Path(given), urls=True)


def find_jobs(given: Path, may_be_empty: bool = False, urls: bool = False) -> list[Job]:
    """The files to answer, each once, under names that are relative to the input.

    A folder in it that cannot be listed stands for what may be in it, and will be a row that says so.

    Args:
        given: a media file; a ``.txt`` list of paths, one a line, relative to the list or to the working folder; or a
            folder, which is searched to any depth.
        may_be_empty: whether a folder without media is one to which they may come yet.
        urls: whether a list may name some.

    Raises:
        ArgumentError: if there is nothing there, or no media in it.
    """
    if given.is_dir():
        closed: list[Path] = []
        paths = [*find_media(given, lambda problem: closed.append(Path(problem.subject))), *closed]
        if given in closed:
            raise ArgumentError(f"input={given}", "cannot be listed", "check its permissions")
        jobs = [Job(printable(path.relative_to(given).as_posix()), path) for path in paths]
        if not jobs and not may_be_empty:
            raise ArgumentError(f"input={given}", "no media file in this folder", "name another folder")
        return jobs
    if not given.exists():
        raise ArgumentError(f"input={given}", "no such file or folder", "name a file, a .txt list, or a folder")
    if given.suffix.lower() != ".txt":
        return [Job(printable(given.name), given)]
    return [remote_job(line) if urls and is_url(line) else _listed_job(given, line) for line in _lines(given)]


def _listed_job(listing: Path, line: str) -> Job:
    return Job(printable(Path(line).as_posix()), _located(listing, line))


def _lines(listing: Path) -> list[str]:
    """
    Raises:
        ArgumentError: if the list cannot be read, or names nothing.
    """
    try:
        lines = listing.read_text(encoding="utf-8-sig", errors="surrogateescape").splitlines()
    except OSError as error:
        raise ArgumentError(f"input={listing}", str(error.strerror), "name a file that can be read") from error
    names = list(dict.fromkeys(line for line in lines if line.strip()))
    if not names:
        raise ArgumentError(f"input={listing}", "the list names no file", "write one path a line")
    return names


def _located(listing: Path, name: str) -> Path:
    beside = listing.parent / name
    return beside if beside.exists() else Path(name)
