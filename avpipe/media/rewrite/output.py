"""A media file being written with FFmpeg; whatever fails is an ``UnwritableMedia``."""

from __future__ import annotations  # PyAV's classes are generic only for the type checker

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import soundfile
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from avpipe.media.errors import UnwritableMedia

TELLS_DELAY = frozenset("matroska webm mov mp4 ipod 3gp 3g2 psp f4v mp3 ogg oga opus ogv spx nut".split())  # noqa: SIM905
"""Formats that tell players how many of a coder's first samples to throw away."""

KEEPS_NO_START = frozenset(
    ("avi", "asf", "mp3", "adts", "ac3", "eac3", "mp2", "flac", "wav", "aiff", "au", "caf", "w64")
)
"""Formats in which every sound begins at time zero."""

NONSTRICT_TIMES = 0x20000
"""AVFMT_TS_NONSTRICT in a format's flags."""

WRITE_ERRORS = (av.FFmpegError, soundfile.SoundFileError, OSError, ValueError, TypeError, LookupError)


@contextmanager
def write_errors(path: Path, what: str = "") -> Iterator[None]:
    """Turn whatever FFmpeg says of a file being written into an ``UnwritableMedia``."""
    try:
        yield
    except WRITE_ERRORS as error:
        raise unwritable(path, error, what) from error


def unwritable(path: Path, error: Exception, what: str = "") -> UnwritableMedia:
    reason = getattr(error, "strerror", None) or str(error)
    subject = f"{what} " if what else ""
    hidden = isinstance(error, soundfile.SoundFileError)  # libsndfile says no more than "System error"
    full = hidden or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    denied = isinstance(error, PermissionError)
    remedy = "make room" if full else "give rights to it" if denied else "choose another format"
    remedy += ", or choose another folder"
    return UnwritableMedia(path, f"{subject}cannot be written ({reason})", remedy)


class Output:
    """An ``OutputContainer`` with typed errors; its suffix names the format.

    Used in a ``with``, it is finished at the end of the block; after an error, only closed.
    """

    def __init__(self, path: Path, format: str, options: dict[str, str]) -> None:
        self.path = path
        with write_errors(path):
            # The prefix keeps names such as "http:x.wav" from being taken for protocols.
            self.container: OutputContainer = av.open(
                f"file:{os.path.abspath(path)}",
                "w",
                format=format,
                # Bit-exact: the same input gives the same bytes; Matroska and Ogg would draw identifiers.
                container_options={"fflags": "+bitexact", **options},
                metadata_errors="replace",
            )

    @property
    def format(self) -> str:
        """FFmpeg's name of the format."""
        return self.container.format.name

    @property
    def tells_delay(self) -> bool:
        return self.format in TELLS_DELAY

    @property
    def keeps_start(self) -> bool:
        return self.format not in KEEPS_NO_START

    @property
    def may_repeat_times(self) -> bool:
        return bool(self.container.format.flags & NONSTRICT_TIMES)

    def start(self) -> None:
        """Write the header."""
        with write_errors(self.path):
            self.container.start_encoding()

    def mux(self, packet: Packet[Stream]) -> None:
        with write_errors(self.path):
            self.container.mux_one(packet)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            with suppress(*WRITE_ERRORS):
                self.container.close()
            return
        with write_errors(self.path):
            self.container.close()


def format_name(path: Path) -> str:
    """FFmpeg's name of the format that a suffix stands for.

    Raises:
        UnwritableMedia: of no format that can be written.
    """
    try:
        with av.open(f"file:{os.path.abspath(path)}", "w") as container:  # nothing is created before the header
            return container.format.name
    except ValueError as error:
        raise UnwritableMedia(
            path, f"its suffix {path.suffix!r} names no format that can be written", "choose another, such as .mkv"
        ) from error


def is_admitted(format: str, add: Any) -> bool:
    """Whether a format takes a stream, found out by writing a header to memory; ``add(container)`` adds it."""
    try:
        container = av.open(io.BytesIO(), "w", format=format)
    except WRITE_ERRORS:
        return False
    try:
        add(container)
        container.start_encoding()
    except (*WRITE_ERRORS, RuntimeError):
        return False
    finally:
        with suppress(*WRITE_ERRORS):
            container.close()
    return True
