"""Reading a file once, front to back, in windows of one or several plans."""

import contextlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import av

from avpipe.errors import ArgumentError
from avpipe.media.clip import Clip, ClipFormat, Coverage, WindowPlan
from avpipe.media.damage import coverage_between
from avpipe.media.errors import DamagedMedia, NoSuchStream
from avpipe.media.tracks import PictureTrack, SoundTrack
from avpipe.media.truncation import bytes_behind
from avpipe.media.windows import FOREVER, WindowGrid, wanted_sizes


class ClipStream(Iterator[tuple[int, Clip]]):
    """Windows of a file in the order of their ends: (index of the plan, clip).

    Sound and picture are each decoded once, only as far as the next window needs, and forgotten when no window needs
    them any more; what is held at a time is bounded by the longest window, not by the file.

    Use it in a ``with``; read to its end, it also closes by itself.
    """

    def __init__(self, path: Path, plans: Sequence[WindowPlan], start_sec: float, end_sec: float | None) -> None:
        self.path = path
        self.absent: dict[int, NoSuchStream] = {}
        """Plans that get no window, because the file has none of the senses they ask for."""
        for plan in plans:
            if plan.window_sec <= 0 or plan.hop_sec <= 0:
                raise ArgumentError("window_sec, hop_sec", f"not both above 0: {plan.window_sec}, {plan.hop_sec}")
        if start_sec < 0:
            raise ArgumentError("start_sec", f"{start_sec:g} lies before the file", "give 0 or more")
        self._start_sec = start_sec
        self._end_sec = FOREVER if end_sec is None else end_sec
        self._grids = [WindowGrid(plan, start_sec, self._end_sec) for plan in plans]
        self._sound: SoundTrack | None = None
        self._picture: PictureTrack | None = None
        self._coverage: Coverage | None = None
        self._clips = self._decode()

    @property
    def coverage(self) -> Coverage:
        """Coverage of everything between the start and the end asked for; known once the stream is exhausted."""
        if self._coverage is None:
            raise RuntimeError("coverage is known when the last window has been read")
        return self._coverage

    @property
    def sound_rate(self) -> int | None:
        """Hz that the file's own sound has; None before it is read, and where none is asked for."""
        return None if self._sound is None else self._sound.rate

    def __next__(self) -> tuple[int, Clip]:
        return next(self._clips)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a stream left half-way has no coverage."""
        self._clips.close()

    def _decode(self) -> Generator[tuple[int, Clip]]:
        with contextlib.ExitStack() as stack:
            self._open(stack)
            try:
                yield from self._windows()
            except av.FFmpegError as error:
                raise DamagedMedia(self.path, f"FFmpeg gives up on it ({error.strerror})", "convert it anew") from error
            covered = coverage_between(self._tracks_of(None), self._start_sec, self._end_sec)
            unread = bytes_behind(self.path) if self._end_sec == FOREVER else 0
            self._coverage = replace(covered, unread_bytes=unread)

    def _open(self, stack: contextlib.ExitStack) -> None:
        """Open the senses that the plans ask for; one that is absent is a plan's loss only where it has no other."""
        formats = [grid.plan.format for grid in self._grids]
        missing: dict[str, NoSuchStream] = {}
        if any(wanted.audio for wanted in formats):
            try:
                self._sound = SoundTrack(self.path, self._start_sec)
                stack.callback(self._sound.close)
            except NoSuchStream as error:
                missing["audio"] = error
        if any(wanted.video for wanted in formats):
            try:
                self._picture = PictureTrack(self.path, self._start_sec, partial(wanted_sizes, self._grids))
                stack.callback(self._picture.close)
            except NoSuchStream as error:
                missing["video"] = error
        for index, wanted in enumerate(formats):
            if not self._tracks_of(wanted):
                self.absent[index] = missing["audio" if wanted.audio else "video"]
        if len(self.absent) == len(formats):
            raise next(iter(self.absent.values()))

    def _tracks_of(self, wanted: ClipFormat | None) -> list[SoundTrack | PictureTrack]:
        """The open tracks that a format asks for; of None, all."""
        tracks: list[SoundTrack | PictureTrack] = []
        if self._sound is not None and (wanted is None or wanted.audio):
            tracks.append(self._sound)
        if self._picture is not None and (wanted is None or wanted.video):
            tracks.append(self._picture)
        return tracks

    def _windows(self) -> Iterator[tuple[int, Clip]]:
        """Always the window that ends next, of whichever plan; a plan is done when its data are."""
        upcoming = {index: 0 for index in range(len(self._grids)) if index not in self.absent}
        while upcoming:
            index = min(upcoming, key=lambda one: (self._grids[one].window(upcoming[one])[1], one))
            grid, number = self._grids[index], upcoming[index]
            start, end = grid.window(number)
            yield index, self._cut(start, end, grid.plan.format)
            upcoming[index] += 1
            following = grid.window(upcoming[index])[0]
            # Both: overlapping windows end with the data, and of windows with space between none begins after it.
            beyond = max(end, following)
            tracks = self._tracks_of(grid.plan.format)
            if beyond >= self._end_sec or not any(track.reaches_beyond(beyond) for track in tracks):
                del upcoming[index]
            needed_from = min((self._grids[i].window(k)[0] for i, k in upcoming.items()), default=following)
            for track in self._tracks_of(None):
                track.forget(needed_from)

    def _cut(self, start_sec: float, end_sec: float, wanted: ClipFormat) -> Clip:
        sound = self._sound.cut(start_sec, end_sec, wanted) if self._sound is not None and wanted.audio else None
        picture = self._picture.cut(start_sec, end_sec, wanted) if self._picture is not None and wanted.video else None
        return Clip(
            source=self.path,
            start_sec=start_sec,
            waveform=sound[0] if sound else None,
            sample_rate=sound[1] if sound else None,
            frames=picture[0] if picture else None,
            frame_times_sec=picture[1] if picture else None,
            coverage=coverage_between(self._tracks_of(wanted), start_sec, end_sec),
            picture_px=self._picture.picture_px if self._picture is not None and picture else None,
        )


def stream_clips(
    path: Path, plans: Sequence[WindowPlan], start_sec: float = 0.0, end_sec: float | None = None
) -> ClipStream:
    """Decode a file once and cut it into the windows of several plans.

    Window k of a plan begins at start + k * hop. A file no longer than one window is one window, a longer one has
    ceil((duration - window) / hop) + 1 (less one where hop > window and it would hold nothing), and the last may be
    short; the duration is that of the longer of the senses
    that the plan asks for and the file has. A sense of which nothing falls into a window is None there. Each window
    is what ``read_clip`` gives for it.

    Raises (all but the first at the first window, or later where damage shows later):
        ArgumentError: a window, a hop or a start that cannot be.
        UnreadableMedia: missing, empty, forbidden, not media.
        NoSuchStream: none of the plans finds a sense it asks for; see ``ClipStream.absent`` where only some do not.
        DamagedMedia: nothing could be decoded.
    """
    return ClipStream(Path(path), plans, start_sec, end_sec)


def read_clip(
    path: Path,
    start_sec: float = 0.0,
    duration_sec: float | None = None,
    audio: bool = True,
    video: bool = False,
    *,
    sample_rate: int | None = None,
    mono: bool = False,
    size_px: int | tuple[int, int] | None = None,
    stride_sec: float | None = None,
) -> Clip:
    """Decode one stretch of a file; the arguments after the path are those of ``ClipFormat``.

    Raises:
        ArgumentError: a negative start, or a duration that is not above 0.
        UnreadableMedia: missing, empty, forbidden, not media.
        NoSuchStream: none of the senses asked for is there.
        DamagedMedia: nothing in that stretch, or nothing of it could be decoded.
    """
    wanted = ClipFormat(audio, video, sample_rate, mono, size_px, stride_sec)
    end_sec = None if duration_sec is None else start_sec + duration_sec
    plan = WindowPlan(FOREVER if duration_sec is None else duration_sec, hop_sec=1.0, format=wanted)
    with stream_clips(path, [plan], start_sec, end_sec) as clips:
        _, clip = next(clips)
    if clip.waveform is None and clip.frames is None:
        raise DamagedMedia(path, f"holds nothing at {start_sec:g} s", "ask for a stretch within the file")
    return clip
