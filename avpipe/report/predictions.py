"""The page of a labelled folder, written while the records stream in."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avpipe.report.images import data_uri
from avpipe.report.page import flattened, write_page
from avpipe.report.thumbnails import NUM_PEAKS, Thumbnail, thumbnail
from avpipe.report.timeline import Segment, segments

Record = Mapping[str, Any]

MAX_PICTURES = 200
MAX_ROWS = 2000
MAX_SCORES = 3
MAX_TEXT = 400
MAX_SHEETS = 50
"""Of films whose shots the page itself shows: the first so many."""
NUM_COLOURS = 10

_COUNTS = frozenset(("num_files", "statuses", "seconds", "labels"))


@dataclass(frozen=True, slots=True)
class AnswerView:
    """What one bundle says of a file, as it is shown."""

    task: str
    label: str | None
    colour: int | None
    score: float | None
    text: str
    others: tuple[tuple[str, float], ...]
    """The labels that come next, with their scores."""
    senses: tuple[tuple[str, float], ...]
    """Those that were used, and what each added to the score; empty where the bundle has but one."""
    segments: tuple[tuple[Segment, int | None], ...]
    """Each with its colour; empty where one window is all."""
    end_sec: float


@dataclass(frozen=True, slots=True)
class RowView:
    """One file."""

    name: str
    status: str
    reason: str
    seconds: float | None
    answers: tuple[AnswerView, ...]
    thumbnail: Thumbnail | None
    num_shots: int = 0
    sheet: str = ""
    """A data URI: a picture a shot."""


class _Rows:
    """Rows of the first records, made when the template asks for them; of the others only the number is kept."""

    def __init__(
        self,
        records: Iterable[Record],
        root: Path,
        colours: Mapping[tuple[str, str], int],
        pictures: int,
        rows: int,
        sheets: Mapping[str, Path],
    ) -> None:
        self._sheets = dict(list(sheets.items())[:MAX_SHEETS])
        self._records = records
        self._root = root
        self._colours = colours
        self._max_pictures = pictures
        self._max_rows = rows
        self.num_shown = 0
        self.num_more = 0

    def __iter__(self) -> Iterator[RowView]:
        for index, record in enumerate(self._records):
            if index >= self._max_rows:
                self.num_more += 1
                continue
            self.num_shown += 1
            wanted = index < self._max_pictures and record["status"] != "error"
            yield self._row(record, thumbnail(located(self._root, record["path"])) if wanted else None)

    def _row(self, record: Record, picture: Thumbnail | None) -> RowView:
        answers = tuple(self._answer(task, answer) for task, answer in record["tasks"].items())
        seconds = (record["coverage"] or {}).get("asked_sec")
        num_shots = max((len(answer.get("shots", ())) for answer in record["tasks"].values()), default=0)
        sheet = self._sheets.get(record["path"])
        shown = data_uri(sheet.read_bytes(), "image/jpeg") if sheet is not None else ""
        return RowView(record["path"], record["status"], record["reason"], seconds, answers, picture, num_shots, shown)

    def _answer(self, task: str, answer: Record) -> AnswerView:
        ranked = sorted((answer.get("scores") or {}).items(), key=lambda pair: -pair[1])
        others = [pair for pair in ranked if pair[0] != answer["label"]][: MAX_SCORES - 1]
        windows = answer.get("windows") or ()
        stretches = segments(windows) if len(windows) > 1 else []
        text = answer.get("text") or ""
        return AnswerView(
            task=task,
            label=answer["label"],
            colour=self._colours.get((task, str(answer["label"]))),
            score=answer["score"],
            text=text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…",
            others=tuple(others),
            senses=tuple((answer.get("senses") or {}).items()),
            segments=tuple((stretch, self._colours.get((task, stretch.label))) for stretch in stretches),
            end_sec=stretches[-1].end_sec if stretches else 0.0,
        )


def located(root: Path, name: str) -> Path:
    """The file behind a record's name; ``root`` is what was given as input: a folder, a list or a file."""
    if root.is_dir():
        return root / name
    if root.suffix.lower() != ".txt":
        return root
    beside = root.parent / name
    return beside if beside.exists() else Path(name)


def _colours(labels: Mapping[str, Mapping[str, int]]) -> dict[tuple[str, str], int]:
    """The colour of each task's label; None, which a task says that gives text, has none."""
    return {
        (task, label): index % NUM_COLOURS
        for task, counts in labels.items()
        for index, label in enumerate(label for label in counts if label != "None")
    }


def write_prediction_report(
    path: Path,
    records: Iterable[Record],
    root: Path,
    summary: Mapping[str, Any],
    *,
    title: str = "Answers",
    max_pictures: int = MAX_PICTURES,
    max_rows: int = MAX_ROWS,
    sheets: Mapping[str, Path] | None = None,
) -> Path:
    """Write the page of a labelled folder to ``path``.

    Args:
        path: of the page.
        records: objects of ``predictions.jsonl``, taken one at a time and never held.
        root: the input that their paths are relative to: a folder, a ``.txt`` list, or the file itself.
        summary: the object of ``summary.json``.
        title: of the page.
        max_pictures: of files that are read again for a picture: the first so many.
        max_rows: of the table; the others are counted.
        sheets: JPEG files with a picture a shot, by the names of their films.
    """
    labels = summary.get("labels") or {}
    colours = _colours(labels)
    content = {
        "title": title,
        "summary": summary,
        "settings": flattened({key: value for key, value in summary.items() if key not in _COUNTS}),
        "labels": {
            task: [(label, count, colours.get((task, label))) for label, count in counts.items()]
            for task, counts in labels.items()
        },
        "rows": _Rows(records, root, colours, max_pictures, max_rows, sheets or {}),
        "num_peaks": NUM_PEAKS,
        "max_rows": max_rows,
    }
    return write_page(path, "predictions.html", content)
