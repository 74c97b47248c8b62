"""Rewriting whatever FFmpeg reads: sounds decoded, filtered and encoded, everything else copied packet by packet."""

from __future__ import annotations  # PyAV's classes are generic only for the type checker

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from math import lcm
from pathlib import Path

from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from avpipe.media import containers
from avpipe.media.damage import coverage_between
from avpipe.media.errors import UnwritableMedia
from avpipe.media.rewrite.copied import (
    COVER_STREAM_FORMATS,
    add_copy,
    copied_packets,
    copy_stream,
    cover_bytes,
    embed_cover,
    in_words,
    is_empty_caption,
    is_written_anew,
    kept_metadata,
    time_of,
)
from avpipe.media.rewrite.forms import FilterFactory, Rewritten
from avpipe.media.rewrite.output import Output, format_name
from avpipe.media.rewrite.timestamps import PacketClock
from avpipe.media.rewrite.voices import Voices, find_voices

LEAD_SEC = 0.5
"""Sound is written this much ahead of the packets that are copied, so that the writer never waits for it."""

MOV_FORMATS = frozenset(("mov", "mp4", "ipod", "3gp", "3g2", "psp", "f4v"))

MPEG_FORMATS = frozenset(("mpegts", "mpeg", "vob", "svcd", "dvd", "vcd"))
"""Formats whose clock begins anywhere."""

FINEST_TIMESCALE = (1 << 31) - 1


def rewrite_container(
    source: Path, destination: Path, make_filter: FilterFactory, audio_codec: str | None
) -> Rewritten:
    """Filter the sounds of a file, and copy everything else.

    Raises: see ``rewrite_sound``.
    """
    format = format_name(destination)
    with ExitStack() as stack:
        container = stack.enter_context(containers.open_container(source))
        voices = find_voices(stack, source, container, format, audio_codec)
        options = writer_options(format, destination, container, voices)
        # The writer named ipod knows no covers, and writes nothing else that the one for mp4 does not.
        output = stack.enter_context(Output(destination, "mp4" if format == "ipod" else format, options))
        rewriting = Rewriting(source, container, voices, output)
        rewriting.add_streams(stack, make_filter)
        rewriting.run()
        sounds = [voice.sound for voice in voices.filtered if voice.sound is not None]
        return Rewritten(
            sounds=tuple(voice.result() for voice in voices.filtered),
            coverage=coverage_between(sounds, 0.0, float("inf")),
            untouched=tuple(in_words(container.streams[index]) for index in sorted(voices.broken)),
            left_out=tuple(rewriting.left_out),
        )


def writer_options(format: str, destination: Path, container: InputContainer, voices: Voices) -> dict[str, str]:
    """FFmpeg's options for a writer to keep times and names as they are."""
    options: dict[str, str] = {}
    if format in MOV_FORMATS:
        # Starts and ends are stored in this unit; its default, a millisecond, would move sounds by some samples.
        units = [Fraction(stream.time_base or 1).denominator for stream in container.streams]
        fine = lcm(1000, *units, *(voice.form.sample_rate for voice in voices.filtered))
        rates = lcm(*(voice.form.sample_rate for voice in voices.filtered))
        options["movie_timescale"] = str(fine if fine <= FINEST_TIMESCALE else min(rates, FINEST_TIMESCALE))
        if any(name.startswith("com.") for name in container.metadata):
            options["movflags"] = "use_metadata_tags"
        if format == "ipod":
            options["brand"] = f"{destination.suffix[1:].upper():4}"
    elif format == "matroska":
        options["default_mode"] = "passthrough"
    elif format in ("ogg", "oga"):
        # Of Vorbis in a single page (by default a second) FFmpeg misplaces the start.
        options["page_duration"] = "100000"
    elif format == "wav":
        options["rf64"] = "auto"
    elif format == "mpegts":
        options["mpegts_copyts"] = "1"
    return options


class Rewriting:
    """One file on its way into another."""

    def __init__(self, source: Path, container: InputContainer, voices: Voices, output: Output) -> None:
        self._source = source
        self._container = container
        self._voices = voices
        self._output = output
        self._covers = {stream.index: stream for stream in container.streams.video if containers.is_cover_art(stream)}
        self._moved_sec = self._find_move()
        self._copies: dict[int, Stream] = {}
        self.left_out: list[str] = []

    def add_streams(self, stack: ExitStack, make_filter: FilterFactory) -> None:
        """Give every stream its place in the output, in the order of the source."""
        by_index = {voice.template.index: voice for voice in self._voices.filtered}
        for stream in self._container.streams:
            if (voice := by_index.get(stream.index)) is not None:
                voice.open(stack, self._output, make_filter, self._moved_sec)
            elif stream.index not in self._covers and not is_written_anew(stream):
                self._copy(stream)
        for cover in self._covers.values():
            self._copy_cover(cover)
        self._copy_metadata()

    def _find_move(self) -> Fraction:
        """How much earlier everything is written, in seconds: a clock without origin is left behind with its format."""
        timed = [one for one in self._container.streams if one.index not in self._covers]
        alone = len(timed) == 1 and not set(self._container.format.name.split(",")) & {"matroska", "mov"}
        adrift = bool(self._container.format.flags & containers.CLOCK_WITHOUT_ORIGIN)
        moves = alone or (adrift and self._output.format not in MPEG_FORMATS) or not self._output.keeps_start
        return self._voices.filtered[0].origin_sec if moves else Fraction(0)

    def _copy_cover(self, cover: VideoStream) -> None:
        target, data = self._output.container, cover_bytes(self._source, cover.index)
        # A picture that FFmpeg cannot make out has no size, and writers of streams refuse it.
        if self._output.format in COVER_STREAM_FORMATS and cover.width:
            self._copies[cover.index] = add_copy(target, cover, None)
        elif not embed_cover(target, self._voices.filtered[0].stream, cover, data):
            self.left_out.append(in_words(cover))

    def _copy(self, stream: Stream) -> None:
        copy = copy_stream(self._source, stream, self._output.container)
        if copy is not None:
            self._copies[stream.index] = copy
        elif stream.type in ("audio", "video"):
            reason = f"its {in_words(stream)} can neither be decoded nor copied"
            raise UnwritableMedia(self._source, reason, "take that stream out first")
        else:
            self.left_out.append(in_words(stream))

    def _copy_metadata(self) -> None:
        target = self._output.container
        target.metadata.update(kept_metadata(self._container.metadata))
        if self._container.format.name == "ogg":  # which has its titles with its streams
            for voice in self._voices.filtered[:1]:
                target.metadata.update(kept_metadata(voice.template.metadata))
        target.set_chapters(self._container.chapters())

    def run(self) -> None:
        """Write all packets, each sound a little ahead of what is copied."""
        self._output.start()
        for voice in self._voices.filtered:
            voice.set_clock(self._output)
        for packet in self._packets():
            self._output.mux(packet)

    def _packets(self) -> Iterator[Packet[Stream]]:
        repeat, moved_sec = self._output.may_repeat_times, self._moved_sec
        clocks = {
            index: PacketClock(Fraction(copy.time_base or 1), repeat, moved_sec=moved_sec)
            for index, copy in self._copies.items()
        }
        timed = [self._container.streams[index] for index in self._copies]
        due_sec = float("-inf")
        for packet in copied_packets(self._container, [one for one in timed if one.type != "attachment"]):
            containers.refuse_encrypted(self._source, packet)
            if self._output.format in MOV_FORMATS and is_empty_caption(packet):
                continue  # the writer fills the time between captions itself
            due_sec = time_of(packet, due_sec)
            yield from self._sound_until(due_sec - float(moved_sec) + LEAD_SEC)
            index = packet.stream_index
            packet.stream = self._copies[index]
            clocks[index].set(packet)
            yield packet
        yield from self._sound_until(float("inf"))

    def _sound_until(self, sec: float) -> Iterator[Packet[Stream]]:
        """Packets of all sounds up to a time; always of the one that is furthest behind."""
        while True:
            behind = min(self._voices.filtered, key=lambda voice: voice.reached_sec)
            if behind.reached_sec >= sec:
                return
            yield from behind.packets_until(min(sec, behind.reached_sec + LEAD_SEC))
