"""The page of a labelled folder, written while the records stream in."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from avpipe.media import FILM_SUFFIXES
from avpipe.report.images import data_uri
from avpipe.report.page import flattened, link, write_page
from avpipe.report.row_files import ROWS_A_FILE, RowFiles, script_json
from avpipe.report.sketch import Thumbnail
from avpipe.report.timeline import segments

Record = Mapping[str, Any]

MAX_SCORES = 3
MAX_TEXT = 400
NUM_COLOURS = 10

_COUNTS = frozenset(("num_files", "statuses", "seconds", "labels"))


class _Rows:
    """What the page finds files by, record by record when the template asks for it; the rest of each goes elsewhere."""

    def __init__(self, records: Iterable[Record], view: "_View", files: RowFiles) -> None:
        self._records = records
        self._view = view
        self.files = files
        self.num_rows = 0

    def __iter__(self) -> Iterator[Markup]:
        for record in self._records:
            self.files.add(self._view.row(record))
            self.num_rows += 1
            yield script_json(_found_by(record))
        self.files.finish()

    @property
    def first(self) -> Markup:
        """The rows that stand in the page itself."""
        return script_json(self.files.first)

    @property
    def others(self) -> Markup:
        """The files in which the others stand, relative to the page."""
        return script_json([f"{self.files.folder.name}/{name}" for name in self.files.names])


def _found_by(record: Record) -> list[Any]:
    """Name, status, reason, and of each task its name, label and score."""
    answers = [[task, answer["label"], _rounded(answer["score"])] for task, answer in record["tasks"].items()]
    return [record["path"], record["status"], record["reason"], answers]


class _View:
    """Rows as they are shown.

    Args:
        page: where they are shown.
        find: the file behind a record's name.
        colours: of each task's labels.
        thumbnail: small pictures by the names of records.
        sheets: JPEG files with a picture a shot, by the names of films.
    """

    def __init__(
        self,
        page: Path,
        find: Callable[[str], Path],
        colours: Mapping[tuple[str, str], int],
        thumbnail: Callable[[str], Thumbnail | None],
        sheets: Mapping[str, Path],
    ) -> None:
        self._page = page
        self._find = find
        self._colours = colours
        self._thumbnail = thumbnail
        self._sheets = sheets

    def row(self, record: Record) -> dict[str, Any]:
        """What the script of the page makes a row of."""
        name = record["path"]
        picture, sheet, path = self._thumbnail(name), self._sheets.get(name), self._find(name)
        num_shots = max((len(answer.get("shots", ())) for answer in record["tasks"].values()), default=0)
        return {
            "seconds": (record["coverage"] or {}).get("asked_sec"),
            "link": _address(name, path, self._page),
            "film": path.suffix.lower() in FILM_SUFFIXES,
            "picture": [data_uri(picture.jpeg, "image/jpeg"), picture.alt] if picture is not None else None,
            "answers": [self._answer(task, answer) for task, answer in record["tasks"].items()],
            "shots": num_shots,
            "sheet": link(sheet, self._page) if sheet is not None else "",
        }

    def _answer(self, task: str, answer: Record) -> dict[str, Any]:
        ranked = sorted((answer.get("scores") or {}).items(), key=lambda pair: -pair[1])
        others = [pair for pair in ranked if pair[0] != answer["label"]][: MAX_SCORES - 1]
        windows = answer.get("windows") or ()
        text = answer.get("text") or ""
        return {
            "colour": self._colours.get((task, str(answer["label"]))),
            "text": text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…",
            "others": [[label, _rounded(score)] for label, score in others if score >= 0.005],
            "senses": list((answer.get("senses") or {}).items()),
            "stretches": [
                [one.start_sec, one.end_sec, one.label, _rounded(one.score), self._colours.get((task, one.label))]
                for one in (segments(windows) if len(windows) > 1 else ())
            ],
        }


def _address(name: str, path: Path, page: Path) -> str:
    """Where a player finds a file; empty for one that a browser cannot fetch."""
    if "://" in name and not path.exists():
        return name if name.startswith(("http://", "https://")) else ""
    return link(path, page)


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 3)


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
    thumbnail: Callable[[str], Thumbnail | None] = lambda name: None,
    sheets: Mapping[str, Path] | None = None,
    notices: Sequence[str] = (),
) -> Path:
    """Write the page of a labelled folder to ``path``, and its rows into the folder ``<page>.rows`` beside it.

    The page has what is needed to find a file, and its first rows; the others it loads as one comes to them. Players
    refer to the media, relative to the page.

    Args:
        path: of the page.
        records: objects of ``predictions.jsonl``, taken one at a time and never held.
        root: the input that their paths are relative to: a folder, a ``.txt`` list, or the file itself.
        summary: the object of ``summary.json``.
        title: of the page.
        thumbnail: small pictures by the names of records.
        sheets: JPEG files with a picture a shot, by the names of their films.
        notices: what is to be known of the bundles, a line each.
    """
    labels = summary.get("labels") or {}
    colours = _colours(labels)
    files = RowFiles(path.with_name(f"{path.stem}.rows"))
    view = _View(path, lambda name: located(root, name), colours, thumbnail, sheets or {})
    content = {
        "title": title,
        "summary": summary,
        "notices": notices,
        "settings": flattened({key: value for key, value in summary.items() if key not in _COUNTS}),
        "labels": {
            task: [(label, count, colours.get((task, label))) for label, count in counts.items()]
            for task, counts in labels.items()
        },
        "rows": _Rows(records, view, files),
        "rows_a_file": ROWS_A_FILE,
    }
    write_page(path, "predictions.html", content)
    files.remove_others()
    return path
