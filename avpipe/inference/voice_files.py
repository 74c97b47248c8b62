"""Answers about voices as files: vectors as an array, turns as RTTM."""

import csv
import re
import sys
from array import array
from collections.abc import Iterable, Mapping
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

    Blanks in names become ``_``, as blanks part the fields; of two names that would be one the other is ``a_b_2``, and
    standard error tells so.

    Reference:
        NIST, "The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation Plan", 2009, appendix A.
    """
    # All names are known before the first is written; of the records nothing else is kept.
    kept = [
        {
            "path": record["path"],
            "tasks": {
                task: {"turns": answer.get("turns", ())}
                for task, answer in record["tasks"].items()
                if "embedding" in answer
            },
        }
        for record in records
    ]
    turns = [turn for record in kept for answer in record["tasks"].values() for turn in answer["turns"]]
    recordings, voices = _unblank(record["path"] for record in kept), _unblank(turn["label"] for turn in turns)

    def content(record: Record, answer: Record) -> str:
        return "".join(
            f"SPEAKER {recordings[record['path']]} 1 {turn['start_sec']:.3f} "
            f"{turn['end_sec'] - turn['start_sec']:.3f} <NA> <NA> {voices[turn['label']]} <NA> <NA>\n"
            for turn in answer["turns"]
        )

    return write_each(folder, kept, ".rttm", lambda _: True, content)


def _unblank(names: Iterable[str]) -> Mapping[str, str]:
    """Each name as one without blanks, no two of them the same; those that have none keep theirs."""
    asked = sorted(set(names), key=lambda name: (bool(re.search(r"\s", name)), name))
    given: dict[str, str] = {}
    taken: set[str] = set()
    for name in asked:
        plain = given[name] = re.sub(r"\s", "_", name)
        number = 1
        while given[name] in taken:
            number += 1
            given[name] = f"{plain}_{number}"
        taken.add(given[name])
        if number > 1:
            print(f"warning: format=rttm: {name!r} is written {given[name]}, as {plain} is another", file=sys.stderr)
    return given
