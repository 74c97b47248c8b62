"""``answers.csv``: every scored answer of an evaluation beside the truth, for tables, pages and other programs."""

import csv
from collections.abc import Sequence
from pathlib import Path

from avpipe.files import written_whole
from avpipe.report import ScoredAnswer

_COLUMNS = ("path", "name", "start_sec", "end_sec", "group", "target", "label", "score")


def write_answers(path: Path, answers: Sequence[ScoredAnswer]) -> None:
    """Write a row an answer, the score of each label behind; numbers come back as they were."""
    labels = list(answers[0].scores) if answers else []
    with (
        written_whole(path) as part,
        part.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow([*_COLUMNS, *labels])
        for answer in answers:
            told = [getattr(answer, column) for column in _COLUMNS]
            rows.writerow(["" if value is None else value for value in told] + list(answer.scores.values()))


def read_answers(path: Path) -> list[ScoredAnswer]:
    """The answers that :func:`write_answers` wrote."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        heading, *rows = csv.reader(file)
    labels = heading[len(_COLUMNS) :]
    answers = []
    for row in rows:
        name = dict(zip(_COLUMNS, row, strict=False))
        scores = (float(score) for score in row[len(_COLUMNS) :])
        answers.append(
            ScoredAnswer(
                path=Path(name["path"]),
                name=name["name"],
                start_sec=float(name["start_sec"]),
                end_sec=float(name["end_sec"]) if name["end_sec"] else None,
                group=name["group"],
                target=name["target"],
                label=name["label"],
                score=float(name["score"]) if name["score"] else 0.0,
                scores=dict(zip(labels, scores, strict=True)),
            )
        )
    return answers
