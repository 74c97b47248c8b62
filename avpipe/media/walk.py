"""Finding media files in a tree of folders."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from avpipe.media.errors import UnreadableMedia

_SOUND = """
aac ac3 aif aifc aiff amr ape au caf dts dv eac3 flac m4a m4b mka mp2 mp3 oga ogg opus ra rf64 snd spx tak tta voc w64
wav wave weba wma wv
"""

_FILMS = """
3g2 3gp asf avi avif f4v flv gif h264 h265 hevc ivf m1v m2ts m2v m4v mkv mov mp4 mpeg mpg mts mxf nut ogv rm rmvb ts
vob webm wmv y4m
"""

FILM_SUFFIXES = frozenset(f".{suffix}" for suffix in _FILMS.split())
"""Suffixes, in lower case, of the files that are expected to hold pictures."""

MEDIA_SUFFIXES = FILM_SUFFIXES | {f".{suffix}" for suffix in _SOUND.split()}
"""Suffixes, in lower case, of the files that are taken for media."""


def find_media(folder: Path, on_error: Callable[[UnreadableMedia], None] | None = None) -> Iterator[Path]:
    """Every media file below a folder, by suffix, in the order of their paths' parts.

    Hidden files and folders (AppleDouble files and our own half-written ones among them) and what is no regular file
    (a pipe, a link that leads nowhere) are left out. Links are followed, but no folder is entered from within itself.

    Args:
        folder: where to look.
        on_error: told of each folder that cannot be listed, and the walk goes on; without it the error is raised. Told
            also of what has the name of a media file and is no regular file.

    Raises:
        UnreadableMedia: ``folder`` is no folder; or, without ``on_error``, a folder cannot be listed.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UnreadableMedia(folder, "is no folder", "name an existing folder")
    yield from _walk(folder, on_error, (folder.stat(),))


def _walk(
    folder: Path, on_error: Callable[[UnreadableMedia], None] | None, above: tuple[os.stat_result, ...]
) -> Iterator[Path]:
    """Files below a folder; ``above`` are the folders that lead to it, itself among them."""
    for path, status in _listed(folder, on_error):
        if stat.S_ISDIR(status.st_mode):
            if not any(os.path.samestat(status, one) for one in above):
                yield from _walk(path, on_error, (*above, status))
        elif path.suffix.lower() in MEDIA_SUFFIXES and stat.S_ISREG(status.st_mode):
            yield path
        elif path.suffix.lower() in MEDIA_SUFFIXES and on_error is not None:
            on_error(UnreadableMedia(path, "is no regular file", "replace it by one"))


def _listed(folder: Path, on_error: Callable[[UnreadableMedia], None] | None) -> list[tuple[Path, os.stat_result]]:
    """What is in a folder, with what it is; links that lead nowhere are left out."""
    found = []
    try:
        for path in sorted(path for path in folder.iterdir() if not path.name.startswith(".")):
            if (status := _status(path)) is not None:
                found.append((path, status))
            elif on_error is not None and path.is_symlink() and path.suffix.lower() in MEDIA_SUFFIXES:
                on_error(UnreadableMedia(path, "is a link that leads nowhere", "mend it"))
        return found
    except OSError as error:
        problem = UnreadableMedia(folder, f"cannot be listed ({error.strerror})", "check its permissions")
        if on_error is None:
            raise problem from error
        on_error(problem)
        return []


def _status(path: Path) -> os.stat_result | None:
    """None: a link that leads nowhere, or a file that is gone by now."""
    try:
        return path.stat()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise
