"""Films put end to end in one file, where the clock is set back from one to the next: the second follows the first."""

from __future__ import annotations  # PyAV's classes are generic only for the type checker

from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from avpipe.media import containers

SET_BACK_SEC = 0.5
"""Packets are stored by rising decoding times: one that is so much earlier begins another film."""

_Packet: TypeAlias = "Packet[VideoStream]"

_JOINABLE = frozenset(("mpegts", "mpeg"))
"""Formats that are still one file when they are put end to end, as camcorders and recorders do."""


def continued(
    packets: Iterable[_Packet], container: InputContainer, time_base: Fraction, period_sec: float
) -> Iterator[_Packet]:
    """The packets of a stream, those behind a clock that was set back with times that follow on the ones before.

    One packet by itself that lies far ahead of both its neighbours is of a broken clock, and gets no time.

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
    for packet, following in _with_following(packets):
        if last is not None and _is_ahead(packet, following, last - offset, least):
            packet.pts = packet.dts = None
        if packet.dts is not None:
            if last is not None and packet.dts + offset < last - least:
                offset = end - (packet.dts if packet.pts is None else packet.pts)
            packet.dts += offset
            last = packet.dts
        if packet.pts is not None:
            packet.pts += offset
            end = max(end, packet.pts + (packet.duration or period))
        yield packet


def _with_following(packets: Iterable[_Packet]) -> Iterator[tuple[_Packet, _Packet | None]]:
    """Each packet with the one behind it, also where the file then breaks off."""
    held: _Packet | None = None
    try:
        for packet in packets:
            if held is not None:
                yield held, packet
            held = packet
    except containers.BREAKS_OFF:
        if held is not None:
            yield held, None
        raise
    if held is not None:
        yield held, None


def _is_ahead(packet: _Packet, following: _Packet | None, last: int, least: int) -> bool:
    """Whether a packet lies far behind the last one, and the following one between the two."""
    if packet.dts is None or following is None or following.dts is None:
        return False
    return packet.dts > last + least and last <= following.dts < packet.dts - least


def is_set_back(path: Path, container: InputContainer) -> bool:
    """Whether a file's clock is set back somewhere: the same time may then be found twice in it, and no seek is safe.

    All packets are read for it, once; nothing is decoded. Of formats that cannot be joined nothing is read.

    Args:
        path: of the file.
        container: of it, which stays where it is.
    """
    if container.format.name not in _JOINABLE:
        return False
    stat = path.stat()
    return _is_set_back(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=1024)
def _is_set_back(path: Path, size_bytes: int, changed_ns: int) -> bool:
    with containers.open_container(path) as container:
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
