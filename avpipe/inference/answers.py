"""``answers.csv``: every scored answer of an evaluation beside the truth, for tables, pages and other programs."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from avpipe.files import written_whole
from avpipe.report import ScoredAnswer

EMBEDDINGS = "embeddings.npy"

_COLUMNS = ("path", "name", "start_sec", "end_sec", "group", "target", "label", "score")


def write_answers(path: Path, answers: Sequence[ScoredAnswer]) -> None:
    """Write a row an answer, the score of each label behind; numbers come back as they were.

    Embeddings, where there are any, go beside it: ``embeddings.npy``, a row an answer.
    """
    if any(answer.embedding for answer in answers):
        with written_whole(path.with_name(EMBEDDINGS)) as part, part.open("wb") as file:
            np.save(file, np.array([answer.embedding for answer in answers], dtype=np.float32))
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
    beside = path.with_name(EMBEDDINGS)
    embeddings = np.load(beside).tolist() if beside.is_file() else [()] * len(rows)
    answers = []
    for row, embedding in zip(rows, embeddings, strict=True):
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
                embedding=tuple(embedding),
            )
        )
    return answers
