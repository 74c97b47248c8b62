"""One audio stream on its way through a filter."""

from fractions import Fraction
from pathlib import Path

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.stream import Discard

from avpipe.media.damage import Span
from avpipe.media.rewrite.forms import FilterFactory, SoundForm
from avpipe.media.samples import Waveform
from avpipe.media.sound import AvSoundReader, SoundReader
from avpipe.media.tracks import missing_end

BLOCK_SEC = 1.0
"""Read and filtered at a time."""


class StreamSoundReader(AvSoundReader):
    """Reads one audio stream of several, from its own first sample on."""

    def __init__(self, path: Path, index: int) -> None:
        self._index = index
        self.layout = ""
        super().__init__(path)

    @property
    def start(self) -> int:
        """Index of the first sample on the file's timeline; below zero where the stream begins before it."""
        return self._start

    @property
    def origin(self) -> Fraction:
        """Where the file's time zero lies on its container's clock, in seconds."""
        return self._origin

    def _chosen_stream(self) -> AudioStream:
        for stream in self._container.streams:
            if stream.index != self._index:
                stream.discard = Discard.all
        chosen = self._container.streams[self._index]
        assert isinstance(chosen, AudioStream)
        return chosen

    def _set_form(self, first: AudioFrame | None, start_sec: float) -> None:
        super()._set_form(first, start_sec)
        assert first is not None  # of a stream read from its beginning
        self._start = self._place_of(first.pts, None)
        self.layout = first.layout.name


class FilteredSound:
    """Filtered blocks of one stream, and the account of what was lost in reading it (a ``damage.Track``).

    Args:
        path: the file.
        reader: of the stream; closed with this.
        start: index of the reader's first sample on the file's timeline.
        index: of the stream.
        make_filter: makes the stream's filter.
    """

    def __init__(self, path: Path, reader: SoundReader, start: int, index: int, make_filter: FilterFactory) -> None:
        self._path = path
        self._reader = reader
        self._start = start
        self.form = SoundForm(index, reader.rate, reader.channels)
        self._filter = make_filter(self.form)
        self.samples = 0
        """Read so far."""
        self._given = 0
        self._silence = 0
        self._exhausted = False
        self.truncated = False

    @property
    def gaps(self) -> list[Span]:
        return self._reader.gaps

    @property
    def decoder(self) -> str:
        return self._reader.decoder

    @property
    def promised_sec(self) -> float | None:
        return self._reader.promised_sec

    @property
    def end_sec(self) -> float:
        return (self._start + self.samples) / self.form.sample_rate

    def frames_between(self, start_sec: float, end_sec: float) -> tuple[int, int]:
        return 0, 0

    def delay(self, samples: int) -> None:
        """Begin with so many samples of silence, which the filter does not see."""
        self._silence = samples

    def next_block(self) -> Waveform | None:
        """The next filtered samples, at least one; None at the end."""
        if self._silence > 0:
            length = min(self._silence, round(BLOCK_SEC * self.form.sample_rate))
            self._silence -= length
            return np.zeros((self.form.channels, length), np.float32)
        while not self._exhausted:
            block = self._reader.next_block(round(BLOCK_SEC * self.form.sample_rate))
            if block is None:
                self._note_end()
                filtered = self._filter.finish()
            else:
                self.samples += block.shape[1]
                filtered = self._filter.push(block)
            self._given += filtered.shape[1]
            if block is None and self._given != self.samples:
                raise RuntimeError(f"the filter made {self._given} samples of {self.samples}")
            if filtered.shape[1]:
                return filtered
        return None

    def _note_end(self) -> None:
        self._exhausted = True
        self.truncated, lost = missing_end(self._path, self.end_sec, self.promised_sec, self._reader.slack_sec)
        self.gaps.extend(lost)

    def close(self) -> None:
        self._reader.close()
