"""The rules that tell speech from pauses: by a recording's own levels, or by silero-vad."""

import warnings
from array import array
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np

from avpipe.errors import ArgumentError
from avpipe.inference.speech import LevelTrack, Stretch, runs, steadied
from avpipe.media import Clip, Resampler
from avpipe.threads import single_threaded

CHUNK_SEC = 0.032
"""What silero-vad judges at a time."""
OWN_RATES = (8000, 16000)
"""Hz; what silero-vad hears. Sound of any other rate is brought to the last of them."""
BEGINS_AT = 0.5
GOES_ON_AT = 0.35
"""Probabilities of speech, as silero-vad's own ``get_speech_timestamps`` has them."""


class SpeechTrack(Protocol):
    """Hears the windows of one recording in their order, and tells where somebody speaks."""

    def add(self, clip: Clip) -> None:
        """Hear the next window."""

    def stretches(self) -> tuple[Stretch, ...]:
        """Where somebody speaks, one stretch after the other; asked once, when all was heard."""


class SileroTrack:
    """Where silero-vad finds speech.

    Of windows that overlap, only the samples that are new are heard: the network's state runs on through the recording,
    and what it says is what it says of the whole recording at once.

    Reference:
        Silero Team, "Silero VAD: pre-trained enterprise-grade Voice Activity Detector", 2024,
        https://github.com/snakers4/silero-vad. Pauses and clicks are judged as for levels, and nothing is padded.
    """

    def __init__(self) -> None:
        self._model: Any = None
        self._probabilities = array("f")
        self._start_sec: float | None = None
        self._rate = 0
        self._heard = 0  # samples, at the recording's rate
        self._resampler: Resampler | None = None
        self._rest = np.zeros(0, np.float32)  # less than a chunk, at the network's rate

    def add(self, clip: Clip) -> None:
        """Hear the next window."""
        if clip.waveform is None or not clip.sample_rate:
            return
        if self._start_sec is None:
            self._start_sec, self._rate = clip.start_sec, clip.sample_rate
            self._model = _idle.pop() if _idle else _loaded()
            self._model.reset_states()
            if self._rate not in OWN_RATES:
                self._resampler = Resampler(self._rate, OWN_RATES[-1])
        place = round((clip.start_sec - self._start_sec) * self._rate)
        fresh = clip.waveform[:, max(0, self._heard - place) :].mean(0)
        self._heard = max(self._heard, place + clip.waveform.shape[1])
        self._judge(fresh if self._resampler is None else self._resampler(fresh))

    def stretches(self) -> tuple[Stretch, ...]:
        """Where somebody speaks, one stretch after the other."""
        if self._start_sec is None:
            return ()
        if self._resampler is not None:
            self._judge(self._resampler(np.zeros(0, np.float32), last=True))
        if len(self._rest):
            self._judge(np.zeros(self._chunk - len(self._rest), np.float32))
        _idle.append(self._model)
        start_sec, end_sec = self._start_sec, self._start_sec + self._heard / self._rate
        spoken = steadied(_decided(np.array(self._probabilities)), CHUNK_SEC)
        return tuple(
            (start_sec + start * CHUNK_SEC, min(start_sec + end * CHUNK_SEC, end_sec)) for start, end in runs(spoken)
        )

    @property
    def _model_rate(self) -> int:
        return self._rate if self._resampler is None else OWN_RATES[-1]

    @property
    def _chunk(self) -> int:
        return round(CHUNK_SEC * self._model_rate)

    def _judge(self, samples: np.ndarray) -> None:
        """Run the network on all chunks that are complete.

        Shape:
            samples: (N,), at the network's rate.
        """
        waiting = np.concatenate([self._rest, samples])
        complete = len(waiting) // self._chunk * self._chunk
        self._rest = waiting[complete:]
        import torch

        with torch.inference_mode(), single_threaded():
            for chunk in torch.from_numpy(waiting[:complete]).reshape(-1, self._chunk):
                self._probabilities.append(self._model(chunk, self._model_rate).item())


TRACKS: Mapping[str, Callable[[], SpeechTrack]] = {"energy": LevelTrack, "silero": SileroTrack}


def check_vad(name: str) -> None:
    """Refuse a rule that is none, or whose package is not installed.

    Raises:
        ArgumentError: then.
    """
    if name not in tuple(TRACKS):  # it may be a list, as typed
        raise ArgumentError(f"vad={name}", "no such rule", f"choose from: {', '.join(TRACKS)}")
    # Looked for and not imported: to import it sets the number of torch's threads.
    if name == "silero" and find_spec("silero_vad") is None:
        raise ArgumentError("vad=silero", "silero-vad is not installed", 'pip install "avpipe[vad]"')


_idle: list[Any] = []
"""Networks that no recording is using: each carries the state of one, and takes a third of a second to load."""


def _loaded() -> Any:
    from silero_vad import load_silero_vad

    with warnings.catch_warnings():
        # Torch would have it exported anew, which is silero's to do.
        warnings.simplefilter("ignore", DeprecationWarning)
        return load_silero_vad()


def _decided(probabilities: np.ndarray) -> np.ndarray:
    """Which chunks are of speech: it begins with a sure one, and goes on until one is surely none.

    Shape:
        probabilities: (N,); returns (N,), bool.
    """
    begins, ends = probabilities >= BEGINS_AT, probabilities < GOES_ON_AT
    sure = np.where(begins | ends, np.arange(len(probabilities)), 0)
    return begins[np.maximum.accumulate(sure)]
