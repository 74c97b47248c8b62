"""The streams that are copied: their places in the output, and their packets."""

from __future__ import annotations  # PyAV's classes are generic only for the type checker

import base64
from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
from av.codec import CodecContext
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Discard, Stream
from av.video.stream import VideoStream

from avpipe.media import containers
from avpipe.media.errors import UnwritableMedia
from avpipe.media.rewrite.output import is_admitted

MATROSKA_FORMATS = ("matroska", "webm")
COVER_STREAM_FORMATS = frozenset(("mp3", "flac", "mp4", "mov", "ipod", "aiff"))
"""Formats that hold a cover as a stream of one packet."""
OGG_FORMATS = ("ogg", "oga", "opus", "ogv", "spx")

IMAGE_TYPES = {"mjpeg": "image/jpeg", "png": "image/png", "gif": "image/gif", "bmp": "image/bmp", "webp": "image/webp"}
"""MIME type by codec of a cover."""

LOOK_AHEAD = 64
"""Packets without decoding time that are held until one of their stream has one."""


def in_words(stream: Stream) -> str:
    """A stream as messages name it."""
    return f"{stream.type} stream {stream.index} ({_codec_name(stream)})"


def _codec_name(stream: Stream) -> str:
    context = codec_context(stream)
    return str(context.codec.canonical_name if context is not None else stream.name or "unknown codec")


def codec_context(stream: Stream) -> CodecContext | None:
    """A stream's codec; None of attachments, most data, and what this FFmpeg cannot decode."""
    return stream.codec_context


def is_written_anew(stream: Stream) -> bool:
    """Whether a stream of data is made by MP4's writer from what else is copied: chapters' titles, the time code."""
    if stream.type != "data":
        return False
    code = stream.metadata.get("timecode")
    coded = code is not None and any(video.metadata.get("timecode") == code for video in stream.container.streams.video)
    return coded or stream.discard == Discard.all


def is_empty_caption(packet: Packet[Stream]) -> bool:
    """Whether a packet is MP4's way of showing no caption."""
    return packet.size == 2 and _codec_name(packet.stream) == "mov_text" and bytes(packet) == b"\0\0"


def add_copy(container: OutputContainer, template: Stream, tag: str | None) -> Stream:
    """Add a stream whose packets are copied."""
    stream = container.add_stream_from_template(template, opaque=True)
    context = codec_context(stream)
    if tag is not None and context is not None:
        context.codec_tag = tag
    stream.disposition = template.disposition
    stream.metadata.update(kept_metadata(template.metadata))
    if container.format.name == "mpegts":
        stream.id = template.id
    return stream


def copy_stream(source: Path, template: Stream, container: OutputContainer) -> Stream | None:
    """Add the place of a copied stream to an output; None where its format cannot hold data of this kind.

    Raises:
        UnwritableMedia: it cannot hold this picture, subtitle or sound.
    """
    format = container.format.name
    if template.type == "attachment" and format != "matroska":
        return None
    for tag in dict.fromkeys((_tag(template, format), None)):
        if is_admitted(format, partial(add_copy, template=template, tag=tag)):
            return add_copy(container, template, tag)
    if template.type in ("data", "unknown") or codec_context(template) is None:
        return None
    reason = f"its {in_words(template)} cannot be put into {format}"
    raise UnwritableMedia(source, reason, f"keep the suffix {source.suffix}")


def _tag(template: Stream, format: str) -> str | None:
    """The name that the source's format gives a codec (``hvc1``), where the output is of its kind."""
    context = codec_context(template)
    if context is None or format not in template.container.format.name.replace("mov", "mov,ipod").split(","):
        return None
    try:
        return str(context.codec_tag)
    except (UnicodeDecodeError, ValueError):
        return None


NOT_KEPT = frozenset(("duration", "encoder", "major_brand", "minor_version", "compatible_brands"))
"""Names that the writer gives anew, in lower case."""


def kept_metadata(metadata: dict[str, str], reencoded: bool = False) -> dict[str, str]:
    """Titles, languages and the like; without what is true of the old file only."""
    statistics = ("bps", "number_of_", "_statistics_", "duration")
    titled = "title" in metadata
    return {
        # MP4's readers call a track's title its name; the writer takes only "title".
        "title" if name == "name" and not titled else name: text
        for name, text in metadata.items()
        if name.lower() not in NOT_KEPT and not (reencoded and name.lower().startswith(statistics))
    }


def embed_cover(container: OutputContainer, sound: Stream, cover: VideoStream, data: bytes) -> bool:
    """Add an attached picture where the format keeps it otherwise than as a stream; False where it does not."""
    mime = cover.metadata.get("mimetype") or IMAGE_TYPES.get(_codec_name(cover), "image/jpeg")
    if container.format.name == "matroska":
        name = cover.metadata.get("filename") or f"cover.{mime.rpartition('/')[2].replace('jpeg', 'jpg')}"
        container.add_attachment(name, mime, data)
        return True
    if container.format.name in OGG_FORMATS:
        sound.metadata["METADATA_BLOCK_PICTURE"] = base64.b64encode(_flac_picture(cover, mime, data)).decode("ascii")
        return True
    return False


PICTURE_KINDS = ("Other", "32x32 pixels 'file icon'", "Other file icon", "Cover (front)", "Cover (back)")


def _flac_picture(cover: VideoStream, mime: str, data: bytes) -> bytes:
    """A picture as FLAC and Ogg hold it: kind, type, title, size, depth, colours, bytes."""
    kind = cover.metadata.get("comment", "")
    number = PICTURE_KINDS.index(kind) if kind in PICTURE_KINDS else 3
    title = cover.metadata.get("title", "").encode()
    parts: list[int | bytes] = [number, mime.encode(), title, cover.width or 0, cover.height or 0, 24, 0, data]
    return b"".join(
        part.to_bytes(4, "big") if isinstance(part, int) else len(part).to_bytes(4, "big") + part for part in parts
    )


def cover_bytes(source: Path, index: int) -> bytes:
    """The picture of a cover's stream; empty where it cannot be read."""
    with containers.open_container(source) as container:
        try:
            packet = next(container.demux(container.streams[index]), None)
        except av.FFmpegError:
            return b""
        return bytes(packet) if packet is not None else b""


def copied_packets(container: InputContainer, streams: list[Stream]) -> Iterator[Packet[Stream]]:
    """The packets of some streams, in the order of the file; leading ones without decoding time get one."""
    if not streams:
        return
    for stream in container.streams:
        if stream not in streams:
            stream.discard = Discard.all
    held: dict[int, list[Packet[Stream]]] = defaultdict(list)
    settled: set[int] = set()
    try:
        for packet in container.demux(streams):
            if packet.size == 0 and packet.dts is None and packet.pts is None:
                continue  # PyAV's own last ones, to flush decoders
            index = packet.stream_index
            waiting = held[index]
            waiting.append(packet)
            if index in settled or packet.dts is not None or len(waiting) > LOOK_AHEAD:
                settled.add(index)
                _give_decoding_times(waiting)
                yield from waiting
                waiting.clear()
    except containers.BREAKS_OFF:
        pass  # the sound's coverage tells
    for waiting in held.values():
        _give_decoding_times(waiting)
        yield from waiting


def _give_decoding_times(packets: list[Packet[Stream]]) -> None:
    """Count back from the first packet that has a decoding time."""
    last = packets[-1] if packets else None
    if last is None or last.dts is None or len(packets) == 1:
        return
    step = max(1, min((packet.duration or 1) for packet in packets))
    for back, packet in enumerate(reversed(packets[:-1]), 1):
        packet.dts = last.dts - back * step


def time_of(packet: Packet[Stream], otherwise: float) -> float:
    """When a packet is due, in seconds."""
    ticks = packet.dts if packet.dts is not None else packet.pts
    return otherwise if ticks is None or not packet.time_base else float(ticks * Fraction(packet.time_base))
