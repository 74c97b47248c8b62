"""The audio streams of a file that are filtered: each read, filtered, encoded, and put in its place in time."""

from __future__ import annotations  # PyAV's classes are generic only for the type checker

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from avpipe.media import containers
from avpipe.media.errors import DamagedMedia, NoSuchStream
from avpipe.media.rewrite.codecs import VORBIS, EncoderForm, add_encoded, described, encoder_form
from avpipe.media.rewrite.copied import MATROSKA_FORMATS, OGG_FORMATS, kept_metadata
from avpipe.media.rewrite.encoders import LiveEncoder, PacketSource, VorbisPackets, encoder_delay, write_vorbis
from avpipe.media.rewrite.filtered import FilteredSound, StreamSoundReader
from avpipe.media.rewrite.forms import FilterFactory, RewrittenSound
from avpipe.media.rewrite.output import Output, write_errors
from avpipe.media.rewrite.timestamps import PacketClock


class Voice:
    """One audio stream that is filtered.

    Args:
        source: the file.
        template: its stream.
        reader: of the stream, closed by who opened it.
        form: how it is written.
    """

    def __init__(self, source: Path, template: AudioStream, reader: StreamSoundReader, form: EncoderForm) -> None:
        self._source = source
        self.template = template
        self._reader = reader
        self.form = form
        self.sound: FilteredSound | None = None
        self.stream: Stream
        self._packets: PacketSource
        self._clock: PacketClock

    @property
    def origin_sec(self) -> Fraction:
        """Where the file's time zero lies on its container's clock."""
        return self._reader.origin

    @property
    def reached_sec(self) -> float:
        return self._packets.reached_sec

    def open(self, stack: ExitStack, output: Output, make_filter: FilterFactory, moved_sec: Fraction) -> None:
        """Add its stream to an output, and get ready to encode; all is ``moved_sec`` earlier there."""
        start = self._reader.origin + Fraction(self._reader.start, self._reader.rate) - moved_sec
        self.sound = FilteredSound(self._source, self._reader, self._reader.start, self.template.index, make_filter)
        if not output.keeps_start:
            self.sound.delay(round(start * self._reader.rate))
            start = Fraction(0)
        if self.form.encoder == VORBIS:
            self._packets, self.stream = self._vorbis(stack, output, start)
            self._delay = 0
        else:
            with write_errors(output.path, f"its sound ({self.form.codec})"):
                self._delay = encoder_delay(self.form)
                self.stream = stream = add_encoded(output.container, self.form)
            trimmed = 0 if output.tells_delay else round(self._delay * self._reader.rate / self.form.sample_rate)
            place = round(start * self._reader.rate)
            self._packets = LiveEncoder(output.path, stream, self.sound, self.form, place, trimmed)
        self.stream.metadata.update(kept_metadata(self.template.metadata, reencoded=True))
        self.stream.disposition = self.template.disposition
        if output.format == "mpegts":
            self.stream.id = self.template.id

    def _vorbis(self, stack: ExitStack, output: Output, start: Fraction) -> tuple[PacketSource, Stream]:
        """Encode it all into a file beside the output, of which the packets are then taken."""
        with write_errors(output.path):
            handle, name = tempfile.mkstemp(".ogg", f".{os.getpid()}.part.", output.path.parent)
            os.close(handle)
        stack.callback(Path(name).unlink, missing_ok=True)
        assert self.sound is not None
        write_vorbis(Path(name), self.sound, self.form, output.path)
        container = stack.enter_context(containers.open_container(Path(name)))
        packets = VorbisPackets(container, start, self.sound.samples, output.format in OGG_FORMATS)
        return packets, output.container.add_stream_from_template(packets.stream, opaque=True)

    def set_clock(self, output: Output) -> None:
        """Take the clock that the output's header gave its stream."""
        unit = Fraction(self.stream.time_base or Fraction(1, self.form.sample_rate))
        coarse = output.format in MATROSKA_FORMATS
        delay_sec = Fraction(self._delay, self.form.sample_rate) if coarse else Fraction(0)
        self._clock = PacketClock(unit, output.may_repeat_times, delay_sec)

    def packets_until(self, sec: float) -> Iterator[Packet[Stream]]:
        for packet in self._packets.packets_until(sec):
            packet.stream = self.stream
            self._clock.set(packet)
            yield packet

    def result(self) -> RewrittenSound:
        assert self.sound is not None
        return RewrittenSound(
            index=self.template.index,
            codec=self.template.codec.canonical_name,
            codec_written=self.form.codec,
            sample_rate=self._reader.rate,
            channels=self._reader.channels,
            sample_format=self.form.sample_format,
            bit_depth=self.form.bit_depth,
            samples=self.sound.samples,
        )


@dataclass(frozen=True, slots=True)
class Voices:
    """The audio streams of a file."""

    filtered: tuple[Voice, ...]
    broken: frozenset[int]
    """Indices of those of which nothing could be decoded."""


def find_voices(
    stack: ExitStack, source: Path, container: InputContainer, format: str, audio_codec: str | None
) -> Voices:
    """Open every audio stream of a file, and decide how each is written.

    Raises:
        NoSuchStream: none.
        DamagedMedia: none that can be decoded.
        UnwritableMedia, ArgumentError: see ``encoder_form``.
    """
    usable = containers.audio_streams(container)
    if not usable:
        raise NoSuchStream(source, "has no sound that can be decoded", "give a file with an audio stream")
    filtered, broken, first_damage = [], set(), None
    for stream in usable:
        try:
            reader = StreamSoundReader(source, stream.index)
        except DamagedMedia as error:
            first_damage = first_damage or error
            broken.add(stream.index)
            continue
        stack.enter_context(closing(reader))
        sound = described(stream, reader.rate, reader.channels, reader.layout)
        filtered.append(Voice(source, stream, reader, encoder_form(source, sound, format, audio_codec)))
    if not filtered and first_damage is not None:
        raise first_damage
    return Voices(tuple(filtered), frozenset(broken))
