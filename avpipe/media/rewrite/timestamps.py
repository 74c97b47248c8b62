"""Timestamps that a writer accepts, changed as little as can be."""

from __future__ import annotations  # PyAV's classes are generic only for the type checker

from fractions import Fraction
from math import floor

from av.packet import Packet
from av.stream import Stream


class PacketClock:
    """Puts one stream's packets on its output's clock, decoding times growing and none after its presentation time.

    Args:
        unit: of the output stream, in seconds.
        may_repeat: whether the format takes equal decoding times.
        delay_sec: length of what an encoder puts first, where the format tells players to skip it in a unit of its own
            (Matroska, whose clock counts milliseconds): both are to be rounded alike.
        moved_sec: how much earlier the packets are in the output than in the source.
    """

    def __init__(
        self, unit: Fraction, may_repeat: bool, delay_sec: Fraction = Fraction(0), moved_sec: Fraction = Fraction(0)
    ) -> None:
        self._unit = unit
        self._step = 0 if may_repeat else 1
        self._delay_sec = delay_sec
        self._moved_sec = moved_sec
        self._last: int | None = None
        self._last_duration = 0

    def set(self, packet: Packet[Stream]) -> None:
        """Rewrite the times of the next packet."""
        unit = Fraction(packet.time_base or self._unit)
        pts, dts = (
            None if time is None else self._ticks(time * unit - self._moved_sec) for time in (packet.pts, packet.dts)
        )
        if dts is None:
            dts = self._guessed(pts)
        if self._last is not None:
            dts = max(dts, self._last + self._step)
        self._last_duration = round((packet.duration or 0) * unit / self._unit)
        packet.time_base = self._unit
        packet.dts, packet.pts = dts, dts if pts is None else max(pts, dts)
        packet.duration = self._last_duration
        self._last = dts

    def _ticks(self, sec: Fraction) -> int:
        return _nearest((sec + self._delay_sec) / self._unit) - _nearest(self._delay_sec / self._unit)

    def _guessed(self, pts: int | None) -> int:
        """A decoding time where the source has none."""
        if self._last is None:
            return pts or 0
        following = self._last + max(1, self._last_duration)
        return following if pts is None else min(pts, following)


def _nearest(number: Fraction) -> int:
    """The nearest whole number; halves go up, as FFmpeg has it."""
    return floor(number + Fraction(1, 2))
