"""Where the cleaned files go."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from avpipe.errors import ArgumentError
from avpipe.inference import inputs, prediction
from avpipe.inference.denoise.record import Job

_PART = re.compile(r"\.(\d+)\.([0-9a-f]{12}\.part(\.[^.]*)?|part\..+)")
"""Ours, and those of ``avpipe.files.written_whole``."""


def find_jobs(given: Path, output: str | Path) -> list[Job]:
    """What to clean, and where each file goes, under its own name.

    Args:
        given: a file, a ``.txt`` list, or a folder.
        output: for a file, the new file, an existing folder, or one to be made, its name ending in a slash; otherwise
            a folder that mirrors the input. A list is mirrored by its paths; if one of them is absolute or climbs, from
            the folder that all have in common.

    Raises:
        ArgumentError: nothing to clean, a name without a suffix for a new file, or files would be written over their
            sources or read as input.
    """
    found = inputs.find_jobs(given)
    names_folder, output = os.fspath(output).endswith(("/", os.sep)), Path(output)
    if (file := next((above for above in output.parents if above.is_file()), None)) is not None:
        raise ArgumentError(f"output={output}", f"{file} is a file", "name another place")
    if is_single(given):
        into_folder = names_folder or output.is_dir()
        if not into_folder and not output.suffix:
            remedy = f"write {output}{given.suffix} for a file, {output}/ for a folder"
            raise ArgumentError(f"output={output}", "has no suffix to tell the format by", remedy)
        target = output / given.name if into_folder else output
        jobs = [Job(found[0].name, given, target)]
    else:
        if os.path.lexists(output) and not output.is_dir():
            raise ArgumentError(f"output={output}", "is no folder", "name one")
        if given.is_dir() and output.resolve().is_relative_to(given.resolve()):
            where = "is the input" if output.resolve() == given.resolve() else "lies in the input and would be read too"
            raise ArgumentError(f"output={output}", where, "name another folder: sources are never overwritten")
        places = [job.path.relative_to(given) for job in found] if given.is_dir() else _listed(found, given)
        jobs = [Job(job.name, job.path, output / place) for job, place in zip(found, places, strict=True)]
    _refuse_overwritten_sources(jobs)
    return jobs


def is_single(given: Path) -> bool:
    """Whether the input is one media file."""
    return not given.is_dir() and given.suffix.lower() != ".txt"


def _listed(found: Sequence[prediction.Job], listing: Path) -> list[Path]:
    """A place for each file of a list."""
    names = [_below(job.path, listing.parent) for job in found]
    if any(name is None for name in names):
        whole = [Path(os.path.abspath(job.path)) for job in found]
        common = Path(os.path.commonpath([path.parent for path in whole]))
        names = [path.relative_to(common) for path in whole]
    places = [name for name in names if name is not None]
    twice = [place for place, count in Counter(places).items() if count > 1]
    if twice:
        raise ArgumentError(f"input={listing}", f"names {twice[0]} twice", "take one out")
    return places


def _below(path: Path, folder: Path) -> Path | None:
    """A path as it was written in a list in ``folder``; None for what is absolute there, or climbs."""
    written = path.relative_to(folder) if path.is_relative_to(folder) else path
    plain = Path(os.path.normpath(written))
    return None if plain.is_absolute() or ".." in plain.parts else plain


def _refuse_overwritten_sources(jobs: Sequence[Job]) -> None:
    sources = {os.path.realpath(job.path) for job in jobs}
    for job in jobs:
        same = job.target.exists() and job.path.exists() and os.path.samefile(job.target, job.path)
        if same or os.path.realpath(job.target) in sources:
            raise ArgumentError(f"output={job.target}", "is a file of the input", "name another place")


def part_of(target: Path) -> Path:
    """A name beside a target for its unfinished part: of this process, of the same suffix, not too long."""
    digest = sha256(os.fsencode(target.name)).hexdigest()[:12]
    return target.with_name(f".{os.getpid()}.{digest}.part{target.suffix}")


def sweep(folders: Iterable[Path], own: bool = True) -> None:
    """Remove the parts that processes left behind which are no more.

    Args:
        folders: to look through, not what is below them.
        own: whether parts with the number of this process go too: an earlier one with that number left them.
    """
    for part in _parts(folders):
        process = int(part.name.split(".")[1])
        if own if process == os.getpid() else not _lives(process):
            part.unlink(missing_ok=True)


def _parts(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        if folder.is_dir():
            yield from [path for path in folder.iterdir() if _PART.fullmatch(path.name)]


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
