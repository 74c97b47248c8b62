"""What is asked of the filter and what is told of a file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avpipe.errors import ArgumentError, printable
from avpipe.inference.denoise.measure import Measurement
from avpipe.media import Coverage
from avpipe.media.rewrite import CHOICES, RewrittenSound, has_encoder

MAX_LEVEL_CHANGE_DB = 0.5
"""With ``keep_level``, speech that became louder or softer by more is brought back by one gain for the whole stream."""


@dataclass(frozen=True, slots=True)
class DenoiseSettings:
    """All besides file and weights that determines what is written."""

    strength: float = 1.0
    """0 copies, 1 takes out all that the filter would; between them both are mixed."""
    max_attenuation_db: float | None = None
    """Noise is not lowered by more; None: as the filter says."""
    keep_level: bool = True
    clean_above_db: float | None = 40.0
    """A file whose speech lies this far above its noise is copied as it is; None filters all."""
    audio_codec: str | None = None
    """For sounds whose own codec cannot be written."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.strength <= 1.0:
            raise ArgumentError(f"strength={self.strength}", "not between 0 and 1", "0 copies, 1 filters in full")
        for name in ("max_attenuation_db", "clean_above_db"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool | str) or not value >= 0):
                raise ArgumentError(f"{name}={value}", "not a number from 0", "give decibels, or null for none")
        if self.audio_codec is not None and not has_encoder(str(self.audio_codec)):
            raise ArgumentError(f"audio_codec={self.audio_codec}", "cannot be written", f"choose {'|'.join(CHOICES)}")

    @property
    def least_gain(self) -> float:
        """Amplitude that is left of everything, whatever the filter says."""
        floor = 0.0 if self.max_attenuation_db is None else 10.0 ** (-self.max_attenuation_db / 20.0)
        return 1.0 - self.strength * (1.0 - floor)


@dataclass(frozen=True, slots=True)
class Job:
    """A file to clean, and where it goes."""

    name: str
    """By which it is known: a POSIX path relative to the input."""
    path: Path
    target: Path


@dataclass(frozen=True, slots=True)
class CleanedSound:
    """One audio stream."""

    form: RewrittenSound
    measurement: Measurement
    gain_db: float = 0.0
    """That keeps the level of speech."""


@dataclass(frozen=True, slots=True)
class CleanedFile:
    """The row of one file."""

    path: str
    status: str
    """``ok``; ``partial``: some of its sound was lost; ``abstained``: it has none; ``error``: nothing was written."""
    reason: str = ""
    output: str = ""
    """Relative to the output folder; empty where nothing was written."""
    action: str = ""
    """``cleaned``; ``passed unchanged``: too little noise to take out; ``copied``: nothing to filter, or unwanted."""
    sounds: tuple[CleanedSound, ...] = ()
    coverage: Coverage | None = None
    warnings: tuple[str, ...] = field(default=())

    def to_record(self) -> dict[str, Any]:
        """The object of ``denoise.jsonl``; levels are rounded to hundredths of a decibel."""
        first = self.sounds[0] if self.sounds else None
        return {
            "path": self.path,
            "status": self.status,
            "reason": self.reason,
            "output": self.output,
            "action": self.action,
            "duration_sec": None if first is None else round(first.measurement.duration_sec, 3),
            **_levels(first),
            "warnings": list(self.warnings),
            "streams": [_stream(sound) for sound in self.sounds],
            "coverage": None if self.coverage is None else _coverage(self.coverage),
        }


def failed(job: Job, reason: str, status: str = "error") -> CleanedFile:
    return CleanedFile(job.name, status, printable(reason))


_LEVELS = (
    "snr_before_db", "snr_after_db", "level_change_db", "removed_db",
    "speech_before_db", "speech_after_db", "noise_before_db", "noise_after_db",
)  # fmt: skip


def _levels(sound: CleanedSound | None) -> dict[str, float | None]:
    found = {name: None if sound is None else getattr(sound.measurement, name) for name in _LEVELS}
    return {name: None if value is None else round(value, 2) + 0.0 for name, value in found.items()}


def _stream(sound: CleanedSound) -> dict[str, Any]:
    form = {name: getattr(sound.form, name) for name in RewrittenSound.__slots__}
    told = sound.measurement
    seconds = {"sound_sec": round(told.sound_sec, 3), "speech_sec": round(told.speech_sec, 3)}
    return {**form, **seconds, **_levels(sound), "gain_db": round(sound.gain_db, 2)}


def _coverage(coverage: Coverage) -> Mapping[str, Any]:
    plain = {name: getattr(coverage, name) for name in Coverage.__slots__}
    rounded = {name: round(value, 6) if isinstance(value, float) else value for name, value in plain.items()}
    return {**rounded, "gaps": [[round(edge, 6) for edge in gap] for gap in coverage.gaps]}
