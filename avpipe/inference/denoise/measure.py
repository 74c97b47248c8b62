"""What the filter did to a stream: levels of speech and of noise before and after, in one pass of constant memory.

Energies of frames of 32 ms are gathered by the level that the filter left in the frame: what it left is speech, so that
level tells active speech from pauses far better than the noisy input does. Where the border between the two lies is
known at the end only, when the loudest are known; until then histograms keep the sums.
"""

import math
from dataclasses import dataclass, field, replace

import numpy as np

FRAME_SEC = 0.032
LOWEST_DB = -130.0
NUM_LEVELS = 160
"""Levels are told apart in steps of 1 dB of full scale, from LOWEST_DB up."""

ACTIVE_MARGIN_DB = 15.9
"""A frame is active speech if it lies no further below the mean level of active frames.

Reference: ITU-T P.56, method B. Differs: frames of 32 ms instead of an envelope with hangover.
"""

SILENT_POWER = 1e-10
"""-100 dB: frames below hold nothing, not even the dither of 16 bits."""

KEPT_SHARE = 0.2
"""A frame of which the filter leaves at least this share of the energy is one of speech."""

FULL_SCALE, BEYOND_SCALE = 0.9998, 1.0002
"""Between them lies what was cut off; floats beyond stand for themselves."""

MIN_SPEECH_SEC = 0.2
MIN_SPEECH_SHARE = 0.03
"""With less speech than this, or than this share of the sound, there is no measure of what is to be kept."""

LEAST_RATIO_DB = -8.0
"""What lies further below what was taken for noise is no speech to go by, but some of a bird's cry or a violin's tone.

Mixtures at -5 dB are found at -6."""

MIN_PAUSE_SHARE = 0.03
"""With fewer pauses than this among the frames, the quietest frames stand for them."""

QUIET_PAUSES_DB = 15.0
"""From this ratio of active frames to pauses up, noise no longer disturbs what is measured in speech."""

CLEAN_PAUSES_DB = 36.0
"""Of a recording whose pauses lie so far below its speech, what little is taken from speech says nothing of noise."""

CLEAN_TAKEN_DB = 32.0
"""And whatever was taken in pauses lies as far below: noise that comes and goes is no clean recording."""

BLEND_FROM_DB, BLEND_TO_DB = 12.0, 22.0
"""Ratios between which pauses gradually count instead of the whole. Chosen by real mixtures of known ratio."""

STEADY_SHARE = 0.7
"""Of the pauses, the quietest: what noise is left in them is what is left, on average over mixtures of known ratio."""

MOST_RATIO_DB = 60.0
"""Ratios above are told as this one: digital silence has no level, and nobody hears what lies so far below speech."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """Levels of a stream, None where there is too little to tell.

    Levels are mean powers in dB of full scale (a square wave of amplitude 1 has 0 dB), mean over the channels.
    """

    duration_sec: float
    sound_sec: float
    """Seconds that are not silent."""
    speech_sec: float
    """Seconds of those in which the filter left a good part of the energy."""
    speech_before_db: float | None = None
    speech_after_db: float | None = None
    """Of active speech alone."""
    noise_before_db: float | None = None
    noise_after_db: float | None = None
    """After: as before, less what the filter takes off in pauses."""
    pause_db: float | None = None
    """Of the input, in the quieter half of the pauses."""
    removed_db: float | None = None
    """Of the difference between input and output, over the whole stream."""
    clipped_share: float = 0.0
    """Of the samples of the input: those that stand at full scale in a row."""

    @property
    def has_speech(self) -> bool:
        """Whether there is enough of it to measure."""
        return self.speech_before_db is not None

    @property
    def has_quiet_pauses(self) -> bool:
        """Whether the quieter half of the pauses lies so far below speech as in a clean recording."""
        ratio_db = _difference(self.speech_before_db, self.pause_db)
        return ratio_db is not None and ratio_db >= CLEAN_PAUSES_DB

    @property
    def snr_before_db(self) -> float | None:
        return _difference(self.speech_before_db, self.noise_before_db)

    @property
    def snr_after_db(self) -> float | None:
        return _difference(self.speech_after_db, self.noise_after_db)

    @property
    def level_change_db(self) -> float | None:
        """By how much speech became louder."""
        return _difference(self.speech_after_db, self.speech_before_db)


def _difference(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _db(power: float) -> float:
    return 10.0 * math.log10(max(power, 10.0 ** (LOWEST_DB / 10)))


@dataclass(slots=True)
class _Sums:
    """Sums of frame powers by the level of what the filter left."""

    count: np.ndarray = field(default_factory=lambda: np.zeros(NUM_LEVELS))
    before: np.ndarray = field(default_factory=lambda: np.zeros(NUM_LEVELS))
    after: np.ndarray = field(default_factory=lambda: np.zeros(NUM_LEVELS))
    left: np.ndarray = field(default_factory=lambda: np.zeros(NUM_LEVELS))
    """What the filter lets through where its settings do not hold it back."""
    common: np.ndarray = field(default_factory=lambda: np.zeros(NUM_LEVELS))
    """Products of input and ``left``."""
    removed: np.ndarray = field(default_factory=lambda: np.zeros(NUM_LEVELS))


class Meter:
    """Measures a stream while it passes.

    Args:
        sample_rate: Hz.
        least_gain: amplitude that the settings leave of everything (``strength`` below 1, ``max_attenuation_db``): it
            is taken off before speech is told from pauses.
        gain: amplitude that the output was multiplied with besides.
    """

    def __init__(self, sample_rate: int, least_gain: float = 0.0, gain: float = 1.0) -> None:
        self.peak = 0.0
        """Greatest absolute sample that came out."""
        self._sample_rate = sample_rate
        self._frame = max(1, round(FRAME_SEC * sample_rate))
        self._least_gain = min(least_gain, 0.95)
        self._gain = gain
        self._before = self._after = np.zeros((0, 0), np.float32)
        self._sums = _Sums()
        self._samples = self._frames = self._sound_frames = self._speech_frames = self._clipped = 0
        self._still = 0
        """Silent frames since the last sound, of which it is not known yet whether another follows."""
        self._channels = 1

    def push(self, before: np.ndarray, after: np.ndarray) -> None:
        """Take what went in and what came out; the output of a block may come with a later one.

        Shape:
            before: (channels, n); after: (channels, m).
        """
        self._samples += after.shape[1]
        self._channels = before.shape[0]
        size = np.abs(before)
        full = (size >= FULL_SCALE) & (size <= BEYOND_SCALE)
        if full.any():
            self._clipped += int((full[:, 1:] & full[:, :-1]).sum())
        if after.size:
            self.peak = max(self.peak, float(np.abs(after).max()))
        self._before, self._after = _joined(self._before, before), _joined(self._after, after)
        whole = min(self._before.shape[1], self._after.shape[1]) // self._frame * self._frame
        if whole:
            self._enter(self._before[:, :whole], self._after[:, :whole])
            self._before, self._after = self._before[:, whole:].copy(), self._after[:, whole:].copy()

    def _enter(self, before: np.ndarray, after: np.ndarray) -> None:
        shape = len(before), before.shape[1] // self._frame, self._frame
        # Without what is below all hearing: a constant offset is neither speech nor noise.
        x, y = (one.reshape(shape) - one.reshape(shape).mean(-1, keepdims=True) for one in (before, after))
        left = y if self._gain == 1.0 else y / np.float32(self._gain)
        left = (left - self._least_gain * x) / (1.0 - self._least_gain) if self._least_gain else left
        before_power, after_power, left_power = _power(x, x), _power(y, y), _power(left, left)
        sounding = before_power > SILENT_POWER
        self._frames += len(sounding)
        # Silence counts between sounds alone: how much of it lies before and behind says nothing of the sound.
        if not sounding.any():
            self._still += len(sounding) if self._sound_frames else 0
            return
        first, last = np.nonzero(sounding)[0][[0, -1]]
        self._sums.count[0] += self._still
        self._still = len(sounding) - 1 - int(last)
        heard = slice(0 if self._sound_frames else int(first), int(last) + 1)
        x, y, left, sounding = x[:, heard], y[:, heard], left[:, heard], sounding[heard]
        before_power, after_power, left_power = before_power[heard], after_power[heard], left_power[heard]
        levels = _levels(left_power)
        removed = x - y
        for sums, power in (
            (self._sums.count, np.ones_like(before_power)),
            (self._sums.before, before_power),
            (self._sums.after, after_power),
            (self._sums.left, left_power),
            (self._sums.common, _power(x, left)),
            (self._sums.removed, _power(removed, removed)),
        ):
            sums += np.bincount(levels, power, NUM_LEVELS)
        self._sound_frames += int(sounding.sum())
        self._speech_frames += int((sounding & (left_power >= KEPT_SHARE * before_power)).sum())

    def finish(self) -> Measurement:
        """What was measured of all that was taken; a last part of a frame does not count, unless there is no other."""
        if 0 < self._samples < self._frame:
            rest = (0, 0), (0, self._frame - self._samples)
            self._enter(np.pad(self._before, rest), np.pad(self._after, rest))
        frame_sec = self._frame / self._sample_rate
        duration_sec, sound_sec = self._samples / self._sample_rate, self._sound_frames * frame_sec
        clipped_share = self._clipped / max(1, self._samples * self._channels)
        told = Measurement(duration_sec, sound_sec, self._speech_frames * frame_sec, clipped_share=clipped_share)
        if not self._sound_frames:
            return told
        told = replace(told, removed_db=_db(float(self._sums.removed.sum() / self._frames)))
        if told.speech_sec < max(MIN_SPEECH_SEC, MIN_SPEECH_SHARE * sound_sec):
            return told
        border = self._border()
        pauses = self._pauses(border)
        speech_db = _db(self._mean("common", slice(border, None)))
        noise_db = self._noise_db(speech_db, pauses)
        if speech_db - noise_db < LEAST_RATIO_DB:
            return told
        change_db = self._level_change_db(border, pauses)
        # What is taken from speech is taken from the noise in it, too.
        noise_change_db = min(change_db, -self._taken_db(pauses))
        return replace(
            told,
            pause_db=_db(self._mean("before", self._quietest(pauses))),
            speech_before_db=speech_db,
            speech_after_db=speech_db + change_db,
            noise_before_db=max(noise_db, speech_db - MOST_RATIO_DB),
            noise_after_db=max(noise_db + noise_change_db, speech_db + change_db - MOST_RATIO_DB),
        )

    def _mean(self, name: str, levels: slice) -> float:
        """Mean power over the frames of these levels."""
        return float(getattr(self._sums, name)[levels].sum() / max(1.0, self._sums.count[levels].sum()))

    def _border(self) -> int:
        """The least level of active speech."""
        counts, powers = (np.cumsum(sums[::-1])[::-1] for sums in (self._sums.count, self._sums.left))
        loudest = int(np.nonzero(self._sums.count)[0].max())
        for level in range(loudest, -1, -1):
            mean_db = _db(powers[level] / counts[level])
            if mean_db - (LOWEST_DB + level) >= ACTIVE_MARGIN_DB:
                return level
        return 0

    def _pauses(self, border: int) -> slice:
        """The levels of pauses; where there are too few, of the quietest frames."""
        reached = np.cumsum(self._sums.count)
        enough = int(np.searchsorted(reached, MIN_PAUSE_SHARE * reached[-1])) + 1
        return slice(0, max(border, enough))

    def _level_change_db(self, border: int, pauses: slice) -> float:
        """By how much speech became louder.

        Where pauses are quiet, output and input are compared in frames of speech. In noise, input is speech and noise,
        and the filter is taken for one of Wiener's: there the product of input and output is the power of speech.
        """
        active = slice(border, None)
        before_db = _db(self._mean("before", active))
        if before_db - _db(self._mean("before", pauses)) >= QUIET_PAUSES_DB:
            return _db(self._mean("after", active)) - before_db
        gain = math.sqrt(self._mean("left", active) / max(self._mean("common", active), 1e-20))
        return 20.0 * math.log10(self._gain * (self._least_gain + (1.0 - self._least_gain) * gain))

    def _quietest(self, pauses: slice, share: float = 0.5) -> slice:
        """A share of the pauses, the quietest, where no word begins or fades."""
        reached = np.cumsum(self._sums.count[pauses])
        return slice(0, int(np.searchsorted(reached, share * reached[-1])) + 1)

    def _taken_db(self, pauses: slice) -> float:
        """By how much the filter lowers noise: steady noise in most pauses, noise that comes and goes in all of them.

        In all of them words fade, of which nothing is to be taken; in the quiet ones there may be no noise to take.
        """
        kinds = self._quietest(pauses, STEADY_SHARE), pauses
        return max(_db(self._mean("before", kind)) - _db(self._mean("after", kind)) for kind in kinds)

    def _noise_db(self, speech_db: float, pauses: slice) -> float:
        """Level of noise: of what the filter takes for it, by Wiener's relation.

        The better the recording, the more of that is speech which was lost, and the more the pauses count instead; of
        one that is very good, only they do.
        """

        def taken_for_noise_db(levels: slice) -> float:
            return _db(self._mean("before", levels) - self._mean("common", levels))

        everywhere, in_pauses = taken_for_noise_db(slice(None)), taken_for_noise_db(pauses)
        ratio = speech_db - everywhere
        floor_db = _db(self._mean("before", self._quietest(pauses)))
        little_taken = ratio >= QUIET_PAUSES_DB and speech_db - in_pauses >= CLEAN_TAKEN_DB
        if little_taken and speech_db - floor_db >= CLEAN_PAUSES_DB:
            return floor_db
        share = min(max((ratio - BLEND_FROM_DB) / (BLEND_TO_DB - BLEND_FROM_DB), 0.0), 1.0)
        return (1.0 - share) * everywhere + share * in_pauses


def _joined(rest: np.ndarray, block: np.ndarray) -> np.ndarray:
    return np.concatenate([rest, block], axis=1) if rest.shape[1] else block


def _power(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(frames,) float64: mean product of (channels, frames, samples)."""
    products = np.einsum("cfn,cfn->f", one, other).astype(np.float64)
    return products / (one.shape[0] * one.shape[2])


def _levels(powers: np.ndarray) -> np.ndarray:
    """The level of each frame, in whole decibels from LOWEST_DB up."""
    levels = 10.0 * np.log10(np.maximum(powers, 1e-20))
    return np.clip(np.floor(levels - LOWEST_DB), 0, NUM_LEVELS - 1).astype(np.int64)
