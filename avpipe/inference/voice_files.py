"""Answers about voices as files: vectors as an array, turns as RTTM."""

import csv
import re
from array import array
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from avpipe.files import written_whole
from avpipe.inference.per_recording import Record, write_each


def write_npy(folder: Path, records: Iterable[Record]) -> Path:
    """``embeddings.npy`` (rows, dim), float32, and ``embeddings.csv`` with ``row``, ``path`` and ``task`` of each row.

    A recording without a vector has none. Of several tasks with vectors each has a pair of files of its own, such as
    ``embeddings.speaker.npy``.
    """
    rows: dict[str, array[float]] = {}
    paths: dict[str, list[str]] = {}
    for record in records:
        for task, answer in record["tasks"].items():
            if "embedding" in answer:
                rows.setdefault(task, array("f")).extend(answer["embedding"])
                paths.setdefault(task, []).append(record["path"])
    for task in rows or ("",):
        stem = f"embeddings.{task}" if len(rows) > 1 else "embeddings"
        named = paths.get(task, [])
        vectors = np.array(rows.get(task, ()), np.float32).reshape(len(named), -1 if named else 0)
        with written_whole(folder / f"{stem}.npy") as part, part.open("wb") as file:
            np.save(file, vectors)
        with (
            written_whole(folder / f"{stem}.csv") as part,
            part.open("w", encoding="utf-8", newline="") as table,
        ):
            lines = csv.writer(table, lineterminator="\n")
            lines.writerow(["row", "path", "task"])
            lines.writerows([row, path, task] for row, path in enumerate(named))
    return folder


def write_rttm(folder: Path, records: Iterable[Record]) -> Path:
    """``<recording>.rttm`` for each answer about a voice: a line a turn, none where nobody speaks.

    Blanks in names become ``_``, as blanks part the fields.

    Reference:
        NIST, "The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation Plan", 2009, appendix A.
    """

    def content(record: Record, answer: Record) -> str:
        name = _unblank(record["path"])
        return "".join(
            f"SPEAKER {name} 1 {turn['start_sec']:.3f} {turn['end_sec'] - turn['start_sec']:.3f} <NA> <NA> "
            f"{_unblank(turn['label'])} <NA> <NA>\n"
            for turn in answer.get("turns", ())
        )

    return write_each(folder, records, ".rttm", lambda answer: "embedding" in answer, content)


def _unblank(name: str) -> str:
    return re.sub(r"\s", "_", name)
