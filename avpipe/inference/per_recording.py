"""Files beside the name of each recording, in the output folder."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from avpipe.files import write_text

Record = Mapping[str, Any]


def write_each(
    folder: Path,
    records: Iterable[Record],
    suffix: str,
    has: Callable[[Record], bool],
    content: Callable[[Record, Record], str],
) -> Path:
    """Write ``<recording><suffix>`` for each answer that has what is to be written.

    Args:
        folder: of the output.
        records: as in ``predictions.jsonl``.
        suffix: with its point.
        has: whether there is a file for a task's answer.
        content: of it, from the record and the task's answer.
    """
    for record in records:
        answers = {task: answer for task, answer in record["tasks"].items() if has(answer)}
        for task, answer in answers.items():
            # One of them has the recording's name, several have their tasks' besides.
            ending = suffix if len(answers) == 1 else f".{task}{suffix}"
            path = beside(folder, record["path"], ending)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, content(record, answer))
    return folder


def beside(folder: Path, name: str, ending: str) -> Path:
    """Of a recording's own file below the output, wherever a list took the recording from."""
    parts = (part for part in PurePosixPath(name).parts if part not in ("/", "..", "."))
    return folder / f"{PurePosixPath(*parts).as_posix()}{ending}"
