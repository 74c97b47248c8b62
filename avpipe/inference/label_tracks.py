"""Answers as label tracks, for an editor of sound."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from avpipe.inference.per_recording import Record, write_each
from avpipe.report.timeline import segments

Stretch = tuple[float, float, str]
"""(start, end) in seconds, and the label."""


def write_audacity(folder: Path, records: Iterable[Record]) -> Path:
    """``<recording>.labels.txt`` for each answer: a line a word, a turn, a shot, or a stretch of windows of one label.

    Reference:
        Audacity's manual, "Importing and Exporting Labels": start, end and label, with tabs between them.
    """

    def content(record: Record, answer: Record) -> str:
        return "".join(f"{start:.6f}\t{end:.6f}\t{label}\n" for start, end, label in stretches(answer))

    return write_each(folder, records, ".labels.txt", lambda answer: any(stretches(answer)), content)


def stretches(answer: Record) -> Iterator[Stretch]:
    """What an answer says of which stretch: the finest that it tells."""
    told: list[dict[str, Any]] = answer.get("words") or answer.get("turns") or answer.get("shots") or []
    for number, each in enumerate(told, 1):
        yield each["start_sec"], each["end_sec"], _one_line(each.get("text") or each.get("label") or f"shot {number}")
    if not told:
        for segment in segments(answer.get("windows") or ()):
            yield segment.start_sec, segment.end_sec, _one_line(segment.label)


def _one_line(label: str) -> str:
    return " ".join(label.split())
