"""Accounts of damage: which seconds of a file were lost."""

from collections.abc import Iterable
from typing import Protocol

from avpipe.media.clip import Coverage

Span = tuple[float, float]
"""(start, end) in seconds."""

END_SLACK_SEC = 0.1
"""A stream that ends this little before its header says is whole: headers round, and codecs pad to full frames."""


class Track(Protocol):
    """One sense of a file as far as it has been decoded."""

    truncated: bool

    @property
    def gaps(self) -> list[Span]:
        """Damaged stretches so far."""

    @property
    def decoder(self) -> str:
        """``soundfile`` or ``av``."""

    @property
    def end_sec(self) -> float:
        """Where decoding stands; the end of the sense once it is exhausted."""

    @property
    def promised_sec(self) -> float | None:
        """The end that the header promises."""

    def frames_between(self, start_sec: float, end_sec: float) -> tuple[int, int]:
        """Frames decoded and frames lost, (0, 0) for sound."""


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The union of spans, sorted."""
    union: list[Span] = []
    for start, end in sorted(spans):
        if union and start <= union[-1][1]:
            union[-1] = (union[-1][0], max(end, union[-1][1]))
        elif end > start:
            union.append((start, end))
    return tuple(union)


def coverage_between(tracks: Iterable[Track], start_sec: float, end_sec: float) -> Coverage:
    """What was decoded and lost between two times; a second lost by either sense is a lost second."""
    tracks = list(tracks)
    file_end = max(max(track.promised_sec or 0.0, track.end_sec) for track in tracks)
    end_sec = max(start_sec, min(end_sec, file_end))
    gaps = merged(
        (max(start, start_sec), min(end, end_sec))
        for track in tracks
        for start, end in track.gaps
        if start < end_sec and end > start_sec
    )
    lost_sec = sum((end - start for start, end in gaps), 0.0)
    counts = [track.frames_between(start_sec, end_sec) for track in tracks]
    return Coverage(
        asked_sec=end_sec - start_sec,
        decoded_sec=end_sec - start_sec - lost_sec,
        lost_sec=lost_sec,
        gaps=gaps,
        truncated=any(track.truncated and track.end_sec <= end_sec for track in tracks),
        frames_decoded=sum(decoded for decoded, _ in counts),
        frames_lost=sum(lost for _, lost in counts),
        decoder="av" if any(track.decoder == "av" for track in tracks) else "soundfile",
    )
