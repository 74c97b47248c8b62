"""From filtered sound to packets of an output stream, a stretch of time at a go."""

from __future__ import annotations  # PyAV's classes are generic only for the type checker

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Protocol, cast

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.codec import CodecContext
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from avpipe.media.rewrite.codecs import EncoderForm
from avpipe.media.rewrite.filtered import FilteredSound
from avpipe.media.rewrite.output import write_errors
from avpipe.media.rewrite.recording import stored_steps, written_sound
from avpipe.media.samples import Waveform

LOUDEST = 16.0
"""Amplitude that an encoder with loss is given at most: what a damaged file decodes to has no bound, and FFmpeg's AAC
looks forever for a step that suits millions."""

INTEGERS = {"u8": np.uint8, "s16": np.int16, "s32": np.int32}


class PacketSource(Protocol):
    """Packets of one sound, in order."""

    reached_sec: float
    """Packets up to this time have been given; infinite when all have."""

    def packets_until(self, sec: float) -> Iterator[Packet[Stream]]:
        """The following packets, up to about a time."""


class FrameMaker:
    """Makes FFmpeg's frames of float samples, rounded to the depth that is to be written."""

    def __init__(self, form: EncoderForm, sample_rate: int) -> None:
        self._layout = form.layout
        self._keeps_all = form.encoder.startswith("pcm_")
        self._rate = sample_rate
        format = av.AudioFormat(form.sample_format)
        self._format = format.planar.name
        self._integer = INTEGERS.get(format.packed.name)
        self._bits = format.bits
        self._steps_bits = min(form.bit_depth or format.bits, format.bits) if form.bit_depth != 8 else format.bits
        self._unit = Fraction(1, sample_rate)

    def frame(self, waveform: Waveform, pts: int) -> AudioFrame:
        """A frame whose first sample has an index on the output's clock."""
        if self._integer is None:
            # Doubles too: PyAV converts.
            bounded = waveform if self._keeps_all else waveform.clip(-LOUDEST, LOUDEST)
            samples: np.ndarray = np.ascontiguousarray(bounded, dtype=np.float32)
            name = "fltp"
        else:
            steps = stored_steps(waveform, self._steps_bits) >> (32 - self._bits)
            samples = np.ascontiguousarray(steps + (128 if self._bits == 8 else 0), dtype=self._integer)
            name = self._format
        frame = AudioFrame.from_ndarray(samples, format=name, layout=self._layout)
        frame.sample_rate = self._rate
        frame.pts, frame.time_base = pts, self._unit
        return frame


class LiveEncoder:
    """Encodes with FFmpeg.

    Args:
        path: of the output, to name in errors.
        stream: of the output.
        sound: what to encode.
        form: as which.
        start: index of its first sample on the output's clock, in samples of the sound.
        trimmed: so many first samples are left out, and the rest starts at the same time: for formats that cannot
            tell a player to throw away what an encoder puts first. They are what the encoder puts first, then.
    """

    def __init__(
        self, path: Path, stream: AudioStream, sound: FilteredSound, form: EncoderForm, start: int, trimmed: int
    ) -> None:
        self._path = path
        self._stream = stream
        self._sound = sound
        self._maker = FrameMaker(form, sound.form.sample_rate)
        self._rate = sound.form.sample_rate
        self._position = start + trimmed
        self._first = self._position
        self._to_trim = trimmed
        self.reached_sec = start / self._rate

    def packets_until(self, sec: float) -> Iterator[Packet[Stream]]:
        while self.reached_sec < sec:
            block = self._sound.next_block()
            if block is None:
                yield from self._last_packets()
                self.reached_sec = float("inf")
                return
            kept = block[:, self._to_trim :]
            self._to_trim -= block.shape[1] - kept.shape[1]
            if kept.shape[1]:
                yield from self._encoded(kept)

    def _encoded(self, waveform: Waveform) -> Iterator[Packet[Stream]]:
        frame = self._maker.frame(waveform, self._position)
        self._position += waveform.shape[1]
        self.reached_sec = self._position / self._rate
        with write_errors(self._path):
            packets = self._stream.encode(frame)
        yield from packets

    def _last_packets(self) -> Iterator[Packet[Stream]]:
        if self._position == self._first:  # all of it was trimmed
            yield from self._encoded(np.zeros((self._sound.form.channels, 1), np.float32))
        with write_errors(self._path):
            packets = self._stream.encode(None)
        yield from packets


TRUE_DELAYS = {"libopencore_amrnb": 40}
"""Samples by encoder of which FFmpeg has it wrong: AMR looks 5 ms ahead."""


def encoder_delay(form: EncoderForm) -> int:
    """How many samples an encoder puts before the first that it is given."""
    if form.encoder in TRUE_DELAYS:
        return TRUE_DELAYS[form.encoder]
    context = CodecContext.create(form.encoder, "w")
    assert isinstance(context, AudioCodecContext)
    context.sample_rate, context.layout, context.format = form.sample_rate, form.layout, form.sample_format
    if form.bit_rate is not None:
        context.bit_rate = form.bit_rate
    silence = np.zeros((context.channels, 8192), np.float32)
    packets = [*context.encode(FrameMaker(form, form.sample_rate).frame(silence, 0)), *context.encode(None)]
    return max(0, -(packets[0].pts or 0))


VORBIS_ORDER = {
    3: [0, 2, 1],
    5: [0, 2, 1, 3, 4],
    6: [0, 2, 1, 4, 5, 3],
    7: [0, 2, 1, 5, 6, 4, 3],
    8: [0, 2, 1, 6, 7, 4, 5, 3],
}
"""Vorbis' own order of FFmpeg's channels."""

VORBIS_BIT_RATES = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 250)
"""Of libvorbis' qualities 0, 0.1, ... 1, in kbit/s and channel at 44.1 kHz."""


VORBIS_SAMPLES = 4096
"""Handed over at a time: libvorbis takes its work space from the stack, and much at once overflows it."""


def vorbis_quality(form: EncoderForm, channels: int) -> float:
    """Libvorbis' quality of about a bit rate, 0 to 1."""
    wanted = (form.bit_rate or 0) / 1000 / channels * max(1.0, 44_100 / form.sample_rate)
    return float(np.interp(wanted, VORBIS_BIT_RATES, np.linspace(0, 1, len(VORBIS_BIT_RATES))))


def write_vorbis(path: Path, sound: FilteredSound, form: EncoderForm, named: Path) -> None:
    """Write the whole sound to an Ogg file; ``named`` is the file to name in errors."""
    channels = sound.form.channels
    order = VORBIS_ORDER.get(channels, list(range(channels)))
    rate, quality = sound.form.sample_rate, vorbis_quality(form, channels)
    with written_sound(path, named, rate, channels, "VORBIS", "OGG", quality) as file:
        while (block := sound.next_block()) is not None:
            for first in range(0, block.shape[1], VORBIS_SAMPLES):
                with write_errors(named):
                    file.write(block[order, first : first + VORBIS_SAMPLES].T)


class VorbisPackets:
    """Packets of a Vorbis file that ``write_vorbis`` wrote, moved to their place in time.

    Args:
        container: the file, opened.
        start: of its first sample on the output's clock, in seconds.
        samples: that were written to it.
        in_ogg: whether the output is Ogg. Elsewhere the first packet, of which no sound comes, is not to lie before
            the start: a writer that knows no negative times would move everything.
    """

    def __init__(self, container: InputContainer, start: Fraction, samples: int, in_ogg: bool) -> None:
        self.stream = container.streams.audio[0]
        self._unit = Fraction(self.stream.time_base or 1)
        self._start = round(start / self._unit)
        self._samples = samples
        self._in_ogg = in_ogg
        self._packets = container.demux(self.stream)
        self._shift: int | None = None
        self.reached_sec = float(start)

    def packets_until(self, sec: float) -> Iterator[Packet[Stream]]:
        while self.reached_sec < sec:
            packet = next(self._packets, None)
            if packet is None or (packet.pts is None and packet.size == 0):
                self.reached_sec = float("inf")
                return
            pts, duration = packet.pts or 0, packet.duration or 0
            if self._shift is None:
                # Sound begins with the second packet; of a file of one page FFmpeg does not know that.
                self._shift = -(pts + duration)
            pts += self._shift
            packet.duration = max(0, min(duration, self._samples - pts))
            packet.pts = (pts if self._in_ogg else max(pts, 0)) + self._start
            packet.dts = packet.pts
            self.reached_sec = float(packet.pts * self._unit)
            yield cast("Packet[Stream]", packet)
