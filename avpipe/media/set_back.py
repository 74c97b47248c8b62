"""Films put end to end in one file, where the clock is set back from one to the next: the second follows the first."""

from __future__ import annotations  # PyAV's classes are generic only for the type checker

from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from avpipe.media import containers

SET_BACK_SEC = 0.5
"""Packets are stored by rising decoding times: one that is so much earlier begins another film."""

_JOINABLE = frozenset(("mpegts", "mpeg"))
"""Formats that are still one file when they are put end to end, as camcorders and recorders do."""


def continued(
    packets: Iterable[Packet[VideoStream]], container: InputContainer, time_base: Fraction, period_sec: float
) -> Iterator[Packet[VideoStream]]:
    """The packets of a stream, those behind a clock that was set back with times that follow on the ones before.

    Args:
        packets: in the order of the file.
        container: that they come from.
        time_base: of their times.
        period_sec: of a frame whose packet tells no duration.
    """
    if container.format.name not in _JOINABLE:
        yield from packets
        return
    least, period = int(SET_BACK_SEC / time_base), round(Fraction(period_sec) / time_base)
    offset = end = 0
    last: int | None = None
    for packet in packets:
        if packet.dts is not None:
            if last is not None and packet.dts + offset < last - least:
                offset = end - (packet.dts if packet.pts is None else packet.pts)
            packet.dts += offset
            last = packet.dts
        if packet.pts is not None:
            packet.pts += offset
            end = max(end, packet.pts + (packet.duration or period))
        yield packet


def is_set_back(path: Path) -> bool:
    """Whether a file's clock is set back somewhere: the same time may then be found twice in it, and no seek is safe.

    All packets are read for it, once; nothing is decoded.
    """
    stat = path.stat()
    return _is_set_back(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=1024)
def _is_set_back(path: Path, size_bytes: int, changed_ns: int) -> bool:
    with containers.open_container(path) as container:
        if container.format.name not in _JOINABLE:
            return False
        last: dict[int, int] = {}
        try:
            for packet in container.demux():
                if packet.dts is None or packet.time_base is None:
                    continue
                index = packet.stream.index
                if packet.dts < last.get(index, packet.dts) - SET_BACK_SEC / packet.time_base:
                    return True
                last[index] = packet.dts
        except containers.BREAKS_OFF:
            pass
    return False
