"""Readers of sound: one contiguous run of samples from a place in a file to its end.

soundfile reads what is stored without loss (wav, flac, aiff and their like), FFmpeg everything else: for coded sound it
is the faster of the two, and it reads Ogg files that libsndfile calls malformed. Where soundfile gives up in the middle
of a file, FFmpeg takes over at that sample: of lossless formats both decode the same numbers, so the file's windows are
those of FFmpeg alone.
"""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
import numpy as np
import soundfile
from av.audio.frame import AudioFrame

from avpipe.media import containers
from avpipe.media.damage import END_SLACK_SEC, Span
from avpipe.media.errors import DamagedMedia, NoSuchStream
from avpipe.media.samples import Waveform, conformed, finite_samples, float_samples

PREROLL_SEC = 0.5
"""Decoded and thrown away before a place in coded sound: covers Opus (80 ms), AAC, and the mp3 bit reservoir."""

JITTER_SEC = 0.005
"""A timestamp this near to where the samples before it end is rounding, not a hole."""

LOSSLESS_MAGIC = (b"RIFF", b"RIFX", b"RF64", b"riff", b"FORM", b"fLaC", b".snd", b"caff")


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
    containers.require_readable(path)
    with path.open("rb") as file:
        lossless = file.read(4) in LOSSLESS_MAGIC
    if lossless:
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
            self.promised_sec = _promised_samples(path, self._file) / self.rate
            self._position = round(start_sec * self.rate)
            self._may_hold_nan = self._file.subtype in ("FLOAT", "DOUBLE")
            self._file.seek(min(self._position, self._file.frames))
        except BaseException:
            self._file.close()
            raise

    def next_block(self, wanted: int) -> Waveform | None:
        if self._successor is None:
            try:
                block = self._file.read(wanted, dtype="float32", always_2d=True).T
            except soundfile.SoundFileError:
                self._hand_over()
            else:
                if block.shape[1]:
                    return self._checked(block)
                if self._position + END_SLACK_SEC * self.rate >= self.promised_sec * self.rate:
                    return None
                self._hand_over()
        return self._successor.next_block(wanted) if self._successor is not None else None

    def _checked(self, block: Waveform) -> Waveform:
        if self._may_hold_nan:
            block, bad = finite_samples(block)
            self.gaps += [((self._position + a) / self.rate, (self._position + b) / self.rate) for a, b in bad]
        self._position += block.shape[1]
        return block

    def _hand_over(self) -> None:
        """Let FFmpeg go on at the sample where soundfile stopped."""
        self._file.close()
        self._successor = AvSoundReader(self._path, self._position / self.rate)
        self._successor.gaps = self.gaps  # one account for both
        self.decoder = self._successor.decoder

    def close(self) -> None:
        self._file.close()
        if self._successor is not None:
            self._successor.close()


class AvSoundReader:
    """Reads FFmpeg's best audio stream; positions come from timestamps, holes are filled with silence."""

    decoder = "av"

    def __init__(self, path: Path, start_sec: float = 0.0) -> None:
        self._path = path
        self._container = containers.open_container(path)
        self.gaps: list[Span] = []
        try:
            stream = containers.best_audio(self._container)
            if stream is None:
                raise NoSuchStream(path, "has no sound that can be decoded", "give a file with an audio stream")
            self._stream = stream
            stream.thread_type = "NONE"  # handing tiny frames to threads costs more than decoding them
            # Without this FFmpeg passes on FLAC frames whose checksum is wrong, as noise.
            stream.codec_context.options = {"err_detect": "crccheck+explode"} if stream.codec.name == "flac" else {}
            self._time_base = Fraction(stream.time_base or 1)
            self._origin = containers.origin_sec(self._container, stream)
            self.promised_sec = containers.promised_end_sec(self._container, stream, self._origin)
            self._frames: Iterator[AudioFrame] | None = None
            self._open_at(start_sec)
        except BaseException:
            self._container.close()
            raise

    def _open_at(self, start_sec: float) -> None:
        from_start = start_sec <= PREROLL_SEC
        if not from_start:
            self._first = self._first_frame_at(start_sec - PREROLL_SEC)
            # Of some files the index is wrong, and the seek lands too late.
            from_start = self._first is not None and self._seconds(self._first) > start_sec
        if from_start:
            self._first = self._first_frame_at(0.0)
        if self._first is None and from_start:
            raise DamagedMedia(self._path, "none of its sound could be decoded", "copy it again from its source")
        self.rate: int = self._first.sample_rate if self._first else self._stream.rate
        self.channels: int = self._first.layout.nb_channels if self._first else self._stream.channels
        self.slack_sec = max(END_SLACK_SEC, 1.5 * self._first.samples / self.rate) if self._first else END_SLACK_SEC
        self._jitter = JITTER_SEC * self.rate + 2 * float(self._time_base) * self.rate
        self._start = round(start_sec * self.rate)
        self._position: int | None = None
        self._blocks = self._placed_blocks()

    def _first_frame_at(self, sec: float) -> AudioFrame | None:
        """Seek to a time and decode one frame; time zero of a fresh container needs no seek."""
        if sec or self._frames is not None:
            with containers.ffmpeg_errors(self._path):
                self._container.seek(int((Fraction(sec) + self._origin) / self._time_base), stream=self._stream)
        self._frames = self._decoded_frames()
        return next(self._frames, None)

    def _seconds(self, frame: AudioFrame) -> float:
        return float((frame.pts or 0) * self._time_base - self._origin)

    def next_block(self, wanted: int) -> Waveform | None:
        return next(self._blocks, None)

    def _decoded_frames(self) -> Iterator[AudioFrame]:
        """Every frame that decodes; what does not leaves a hole in the timestamps."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError:  # the file breaks off inside a packet
                return
            try:
                yield from packet.decode()
            except av.FFmpegError:
                continue

    def _placed_blocks(self) -> Iterator[Waveform]:
        """Contiguous blocks from the start asked for, silence where the file holds none."""
        assert self._frames is not None
        frame, self._first = self._first, None
        while frame is not None:
            place = self._place_of(frame)
            block = float_samples(frame)
            if frame.sample_rate != self.rate or block.shape[0] != self.channels:
                block = conformed(block, frame.sample_rate, self.channels, self.rate)
            if frame.format.packed.name in ("flt", "dbl"):
                block, bad = finite_samples(block)
                self.gaps += [((place + a) / self.rate, (place + b) / self.rate) for a, b in bad]
            hole_from = self._start if self._position is None else max(self._position, self._start)
            yield from self._silence(hole_from, place)
            self._position = place + block.shape[1]
            if self._position > self._start:
                yield block[:, max(0, self._start - place) :]
            frame = next(self._frames, None)

    def _place_of(self, frame: AudioFrame) -> int:
        """Index of a frame's first sample on the file's timeline."""
        expected = self._position
        if frame.pts is None:
            return expected or 0
        place = round((frame.pts * self._time_base - self._origin) * self.rate)
        if expected is None:
            return place
        # Back in time, or beyond the end: a broken clock. Samples are never dropped for it.
        limit = (self.promised_sec or float("inf")) * self.rate
        if place <= expected + self._jitter or place > limit:
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


def _promised_samples(path: Path, file: soundfile.SoundFile) -> int:
    """Samples that the header promises. Of a wav libsndfile tells only those that are there."""
    if file.format not in ("WAV", "WAVEX"):
        return int(file.frames)
    with path.open("rb") as raw:
        end = raw.seek(0, 2)
        raw.seek(12)
        block_bytes = 0
        while len(head := raw.read(8)) == 8:
            size = int.from_bytes(head[4:], "little")
            if head[:4] == b"data":
                # Streamed files carry a placeholder here, compressed ones count otherwise.
                unknown = size >= 0x7FFFFFFF - 4096 and raw.tell() + size > end
                pcm = file.subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")
                return max(size // block_bytes, file.frames) if pcm and block_bytes and not unknown else file.frames
            if head[:4] == b"fmt ":
                block_bytes = int.from_bytes(raw.read(14)[12:14], "little")
                size -= 14
            raw.seek(size + size % 2, 1)
    return int(file.frames)
