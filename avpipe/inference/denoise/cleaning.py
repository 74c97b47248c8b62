"""One file through the filter: written, measured, and written anew or copied where the measurement asks for it."""

import errno
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from avpipe.errors import AvpipeError, RunStopped
from avpipe.inference.denoise.measure import Measurement, Meter
from avpipe.inference.denoise.record import (
    MAX_LEVEL_CHANGE_DB,
    CleanedFile,
    CleanedSound,
    DenoiseSettings,
    Job,
    failed,
)
from avpipe.media import DamagedMedia, NoSuchStream, UnwritableMedia, probe
from avpipe.media.rewrite import Rewritten, SoundFilter, SoundForm, rewrite_sound
from avpipe.threads import single_threaded

MAX_GAIN_DB = 6.0
MAX_CLIPPED_SHARE = 1e-4

DOUBTFUL_DB = 1.0
"""Below this estimated ratio of speech to noise lies nearly all music, and of speech only what lies deep in noise."""

MUCH_DB = 20.0
"""Below this ratio the noise of a recording with quiet pauses comes and goes, or a voice was taken for noise."""

FULL = (errno.ENOSPC, errno.EDQUOT)
FULL_DISK_BYTES = 1 << 20
"""Where a write failed and no more than this is free, the disk is full: not every library says so."""

Tell = Callable[[float], None]
"""Told how many seconds of sound were written since the last time."""


class Denoises(Protocol):
    """What filters: gives a filter for each stream. :class:`avpipe.Denoiser` is one."""

    def stream(self, sample_rate: int, channels: int) -> SoundFilter: ...


class MeasuredFilter:
    """A filter that measures what it does, and turns the volume of what comes out.

    Args:
        inner: the filter.
        meter: is shown what goes in and what comes out.
        gain: amplitude that the output is multiplied with.
        tell: told of every block.
        sample_rate: Hz.
    """

    def __init__(self, inner: SoundFilter, meter: Meter, gain: float, tell: Tell, sample_rate: int) -> None:
        self._inner = inner
        self._meter = meter
        self._gain = np.float32(gain)
        self._tell = tell
        self._sample_rate = sample_rate

    def push(self, block: np.ndarray) -> np.ndarray:
        after = self._turned(self._inner.push(block))
        self._meter.push(block, after)
        self._tell(block.shape[1] / self._sample_rate)
        return after

    def finish(self) -> np.ndarray:
        after = self._turned(self._inner.finish())
        self._meter.push(np.zeros((after.shape[0], 0), np.float32), after)
        return after

    def _turned(self, block: np.ndarray) -> np.ndarray:
        return block if self._gain == 1.0 else block * self._gain


class Cleaner:
    """Cleans files, each written to a part beside its target; whoever calls renames it.

    Args:
        denoiser: None where nothing is filtered: ``strength`` is 0.
        settings: what is asked for.
    """

    def __init__(self, denoiser: Denoises | None, settings: DenoiseSettings) -> None:
        self.denoiser = denoiser
        self.settings = settings

    def __call__(self, job: Job, part: Path, tell: Tell = lambda seconds: None) -> CleanedFile:
        """Write the cleaned file to ``part``; where that fails, the part is gone and the row says why.

        Raises:
            RunStopped: the disk is full.
        """
        written = False
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            with single_threaded():
                row = self._clean(job, part, tell)
            written = True
            return row
        except RunStopped:
            raise
        except AvpipeError as error:
            _stop_if_full(part, error)
            return failed(job, str(error).replace(str(part), str(job.target)))
        except OSError as error:
            _stop_if_full(part, error)
            name = job.target if error.filename in (None, str(part)) else error.filename
            return failed(job, f"{name}: {error.strerror or error}")
        except Exception as error:  # a fault of ours costs the file it shows in, not those after it
            return failed(job, f"{job.path}: {type(error).__name__}: {error}".replace("\n", " "))
        finally:
            if not written:
                part.unlink(missing_ok=True)

    def _clean(self, job: Job, part: Path, tell: Tell) -> CleanedFile:
        if self.denoiser is None:
            return self._copied(job, part, "the settings ask for no change")
        try:
            rewritten, meters = self._pass(job, part, {}, tell)
        except NoSuchStream as error:
            row = self._copied(job, part, error.reason)
            return replace(row, status="abstained")
        if 0 < rewritten.coverage.asked_sec <= rewritten.coverage.lost_sec:
            raise DamagedMedia(job.path, "none of its sound can be read", "look for another copy")
        measured = {index: meter.finish() for index, meter in meters.items()}
        if self._is_clean(rewritten, measured):
            shutil.copyfile(job.path, part)
            return self._row(job, rewritten, measured, {}, "passed unchanged")
        gains = self._gains(measured, meters) if self.settings.keep_level else {}
        if gains:
            rewritten, meters = self._pass(job, part, gains, tell)
            measured = {index: meter.finish() for index, meter in meters.items()}
        return self._row(job, rewritten, measured, gains, "cleaned")

    def _pass(
        self, job: Job, part: Path, gains_db: Mapping[int, float], tell: Tell
    ) -> tuple[Rewritten, dict[int, Meter]]:
        """Write the file once, with these gains by stream."""
        meters: dict[int, Meter] = {}
        denoiser = self.denoiser
        assert denoiser is not None

        def measured_filter(form: SoundForm) -> SoundFilter:
            gain = 10.0 ** (gains_db.get(form.index, 0.0) / 20.0)
            meters[form.index] = Meter(form.sample_rate, self.settings.least_gain, gain)
            inner = denoiser.stream(form.sample_rate, form.channels)
            return MeasuredFilter(inner, meters[form.index], gain, tell, form.sample_rate)

        rewritten = rewrite_sound(job.path, part, measured_filter, self.settings.audio_codec)
        return rewritten, meters

    def _is_clean(self, rewritten: Rewritten, measured: Mapping[int, Measurement]) -> bool:
        """Whether no stream has noise worth taking out; damage is never passed on as it is."""
        least = self.settings.clean_above_db
        if least is None or rewritten.coverage.losses() or not measured:
            return False
        ratios = [one.snr_before_db for one in measured.values()]
        silent = [one.sound_sec == 0 for one in measured.values()]
        return all(still or (ratio is not None and ratio >= least) for ratio, still in zip(ratios, silent, strict=True))

    def _gains(self, measured: Mapping[int, Measurement], meters: Mapping[int, Meter]) -> dict[int, float]:
        """Decibels by stream that bring speech back to its level, where it has left it."""
        gains = {}
        for index, one in measured.items():
            change_db = one.level_change_db
            if change_db is None or abs(change_db) <= MAX_LEVEL_CHANGE_DB:
                continue
            # Louder only as far as nothing clips that did not.
            room_db = 20.0 * np.log10(max(1.0, 1.0 / max(meters[index].peak, 1e-9)))
            gain_db = float(np.clip(-change_db, -MAX_GAIN_DB, min(MAX_GAIN_DB, room_db)))
            if abs(gain_db) > 0.1:
                gains[index] = gain_db
        return gains

    def _copied(self, job: Job, part: Path, reason: str) -> CleanedFile:
        probe(job.path)  # what is no media fails here, as it does when filtered
        shutil.copyfile(job.path, part)
        return CleanedFile(job.name, "ok", reason, action="copied")

    def _row(
        self,
        job: Job,
        rewritten: Rewritten,
        measured: Mapping[int, Measurement],
        gains: Mapping[int, float],
        action: str,
    ) -> CleanedFile:
        lost = rewritten.coverage.losses()
        sounds = tuple(
            CleanedSound(form, measured[form.index], gains.get(form.index, 0.0)) for form in rewritten.sounds
        )
        if action != "cleaned":
            sounds = tuple(_as_copied(sound) for sound in sounds)
        warnings = [f"{name} could not be decoded and is as it was" for name in rewritten.untouched]
        if action == "cleaned":
            warnings += [f"{name} is left out: this format cannot hold it" for name in rewritten.left_out]
        for sound in sounds:
            where = f"stream {sound.form.index}: " if len(sounds) > 1 else ""
            warnings += [where + line for line in _doubts(sound.measurement, action)]
        return CleanedFile(
            job.name,
            "partial" if lost else "ok",
            "; ".join(lost),
            action=action,
            sounds=sounds,
            coverage=rewritten.coverage,
            warnings=tuple(warnings),
        )


def _as_copied(sound: CleanedSound) -> CleanedSound:
    """What is told of a sound that was measured and then passed on as it came."""
    one = sound.measurement
    same = replace(one, speech_after_db=one.speech_before_db, noise_after_db=one.noise_before_db, removed_db=None)
    return replace(sound, form=replace(sound.form, codec_written=sound.form.codec), measurement=same)


def _doubts(one: Measurement, action: str) -> list[str]:
    """What a listener should look after, in words."""
    if one.duration_sec == 0:
        return ["holds no samples"]
    if one.sound_sec == 0:
        return ["is silent"]
    lines = []
    if action == "cleaned" and not one.has_speech:
        lines.append("little or no speech found: what was removed may have been wanted")
    elif action == "cleaned" and one.snr_before_db is not None and one.snr_before_db < DOUBTFUL_DB:
        lines.append("most of the sound was removed: is it music, or speech under still more noise? compare both")
    elif action == "cleaned" and one.has_quiet_pauses and one.snr_before_db is not None and one.snr_before_db < MUCH_DB:
        lines.append("much was removed, though its pauses are all but silent: was it wanted? compare both")
    if one.clipped_share > MAX_CLIPPED_SHARE:
        lines.append(f"clipped: {100 * one.clipped_share:.2g} % of the samples stand at full scale; that is not mended")
    return lines


def _stop_if_full(part: Path, error: BaseException) -> None:
    """A full disk ends the run: all files after this one would fail too."""
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and cause not in causes:
        causes.append(cause)
    full = any(getattr(cause, "errno", None) in FULL for cause in causes)
    if not full and isinstance(error, UnwritableMedia | OSError):
        full = part.parent.is_dir() and shutil.disk_usage(part.parent).free < FULL_DISK_BYTES
    if full:
        remedy = "make room and run the same command again: what is done is kept"
        raise RunStopped(part.parent, "its disk is full", remedy) from error
