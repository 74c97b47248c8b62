"""Telling what a media file holds."""

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer

from avpipe.media import containers
from avpipe.media.clip import ClipFormat, Coverage, WindowPlan
from avpipe.media.errors import NoSuchStream
from avpipe.media.info import AudioStream, MediaInfo, VideoStream
from avpipe.media.pictures import display_shape
from avpipe.media.stream import stream_clips

DAMAGE_WINDOW_SEC = 10.0
"""Decoding for a damage report keeps this much sound at a time."""


def probe(path: Path, decode: bool = False) -> MediaInfo:
    """Describe a file by its headers; with ``decode`` also by decoding it all (nothing of it is kept).

    Raises:
        UnreadableMedia: missing, empty, forbidden, not media.
        NoSuchStream: neither sound nor picture in it.
        DamagedMedia: with ``decode``, where nothing could be decoded.
    """
    path = Path(path)
    with containers.open_container(path) as container:
        audio = containers.audio_streams(container)
        video = containers.video_streams(container)
        if not audio and not video:
            raise NoSuchStream(path, "has neither sound nor picture", "give a recording")
        origin = containers.origin_sec(container, audio[0] if audio else None)
        sounds = tuple(_audio_stream(stream, origin) for stream in audio)
        rotations = [_rotation_deg(container, stream) for stream in video]
        pictures = tuple(_video_stream(stream, turn, origin) for stream, turn in zip(video, rotations, strict=True))
        info = MediaInfo(
            path=path.as_posix(),
            format=container.format.name,
            duration_sec=float(container.duration * containers.MICROSECOND) if container.duration else None,
            start_sec=float((container.start_time or 0) * containers.MICROSECOND),
            audio=sounds,
            video=pictures,
            others=_others(container, len(audio), len(video)),
        )
    return replace(info, coverage=_damage(path, bool(sounds), bool(pictures))) if decode else info


def _audio_stream(stream: Any, origin: Fraction) -> AudioStream:
    return AudioStream(
        index=stream.index,
        codec=_codec_name(stream),
        sample_rate=stream.rate,
        channels=stream.channels,
        layout=stream.layout.name,
        sample_format=stream.format.name,
        start_sec=_start_sec(stream, origin),
        duration_sec=_duration_sec(stream),
        bit_rate=stream.bit_rate,
    )


def _video_stream(stream: Any, rotation_deg: int, origin: Fraction) -> VideoStream:
    height, width = display_shape(stream.width, stream.height, stream.sample_aspect_ratio, rotation_deg)
    rate = stream.average_rate or stream.guessed_rate
    return VideoStream(
        index=stream.index,
        codec=_codec_name(stream),
        width=width,
        height=height,
        rotation_deg=rotation_deg,
        average_fps=float(rate) if rate else None,
        pixel_format=stream.format.name if stream.format else "unknown",
        bit_depth=max((part.bits for part in stream.format.components), default=0) if stream.format else 0,
        start_sec=_start_sec(stream, origin),
        duration_sec=_duration_sec(stream),
        frames=stream.frames or None,
    )


def _codec_name(stream: Any) -> str:
    """The codec itself, not the library that decodes it (``av1``, not ``libdav1d``)."""
    return str(stream.codec.canonical_name)


def _start_sec(stream: Any, origin: Fraction) -> float:
    return float((stream.start_time or 0) * stream.time_base - origin)


def _duration_sec(stream: Any) -> float | None:
    return float(stream.duration * stream.time_base) if stream.duration else None


def _rotation_deg(container: InputContainer, stream: Any) -> int:
    """Rotation as the first frame carries it; PyAV does not tell that of the stream."""
    try:
        container.seek(0)
        for frame in container.decode(stream):
            return int(frame.rotation) % 360
    except av.FFmpegError:
        pass  # damage is told by the coverage; without a frame nothing is known to be turned
    return 0


def _others(container: InputContainer, sounds: int, pictures: int) -> dict[str, int]:
    """How many streams of each kind are neither sound nor moving picture."""
    kinds: Counter[str] = Counter(stream.type for stream in container.streams if stream.type not in ("audio", "video"))
    covers = sum(containers.is_cover_art(stream) for stream in container.streams.video)
    kinds["cover art"] = covers
    kinds["undecodable"] = len(container.streams.audio) + len(container.streams.video) - sounds - pictures - covers
    return {kind: count for kind, count in sorted(kinds.items()) if count}


def _damage(path: Path, audio: bool, video: bool) -> Coverage:
    # One frame a window is enough to paint: all are decoded whatever is kept of them.
    wanted = ClipFormat(audio, video, mono=True, size_px=16, stride_sec=DAMAGE_WINDOW_SEC)
    with stream_clips(path, [WindowPlan(DAMAGE_WINDOW_SEC, DAMAGE_WINDOW_SEC, wanted)]) as clips:
        for _ in clips:
            pass
        return clips.coverage
