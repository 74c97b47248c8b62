"""The windows of a file as few coloured stretches."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_SEGMENTS = 60
"""A longer story is told in so many equal parts, each by the label that lasts longest in it."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch with one label."""

    start_sec: float
    end_sec: float
    label: str
    score: float | None
    """Mean over its windows, by seconds; None where they have none."""


def segments(windows: Sequence[Mapping[str, Any]]) -> list[Segment]:
    """Windows of ``predictions.jsonl`` as stretches that follow one another.

    Where windows overlap, the later one speaks from its start on. Neighbours of one label become one stretch.
    """
    spans = []
    for index, window in enumerate(windows):
        end = window["end_sec"]
        if index + 1 < len(windows):
            end = min(end, windows[index + 1]["start_sec"])
        label = window["label"] if window["label"] is not None else window.get("text") or ""
        if end > window["start_sec"]:
            spans.append(Segment(window["start_sec"], end, label, window["score"]))
    merged = _merged(spans)
    return merged if len(merged) <= MAX_SEGMENTS else _merged(_coarse(merged))


def _merged(spans: Sequence[Segment]) -> list[Segment]:
    rows: list[list[Segment]] = []
    for span in spans:
        if rows and rows[-1][-1].label == span.label and span.start_sec - rows[-1][-1].end_sec < 1e-6:
            rows[-1].append(span)
        else:
            rows.append([span])
    return [Segment(row[0].start_sec, row[-1].end_sec, row[0].label, _mean_score(row)) for row in rows]


def _mean_score(spans: Sequence[Segment]) -> float | None:
    scored = [(span.score, span.end_sec - span.start_sec) for span in spans if span.score is not None]
    total = sum(seconds for _, seconds in scored)
    return sum(score * seconds for score, seconds in scored) / total if total > 0 else None


def _coarse(spans: Sequence[Segment]) -> list[Segment]:
    """MAX_SEGMENTS equal parts of the whole, those empty left out."""
    start, end = spans[0].start_sec, spans[-1].end_sec
    part_sec = (end - start) / MAX_SEGMENTS
    parts: list[defaultdict[str, list[Segment]]] = [defaultdict(list) for _ in range(MAX_SEGMENTS)]
    for span in spans:
        first = min(MAX_SEGMENTS - 1, int((span.start_sec - start) / part_sec))
        last = min(MAX_SEGMENTS - 1, int((span.end_sec - start) / part_sec))
        for index in range(first, last + 1):
            left = max(span.start_sec, start + index * part_sec)
            right = min(span.end_sec, start + (index + 1) * part_sec)
            if right > left:
                parts[index][span.label].append(Segment(left, right, span.label, span.score))
    chosen = []
    for index, labels in enumerate(parts):
        if labels:
            longest = max(labels.values(), key=lambda row: sum(span.end_sec - span.start_sec for span in row))
            left = start + index * part_sec
            chosen.append(Segment(left, start + (index + 1) * part_sec, longest[0].label, _mean_score(longest)))
    return chosen
