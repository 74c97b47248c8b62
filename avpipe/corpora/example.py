"""One labelled stretch of one file."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Example:
    """A file, or a stretch of one, and what it is an example of."""

    path: Path
    target: str | float | Path | None
    start_sec: float = 0.0
    end_sec: float | None = None
    """Seconds; None: to the end of the file."""
    group: str = ""
    """What must not stand on two sides of a split: a speaker, a source recording. Empty: none is known."""
    annotation: Path | None = None
    """Boxes, cut lists and the like."""
