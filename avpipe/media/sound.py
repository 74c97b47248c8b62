"""Readers of sound: one contiguous run of samples from a place in a file to its end.

soundfile reads what is stored without loss (wav, flac, aiff and their like), FFmpeg everything else: for coded sound it
is the faster of the two, and it reads Ogg files that libsndfile calls malformed. Where soundfile gives up in the middle
of a file, FFmpeg takes over at that sample: of lossless formats both decode the same numbers, so the file's windows are
those of FFmpeg alone.
"""

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Protocol

import av
import numpy as np
import soundfile
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from avpipe.media import containers
from avpipe.media.damage import END_SLACK_SEC, Span
from avpipe.media.errors import DamagedMedia, MediaError, NoSuchStream
from avpipe.media.samples import Waveform, conformed, finite_samples, float_samples
from avpipe.media.set_back import is_set_back
from avpipe.media.truncation import wav_header_samples

PREROLL_SEC = 0.5
"""Decoded and thrown away before a place in coded sound: covers Opus (80 ms), AAC, and the mp3 bit reservoir."""

JITTER_SEC = 0.015
"""A timestamp this near to where the samples before it end is rounding or a careless writer (Ogg files that leap 10 ms
between pages and lack nothing are common), not a hole: a lost packet of the usual codecs leaves 20 ms and more."""

LONGEST_RUN_SEC = 5.0
"""Decoded sound is converted at most this much at a time."""

LOSSLESS_MAGIC = (b"RIFF", b"RIFX", b"RF64", b"riff", b"FORM", b"fLaC", b".snd", b"caff")


FIXED_SIZE_SUBTYPES = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")
"""Forms in which every sample takes the same number of bytes."""


class SoundReader(Protocol):
    """A run of samples; ``gaps`` fills as they are read."""

    rate: int
    channels: int
    decoder: str
    promised_sec: float | None
    slack_sec: float
    gaps: list[Span]

    def next_block(self, wanted: int) -> Waveform | None:
        """The next samples (about ``wanted`` of them, at least one), or None at the end."""

    def close(self) -> None: ...


def open_sound(path: Path, start_sec: float = 0.0) -> SoundReader:
    """Open the sound of a file, to be read from sample round(start_sec * rate).

    Raises:
        UnreadableMedia: not media.
        NoSuchStream: no sound in it.
        DamagedMedia: nothing could be decoded.
    """
    if containers.readable_head(path)[:4] in LOSSLESS_MAGIC:
        try:
            return LosslessSoundReader(path, start_sec)
        except (soundfile.SoundFileError, TypeError, ValueError):
            pass  # a codec inside the wav or caf that libsndfile does not know, or damage at the start
    return AvSoundReader(path, start_sec)


class LosslessSoundReader:
    """Reads with soundfile, and goes on with FFmpeg where that fails."""

    slack_sec = END_SLACK_SEC

    def __init__(self, path: Path, start_sec: float) -> None:
        self._path = path
        self._file = soundfile.SoundFile(path)
        self._successor: AvSoundReader | None = None
        self.rate: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.decoder = "soundfile"
        self.gaps: list[Span] = []
        try:
            self.promised_sec = self._promised_samples() / self.rate
            self._position = round(start_sec * self.rate)
            self._may_hold_nan = self._file.subtype in ("FLOAT", "DOUBLE")
            self._file.seek(min(self._position, self._file.frames))
        except BaseException:
            self._file.close()
            raise

    def _promised_samples(self) -> int:
        """Samples that the header promises. Of a wav libsndfile tells only those that are there."""
        there = int(self._file.frames)
        if self._file.format in ("WAV", "WAVEX", "RF64") and self._file.subtype in FIXED_SIZE_SUBTYPES:
            return max(there, wav_header_samples(self._path))
        return there

    def next_block(self, wanted: int) -> Waveform | None:
        if self._successor is not None:
            return self._successor.next_block(wanted)
        try:
            block = self._file.read(wanted, dtype="float32", always_2d=True).T
        except soundfile.SoundFileError:
            return self._go_on_with_ffmpeg(wanted)
        if block.shape[1]:
            return self._checked(block)
        if self._position / self.rate + END_SLACK_SEC < self.promised_sec:
            return self._go_on_with_ffmpeg(wanted)
        return None

    def _checked(self, block: Waveform) -> Waveform:
        if self._may_hold_nan:
            block, bad = finite_samples(block)
            self.gaps += [((self._position + a) / self.rate, (self._position + b) / self.rate) for a, b in bad]
        self._position += block.shape[1]
        return block

    def _go_on_with_ffmpeg(self, wanted: int) -> Waveform | None:
        """Let FFmpeg read on from the sample where soundfile stopped; None where it cannot either."""
        self.decoder = AvSoundReader.decoder
        try:
            self._successor = AvSoundReader(self._path, self._position / self.rate)
        except MediaError:
            return None
        self._successor.gaps = self.gaps  # one account for both
        return self._successor.next_block(wanted)

    def close(self) -> None:
        self._file.close()
        if self._successor is not None:
            self._successor.close()


class AvSoundReader:
    """Reads FFmpeg's best audio stream; positions come from timestamps, holes are filled with silence."""

    decoder = "av"

    def __init__(self, path: Path, start_sec: float = 0.0) -> None:
        self._path = path
        self.gaps: list[Span] = []
        self._open_container()
        try:
            self._open_at(start_sec)
        except BaseException:
            self._container.close()
            raise

    def _open_container(self) -> None:
        self._container = containers.open_container(self._path)
        try:
            self._stream = stream = self._chosen_stream()
            stream.codec_context.thread_type = "NONE"  # handing tiny frames to threads costs more than decoding them
            # Without this FFmpeg passes on FLAC frames whose checksum is wrong, as noise.
            stream.codec_context.options = {"err_detect": "crccheck+explode"} if stream.codec.name == "flac" else {}
            self._time_base = Fraction(stream.time_base or 1)
            self._origin = containers.origin_sec(self._container, stream)
            self.promised_sec = containers.promised_end_sec(self._container, stream, self._origin)
            self._batches = self._decoded_batches()
        except BaseException:
            self._container.close()
            raise

    def _chosen_stream(self) -> AudioStream:
        stream = containers.best_audio(self._container)
        if stream is None:
            raise NoSuchStream(self._path, "has no sound that can be decoded", "give a file with an audio stream")
        return stream

    def _open_at(self, start_sec: float) -> None:
        first, from_start = None, start_sec <= PREROLL_SEC or is_set_back(self._path, self._container)
        if not from_start:
            try:
                self._seek(start_sec - PREROLL_SEC)
                first = self._first_frame()
                # Of some files the index is wrong, and the seek lands too late.
                from_start = first is not None and self._seconds(first) > start_sec
            except av.FFmpegError:  # a format without an index
                from_start = True
            if from_start:
                self._container.close()
                self._open_container()
        if from_start:
            first = self._first_frame()
            if first is None:
                raise DamagedMedia(self._path, "none of its sound could be decoded", "copy it again from its source")
        self._set_form(first, start_sec)

    def _set_form(self, first: AudioFrame | None, start_sec: float) -> None:
        """Take rate and channels from the first frame: headers know less than decoders (HE-AAC)."""
        self.rate: int = first.sample_rate if first else self._stream.rate
        self.channels: int = first.layout.nb_channels if first else self._stream.channels
        self.slack_sec = max(END_SLACK_SEC, 1.5 * first.samples / self.rate) if first else END_SLACK_SEC
        self._jitter = JITTER_SEC * self.rate + 2 * float(self._time_base) * self.rate
        self._last_place = min(self.promised_sec or float("inf"), containers.latest_sec(self._path)) * self.rate
        self._start = round(start_sec * self.rate)
        unit, origin = self._time_base * self.rate, self._origin * self.rate
        self._clock = (
            unit.numerator * origin.denominator,
            origin.numerator * unit.denominator,
            (unit.denominator * origin.denominator),
        )
        self._ticks_per_sample = unit.denominator if unit.numerator == 1 else 0
        """Of the container's clock; 0 where that is too coarse, and each timestamp has to be looked at."""
        self._wanted = 1
        self._blocks = self._placed_blocks()

    def _seek(self, sec: float) -> None:
        self._container.seek(int((Fraction(sec) + self._origin) / self._time_base), stream=self._stream)
        self._batches = self._decoded_batches()

    def _seconds(self, frame: AudioFrame) -> float:
        return float((frame.pts or 0) * self._time_base - self._origin)

    def next_block(self, wanted: int) -> Waveform | None:
        self._wanted = min(wanted, round(LONGEST_RUN_SEC * self.rate))
        return next(self._blocks, None)

    def _decoded_batches(self) -> Iterator[list[AudioFrame]]:
        """The frames of each packet that decodes; one that does not leaves a hole in the timestamps."""
        try:
            for packet in self._container.demux(self._stream):
                containers.refuse_encrypted(self._path, packet)
                try:
                    batch = packet.decode()
                except av.FFmpegError:
                    continue
                yield batch
        except containers.BREAKS_OFF:
            return

    def _first_frame(self) -> AudioFrame | None:
        """Decode until there is a frame; None where there is none any more."""
        self._ahead = next((batch for batch in self._batches if batch), [])
        return self._ahead[0] if self._ahead else None

    def _placed_blocks(self) -> Iterator[Waveform]:
        """Contiguous blocks from the start asked for, silence where the file holds none."""
        position = None
        for place, run in self._runs():
            block = float_samples(run)
            if run.sample_rate != self.rate or block.shape[0] != self.channels:
                block = conformed(block, run.sample_rate, self.channels, self.rate)
            if run.format.packed.name in ("flt", "dbl"):
                block, bad = finite_samples(block)
                self.gaps += [((place + a) / self.rate, (place + b) / self.rate) for a, b in bad]
            yield from self._silence(self._start if position is None else max(position, self._start), place)
            position = place + block.shape[1]
            if position > self._start:
                yield block[:, max(0, self._start - place) :]

    def _runs(self) -> Iterator[tuple[int, AudioFrame]]:
        """(index of the first sample, one frame of all) for each run of frames that follow on one another.

        Frames hold some 20 ms; joined by FFmpeg and converted once a run, they cost a third of converting each.
        """
        own_rate, ticks = self.rate, self._ticks_per_sample
        fifo, channels, place, full = AudioFifo(), 0, 0, 0
        expected: int | None = None
        next_pts: int | None = None
        for frame in chain.from_iterable(chain((self._ahead,), self._batches)):
            pts, samples, rate, its_channels = frame.pts, frame.samples, frame.sample_rate, frame.layout.nb_channels
            here = expected if pts == next_pts and expected is not None else self._place_of(pts, expected)
            frame.pts = None  # the queue would insist on timestamps without jitter
            # The queue refuses another rate or sample format, but not other channels.
            follows = here == expected and here < full and its_channels == channels
            if follows:
                try:
                    fifo.write(frame)
                except ValueError:
                    follows = False
            if not follows:
                if (run := fifo.read()) is not None:
                    yield place, run
                fifo, channels, place = AudioFifo(), its_channels, here
                full = max(here, self._start) + self._wanted
                fifo.write(frame)
            expected = here + (samples if rate == own_rate else round(samples * own_rate / rate))
            next_pts = pts + samples * ticks if pts is not None and ticks else None
        if (run := fifo.read()) is not None:
            yield place, run

    def _place_of(self, pts: int | None, expected: int | None) -> int:
        """Index of a frame's first sample on the file's timeline."""
        if pts is None:
            return expected or 0
        # round((pts * time_base - origin) * rate), in whole numbers: fractions are slow
        scale, offset, divisor = self._clock
        place = (2 * (pts * scale - offset) + divisor) // (2 * divisor)
        if expected is None:
            return place if place <= self._last_place else 0
        # Back in time, or beyond the end: a broken clock. Samples are never dropped for it.
        if place <= expected + self._jitter or place > self._last_place:
            return expected
        self.gaps.append((expected / self.rate, place / self.rate))
        return place

    def _silence(self, start: int, end: int) -> Iterator[Waveform]:
        """Zeros for samples [start, end), at most ten seconds at a time."""
        step = 10 * self.rate
        for first in range(start, end, step):
            yield np.zeros((self.channels, min(step, end - first)), np.float32)

    def close(self) -> None:
        self._container.close()
