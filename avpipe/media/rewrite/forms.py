"""The types that rewriting speaks in: what a filter is, and what was done to a file."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from avpipe.media.clip import Coverage
from avpipe.media.samples import Waveform


@dataclass(frozen=True, slots=True)
class SoundForm:
    """The sound that a filter is to work on."""

    index: int
    """Of the stream in its file; 0 of a plain recording."""
    sample_rate: int
    """Hz."""
    channels: int


class SoundFilter(Protocol):
    """Changes one audio stream block by block.

    As many samples come out in all as went in; they may lag behind until ``finish``.

    Shape:
        blocks are (channels, n) float32 at the stream's own rate, full scale 1; n may be 0 of what comes out. A block
        that goes in may be read-only.
    """

    def push(self, block: Waveform) -> Waveform:
        """Take the next samples, and give what is done."""

    def finish(self) -> Waveform:
        """What is left."""


FilterFactory = Callable[[SoundForm], SoundFilter]
"""Makes the filter of one stream."""


@dataclass(frozen=True, slots=True)
class RewrittenSound:
    """What became of one audio stream."""

    index: int
    """In the source."""
    codec: str
    """Of the source."""
    codec_written: str
    sample_rate: int
    """Hz, of the sound that the filter saw; some codecs are written at another (Opus)."""
    channels: int
    sample_format: str
    """As written: soundfile's name (``PCM_24``) of a plain recording, else FFmpeg's of the encoder (``s16``)."""
    bit_depth: int | None
    """As written; None of codecs that have none (mp3, AAC, Opus)."""
    samples: int
    """Per channel, lost stretches (silent) included."""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What ``rewrite_sound`` did."""

    sounds: tuple[RewrittenSound, ...]
    """The audio streams that went through a filter."""
    coverage: Coverage
    """What of their sound could be decoded; lost stretches are silent, or end the stream."""
    untouched: tuple[str, ...] = ()
    """Audio streams that could not be decoded and were copied as they are, each in words."""
    left_out: tuple[str, ...] = ()
    """Streams of the source that the written format, or FFmpeg, cannot hold, each in words: telemetry and the like."""
