"""What a media file holds, without decoding it whole."""

from dataclasses import dataclass

from avpipe.media.clip import Coverage


@dataclass(frozen=True, slots=True)
class AudioStream:
    """One sound of a file."""

    index: int
    codec: str
    sample_rate: int
    """Hz."""
    channels: int
    layout: str
    sample_format: str
    start_sec: float
    duration_sec: float | None
    bit_rate: int | None
    """Bits per second."""


@dataclass(frozen=True, slots=True)
class VideoStream:
    """One moving picture of a file."""

    index: int
    codec: str
    width: int
    """Of the upright picture with square pixels."""
    height: int
    rotation_deg: int
    """Turn that makes the stored picture upright, counter-clockwise: 0, 90, 180 or 270."""
    average_fps: float | None
    pixel_format: str
    bit_depth: int
    start_sec: float
    duration_sec: float | None
    frames: int | None
    """As the header counts them; None where it does not."""


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a media file holds."""

    path: str
    format: str
    duration_sec: float | None
    start_sec: float
    """First timestamp on the container's clock."""
    audio: tuple[AudioStream, ...]
    video: tuple[VideoStream, ...]
    others: dict[str, int]
    """Number of streams by kind: subtitle, data, attachment, cover art, undecodable."""
    coverage: Coverage | None = None
    """The damage report, where all was decoded."""

    @property
    def end_sec(self) -> float | None:
        """Where the longest stream ends on the file's timeline; None where the header does not tell."""
        streams: tuple[AudioStream | VideoStream, ...] = (*self.audio, *self.video)
        ends = [stream.start_sec + stream.duration_sec for stream in streams if stream.duration_sec is not None]
        return max(ends, default=self.duration_sec)
