"""What is asked of a file and what is answered."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avpipe.answers import Boundary, Decoded, Word
from avpipe.media import Coverage

if TYPE_CHECKING:
    from avpipe.report import Thumbnail


@dataclass(frozen=True, slots=True)
class Job:
    """A file, or a stretch of one, to be answered."""

    name: str
    """By which the answer is known: a POSIX path relative to the input."""
    path: Path
    start_sec: float = 0.0
    end_sec: float | None = None
    boxes: Path | None = None
    """Of where in its pictures to look; None: those beside it, where there are any."""
    url: str = ""
    """Where it comes from, where that is no file of this machine; ``path`` is then where it was fetched to."""
    trouble: str = ""
    """Why it could not be fetched."""


@dataclass(frozen=True, slots=True)
class WindowAnswer:
    """What one window says."""

    start_sec: float
    end_sec: float
    label: str | None
    score: float | None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """A stretch in which one voice speaks."""

    start_sec: float
    end_sec: float
    label: str
    """Who: a person's name, or ``speaker_1``, ``speaker_2`` by order of appearance."""


@dataclass(frozen=True, slots=True)
class ShotLabel:
    """What another bundle says of a shot."""

    label: str | None
    score: float | None
    text: str | None = None
    """What is said in it, of a bundle that transcribes."""


@dataclass(frozen=True, slots=True)
class ShotAnswer:
    """A shot of a film: what lies between two boundaries, or between one and an end of the film."""

    start_sec: float
    """Presentation time of its first frame."""
    end_sec: float
    """Where the next shot begins, or the film ends."""
    num_frames: int
    labels: Mapping[str, ShotLabel] = field(default_factory=dict)
    """By the names of the other bundles of the run that have an answer for it."""


@dataclass(frozen=True, slots=True)
class TaskAnswer:
    """What one bundle says of a file."""

    label: str | None
    score: float | None
    scores: Mapping[str, float]
    text: str | None
    windows: tuple[WindowAnswer, ...]
    words: tuple[Word, ...] = ()
    """Of the text, with their times."""
    embedding: tuple[float, ...] = ()
    """Of a voice: a vector of length 1."""
    turns: tuple[Turn, ...] = ()
    """Who speaks when, where that was asked."""
    speech: tuple[tuple[float, float], ...] = ()
    """Of a transcript: (start, end) in seconds of each stretch in which somebody speaks, where that was asked."""
    shots: tuple[ShotAnswer, ...] = ()
    """Of a film whose shots were looked for: all of it, shot after shot."""
    boundaries: tuple[Boundary, ...] | None = None
    """Between these shots; None: they were not looked for."""
    senses: Mapping[str, float] = field(default_factory=dict)
    """Of a bundle of several senses: those that the file has, and what each adds to the score
    (:meth:`avpipe.inference.senses.SensesHeard.contributions`)."""
    alone: Mapping[str, Decoded] = field(default_factory=dict)
    """What each of them would say by itself; no part of the record."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """All that is said of one file."""

    path: str
    status: str
    """``ok``; ``partial``: some of it was lost; ``abstained``: nothing in it can be judged; ``error``: it cannot be
    read."""
    reason: str = ""
    """What was lost, why a bundle that is not among ``tasks`` could not answer, and of which answer to be wary, as the
    sound lacks the high frequencies that its bundle has learned from."""
    coverage: Coverage | None = None
    tasks: Mapping[str, TaskAnswer] = field(default_factory=dict)
    """By bundle name."""
    thumbnail: "Thumbnail | None" = None
    """Where it was asked for; no part of the record."""

    def to_record(self) -> dict[str, Any]:
        """The object of ``predictions.jsonl``; seconds and scores are rounded to six decimals."""
        return {
            "path": self.path,
            "status": self.status,
            "reason": self.reason,
            "coverage": None if self.coverage is None else _plain(self.coverage),
            "tasks": {name: _plain(answer) for name, answer in self.tasks.items()},
        }


_ONLY_OF_SOME = ("words", "embedding", "turns", "speech", "shots", "boundaries", "labels", "senses")
"""Keys that only transcripts have, only voices, and only films."""
_UNTOLD = ("alone",)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6) + 0.0  # no -0.0
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    if isinstance(value, Coverage | TaskAnswer | WindowAnswer | Word | Turn | Boundary | ShotAnswer | ShotLabel):
        plain = {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__ if name not in _UNTOLD}
        is_film = isinstance(value, TaskAnswer) and value.boundaries is not None
        return {
            name: part
            for name, part in plain.items()
            if part not in ([], {}, None) or name not in _ONLY_OF_SOME or (name == "boundaries" and is_film)
        }
    return value


@dataclass(slots=True)
class Summary:
    """Counts over a run."""

    statuses: Counter[str] = field(default_factory=Counter)

    def count(self, status: str) -> None:
        self.statuses[status] += 1

    @property
    def exit_status(self) -> int:
        """0 if every file was answered, else 1."""
        return 1 if self.statuses["error"] else 0
