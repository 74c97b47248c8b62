"""Reader of frames: every frame of a file's picture from a place to the end, in the order they are shown."""

from __future__ import annotations  # PyAV's classes are generic only for the type checker

import heapq
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import cast

import av
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from avpipe.media import containers
from avpipe.media.damage import END_SLACK_SEC
from avpipe.media.errors import DamagedMedia, NoSuchStream
from avpipe.media.pictures import display_shape
from avpipe.media.set_back import continued, is_set_back

SEEK_BACK_SEC = (0.0, 2.0, 10.0, 60.0)
"""How much earlier to seek when an index leads to a frame after the one looked for; after these, the beginning."""

LOOK_AHEAD_PACKETS = 1000
"""How many packets are read ahead at most to find which frames before a place need no decoding."""

VP8_SHOW_FRAME = 0x10
"""Bit of a VP8 packet's first byte; frames without it are never shown and so cannot be missed."""


class FrameReader:
    """Reads FFmpeg's best video stream; times are presentation times.

    The first frame read is the one on show at the start asked for, or one before it.
    """

    decoder = "av"

    def __init__(self, path: Path, start_sec: float = 0.0) -> None:
        self._path = path
        self._frames: Iterator[VideoFrame] = iter(())
        self.lost_times_sec: list[float] = []
        """Presentation times of the packets that gave no frame."""
        self._open_container()
        try:
            self._open_at(start_sec)
        except BaseException:
            self.close()
            raise

    def _open_container(self) -> None:
        self._container = containers.open_container(self._path)
        try:
            stream = containers.best_video(self._container)
            if stream is None:
                raise NoSuchStream(self._path, "has no picture that can be decoded", "give a file with a video stream")
            self._stream = stream
            stream.thread_type = "AUTO"
            self._read_header(stream)
        except BaseException:
            self._container.close()
            raise

    def _read_header(self, stream: VideoStream) -> None:
        self._time_base = Fraction(stream.time_base or 1)
        self._origin = containers.origin_sec(self._container, None)
        self._latest_sec = containers.latest_sec(self._path)
        denominator = self._time_base.denominator * self._origin.denominator
        scaled = (int(one * denominator) for one in (self._time_base, self._origin))
        self._tick = (*scaled, denominator)
        """A tick of the container's clock and the origin, both in parts of a second, and how many of these make one."""
        self._header_shape = stream.width, stream.height, stream.sample_aspect_ratio
        self.promised_sec = containers.promised_end_sec(self._container, stream, self._origin)
        rate = stream.average_rate or stream.guessed_rate
        self.period_sec = float(1 / rate) if rate else 0.04
        self.tolerance_sec = min(float(self._time_base) / 2, 0.0005) + 1e-6
        """A frame stamped this much late is still in time: timestamps are rounded to the container's clock."""
        self.slack_sec = max(END_SLACK_SEC, 1.5 * self.period_sec)

    def _open_at(self, start_sec: float) -> None:
        """Stand before the frame on show at a time: seek back and further back, at last read from the beginning."""
        first = None
        for back_sec in SEEK_BACK_SEC if start_sec > 0 and not is_set_back(self._path, self._container) else ():
            if start_sec > back_sec and (first is None or self._seconds(first) > start_sec + self.tolerance_sec):
                first = self._first_frame_from(start_sec - back_sec, start_sec)
        self.from_beginning = first is None or self._seconds(first) > start_sec + self.tolerance_sec
        """Whether the first frame read is the file's first."""
        if self.from_beginning:
            if start_sec > 0:
                self._container.close()
                self._open_container()
            first = self._first_frame_from(None, start_sec)
        if first is None:
            raise DamagedMedia(self._path, "none of its picture could be decoded", "copy it again from its source")
        self._first: VideoFrame | None = first
        self._set_shape(first)

    def _first_frame_from(self, seek_sec: float | None, start_sec: float) -> VideoFrame | None:
        """Seek, where a time is given, and decode one frame; None where that is not to be had."""
        self.lost_times_sec.clear()
        if seek_sec is not None:
            try:
                self._container.seek(int((Fraction(seek_sec) + self._origin) / self._time_base), stream=self._stream)
            except av.FFmpegError:  # a format without an index
                return None
        self._frames = self._decoded_frames(start_sec)
        return next(self._frames, None)

    def _set_shape(self, frame: VideoFrame) -> None:
        width, height, pixel_aspect = self._header_shape
        self.rotation_deg = round(frame.rotation) % 360
        """Turn that makes the stored picture upright, counter-clockwise."""
        self.shape = display_shape(width or frame.width, height or frame.height, pixel_aspect, self.rotation_deg)
        """(height, width) of the upright picture."""

    def next_frame(self) -> tuple[float, float, VideoFrame] | None:
        """(presentation time, duration or 0 where the file does not say, frame), or None at the end."""
        frame = self._first or next(self._frames, None)
        self._first = None
        if frame is None:
            return None
        return self._seconds(frame), (frame.duration or 0) * self._tick[0] / self._tick[2], frame

    def _seconds(self, frame: VideoFrame) -> float:
        assert frame.pts is not None  # _decoded_frames sees to it
        return self._seconds_at(frame.pts)

    def _seconds_at(self, stamp: int) -> float:
        """Presentation time of a timestamp, exact up to the last rounding, and ten times as fast as by fractions."""
        numerator, origin, denominator = self._tick
        return (stamp * numerator - origin) / denominator

    def _decoded_frames(self, start_sec: float = 0.0) -> Iterator[VideoFrame]:
        """Frames with rising times; packets that gave none end up in ``lost_times_sec``.

        Before the frame on show at ``start_sec``, frames that no other frame refers to are not decoded.
        """
        pending: list[int] = []
        last_pts = None
        packets = self._packets()
        skipping = None
        ahead, needed_from = self._look_ahead(packets, start_sec) if start_sec > 0 else ([], None)
        for packet in chain(ahead, packets):
            stamp = packet.pts
            needless = stamp is not None and needed_from is not None and stamp < needed_from
            if needless != skipping:
                self._stream.codec_context.skip_frame = "NONREF" if needless else "DEFAULT"
                skipping = needless
            is_placed = stamp is None or self._seconds_at(stamp) <= self._latest_sec
            if stamp is not None and is_placed and not needless and not packet.is_discard and self._gives_frame(packet):
                heapq.heappush(pending, stamp)
            for frame in _decoded(packet):
                if frame.pts is None:
                    frame.pts = self._guessed_pts(frame, last_pts)
                if self._seconds_at(frame.pts) > self._latest_sec:
                    frame.pts = self._next_pts(last_pts)
                if frame.is_corrupt or (last_pts is not None and frame.pts <= last_pts):
                    continue
                self._settle(pending, frame.pts)
                last_pts = frame.pts
                yield frame
        self._settle(pending, None)

    def _look_ahead(
        self, packets: Iterator[Packet[VideoStream]], start_sec: float
    ) -> tuple[list[Packet[VideoStream]], int | None]:
        """(packets taken, timestamp of the frame on show at a time), the latter None where it cannot be told yet."""
        limit = int((Fraction(start_sec + self.tolerance_sec) + self._origin) / self._time_base)
        taken: list[Packet[VideoStream]] = []
        for packet in islice(packets, LOOK_AHEAD_PACKETS):
            taken.append(packet)
            if packet.dts is None:
                break
            if packet.dts > limit:  # so is the presentation time of all that follow
                return taken, max((one.pts for one in taken if one.pts is not None and one.pts <= limit), default=None)
        return taken, None

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        packets = self._container.demux(self._stream)
        try:
            yield from continued(packets, self._container, self._time_base, self.period_sec)
        except containers.BREAKS_OFF:
            flush = Packet()  # an empty packet makes the decoder give up what it still holds
            flush.stream = self._stream
            flush.time_base = self._time_base
            yield cast("Packet[VideoStream]", flush)

    def _gives_frame(self, packet: Packet[VideoStream]) -> bool:
        if not packet.size:
            return False
        return self._stream.codec_context.name not in ("vp8", "libvpx") or bool(memoryview(packet)[0] & VP8_SHOW_FRAME)

    def _guessed_pts(self, frame: VideoFrame, last_pts: int | None) -> int:
        """A time for a frame that came without: its packet's, else one period after the last."""
        return frame.dts if frame.dts is not None else self._next_pts(last_pts)

    def _next_pts(self, last_pts: int | None) -> int:
        return 0 if last_pts is None else last_pts + round(Fraction(self.period_sec) / self._time_base)

    def _settle(self, pending: list[int], pts: int | None) -> None:
        """Strike out the packets up to ``pts``: those of earlier times gave no frame. None: all that are left."""
        while pending and (pts is None or pending[0] <= pts):
            stamp = heapq.heappop(pending)
            if stamp != pts:
                self.lost_times_sec.append(self._seconds_at(stamp))

    def close(self) -> None:
        """Close the file and free its decoder, whose threads end with it.

        Nothing of it is left to the garbage collector: that may run in a process forked meanwhile, where those threads
        are not, and to wait for them hangs or crashes.
        """
        self._frames = iter(())  # the generator holds this reader, which holds it
        self._container.close()
        del self._container, self._stream


def _decoded(packet: Packet[VideoStream]) -> list[VideoFrame]:
    """The frames that a packet completes; none where it cannot be decoded."""
    try:
        return packet.decode()
    except av.FFmpegError:
        return []
