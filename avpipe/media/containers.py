"""Opening media files with FFmpeg: typed errors instead of its own, and times on one timeline.

The timeline of a file:

- Sound alone: its first sample is time zero, whichever decoder reads it.
- With a picture: the container's presentation time zero, so a late start keeps its lateness. Formats whose clock has
  no origin (MPEG-TS and -PS, Ogg) count from their first timestamp.
- Where a clock is set back, as in films of MPEG-TS that were put end to end, what comes then follows what was before.
"""

from __future__ import annotations  # PyAV's classes are generic only for the type checker

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from avpipe.media.errors import MediaError, UnreadableMedia

av.logging.set_level(None)  # FFmpeg's remarks on damaged files would go to stderr; coverage tells of damage

CLOCK_WITHOUT_ORIGIN = 0x0200
"""AVFMT_TS_DISCONT in a format's flags."""

AnyStream = TypeVar("AnyStream", AudioStream, VideoStream)

BREAKS_OFF = (av.FFmpegError, IndexError)
"""Raised in place of a packet where a file breaks off inside one; by PyAV, where one is of a stream that the header did
not tell of."""

MICROSECOND = Fraction(1, 1_000_000)
"""Unit of a container's own times."""

HEADER_WITH_DURATION = frozenset(
    "aiff asf au avi caf flac flv ivf matroska mov mp4 mxf nut tta w64 wav webm wv".split()  # noqa: SIM905
)
"""Formats that write their length down. Of others FFmpeg estimates it from bit rate and size: no promise at all."""


def readable_head(path: Path) -> bytes:
    """The first bytes of a file, at least one; of a path that no decoder can help with, the fitting error.

    Raises:
        UnreadableMedia: missing, no regular file, forbidden, or empty.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode) and not os.access(path, os.R_OK | os.X_OK):
            raise UnreadableMedia(path, "is a folder that cannot be listed", "check its permissions")
        if stat.S_ISDIR(mode):
            raise UnreadableMedia(path, "is a folder", "name a file")
        if not stat.S_ISREG(mode):
            raise UnreadableMedia(path, "is no regular file", "name a file")
        with open(path, "rb", buffering=0) as file:
            head = file.read(16)
    except FileNotFoundError as error:
        raise UnreadableMedia(path, "no such file", "check the path") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableMedia(path, f"cannot be opened ({reason})", "check the path and its permissions") from error
    if not head:
        raise UnreadableMedia(path, "is empty", "copy it again from its source")
    return head


@contextmanager
def ffmpeg_errors(path: Path) -> Iterator[None]:
    """Turn whatever FFmpeg says of ``path`` into an ``UnreadableMedia``."""
    try:
        yield
    except MediaError:
        raise
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableMedia(
            path,
            f"is not media that FFmpeg can read ({reason})",
            "check that it is whole and what its name says",
        ) from error


def open_container(path: Path) -> InputContainer:
    """Open ``path`` for demuxing; the caller closes it, or uses it in a ``with``.

    Raises:
        UnreadableMedia: see ``readable_head``, or not media.
    """
    readable_head(path)
    name = os.path.abspath(path)
    with ffmpeg_errors(path):
        # The prefix keeps names such as "http:x.wav" from being taken for protocols, the list keeps playlists from
        # opening other things than files.
        return av.open(f"file:{name}", "r", options={"protocol_whitelist": "file"}, metadata_errors="replace")


def refuse_encrypted(path: Path, packet: Packet[Any]) -> None:
    """
    Raises:
        UnreadableMedia: the packet needs a key. Without it FFmpeg decodes noise.
    """
    # Of FFmpeg's demuxers this one alone tells of it, and asking takes as long as half of the decoding.
    is_told = "mov" in packet.stream.container.format.name
    if is_told and packet.has_sidedata("encryption_info"):
        raise UnreadableMedia(path, f"its {packet.stream.type} is encrypted", "give a copy without protection")


def is_cover_art(stream: VideoStream) -> bool:
    """Whether a video stream is a picture attached to a recording, not moving picture."""
    return bool(stream.disposition & Disposition.attached_pic)


def video_streams(container: InputContainer) -> list[VideoStream]:
    """The moving pictures of a file that have a decoder, without cover art."""
    return [stream for stream in container.streams.video if not is_cover_art(stream) and has_decoder(stream)]


def audio_streams(container: InputContainer) -> list[AudioStream]:
    """The sounds of a file that have a decoder."""
    return [stream for stream in container.streams.audio if has_decoder(stream)]


def has_decoder(stream: AudioStream | VideoStream) -> bool:
    """Whether this FFmpeg can decode a stream."""
    return bool(getattr(stream.codec_context, "is_decoder", False))


def best_audio(container: InputContainer) -> AudioStream | None:
    """FFmpeg's choice among the sounds."""
    return _best(container, audio_streams(container))


def best_video(container: InputContainer) -> VideoStream | None:
    """FFmpeg's choice among the moving pictures."""
    return _best(container, video_streams(container))


def _best(container: InputContainer, usable: list[AnyStream]) -> AnyStream | None:
    if len(usable) < 2:
        return usable[0] if usable else None
    choice = container.streams.best(usable[0].type)
    return next((stream for stream in usable if choice is not None and stream.index == choice.index), usable[0])


_LONGEST_SEC = 4 * 3600.0
_LEAST_BYTES_PER_SEC = 10.0


def latest_sec(path: Path) -> float:
    """A time on a file's timeline behind which nothing of it can lie: a timestamp that says so is of a broken clock.

    A bit that was flipped in a timestamp is worth weeks, which would be filled with silence and judged. No file that
    is longer than a few hours has fewer bytes a second than the limit has.
    """
    try:
        return max(_LONGEST_SEC, path.stat().st_size / _LEAST_BYTES_PER_SEC)
    except OSError:
        return _LONGEST_SEC


def origin_sec(container: InputContainer, audio: AudioStream | None) -> Fraction:
    """Where the file's time zero lies on its container's clock, in seconds."""
    if not video_streams(container) and audio is not None:
        return (audio.start_time or 0) * Fraction(audio.time_base or 0)
    if container.format.flags & CLOCK_WITHOUT_ORIGIN:
        return (container.start_time or 0) * MICROSECOND
    begins = (container.start_time or 0) * MICROSECOND
    return begins if begins > latest_sec(_path_of(container)) else Fraction(0)


def _path_of(container: InputContainer) -> Path:
    return Path(os.fspath(container.name).removeprefix("file:"))


def promised_end_sec(container: InputContainer, stream: AudioStream | VideoStream, origin: Fraction) -> float | None:
    """Where the header says that a stream ends, on the file's timeline; None where it does not say."""
    names = set(container.format.name.split(","))
    if not (names & HEADER_WITH_DURATION or (names == {"mp3"} and _mp3_has_frame_count(_path_of(container)))):
        return None
    if stream.duration and stream.time_base:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base - origin)
    written = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if written:  # Matroska writes each stream's end as a tag
        hours, minutes, seconds = written.groups()
        return float(Fraction(seconds) + 60 * int(minutes) + 3600 * int(hours) - origin)
    alone = len(container.streams.audio) + len(video_streams(container)) == 1
    if container.duration is not None and alone:
        return float(((container.start_time or 0) + container.duration) * MICROSECOND - origin)
    return None


def _mp3_has_frame_count(path: Path) -> bool:
    """Whether an mp3 counts its frames in a first, silent one; otherwise its length is an estimate."""
    with open(path, "rb") as file:
        head = file.read(10)
        if head[:3] == b"ID3":  # the tag's size is written in four 7-bit bytes
            size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
            file.seek(10 + size)
        else:
            file.seek(0)
        frame = file.read(4096)
    return any(mark in frame for mark in (b"Xing", b"Info", b"VBRI"))
