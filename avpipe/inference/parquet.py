"""Answers as a table of columns, for what reads millions of rows."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avpipe.errors import ArgumentError
from avpipe.files import folder_written_whole, remove_whole, written_whole
from avpipe.inference.per_recording import Record

if TYPE_CHECKING:
    import pyarrow

_NAME = "predictions.parquet"

_ROWS = 10_000
"""Of a group, which is held in memory, and of a part."""


def check_parquet() -> None:
    """
    Raises:
        ArgumentError: if pyarrow is not installed.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise ArgumentError("format=parquet", "pyarrow is not installed", 'pip install "avpipe[scale]"') from error


def write_parquet(folder: Path, records: Iterable[Record]) -> Path:
    """``predictions.parquet``: a row for each file and task, as in ``predictions.csv``, with seconds and all scores.

    The column ``answer`` has the whole answer as JSON. A file without an answer has one row without a task.
    """
    from pyarrow.parquet import ParquetWriter

    path = folder / _NAME
    with written_whole(path) as part:
        with ParquetWriter(part, _schema()) as writer:
            for table in _tables(records):
                writer.write_table(table)
        if path.is_dir():
            remove_whole(path)
    return path


def write_parquet_parts(folder: Path, records: Iterable[Record]) -> Path:
    """``predictions.parquet`` as a folder: ``part-00000.parquet`` and so on, which together have the rows of the file.

    By name the parts are in the order of the rows. The folder appears with all of them, in place of the one before, so
    that no reader finds rows twice.
    """
    from pyarrow.parquet import write_table

    path = folder / _NAME
    with folder_written_whole(path) as parts:
        for number, table in enumerate(_tables(records)):
            write_table(table, parts / f"part-{number:05}.parquet")
    return path


def _tables(records: Iterable[Record]) -> "Iterator[pyarrow.Table]":
    """Groups of rows; at least one, which without records is empty."""
    import pyarrow

    schema, rows = _schema(), _rows(records)
    group = list(islice(rows, _ROWS))
    yield pyarrow.Table.from_pylist(group, schema)
    while group := list(islice(rows, _ROWS)):
        yield pyarrow.Table.from_pylist(group, schema)


def _schema() -> "pyarrow.Schema":
    import pyarrow

    return pyarrow.schema(
        [
            *((name, pyarrow.string()) for name in ("path", "status", "reason", "task", "label")),
            ("score", pyarrow.float64()),
            ("text", pyarrow.string()),
            *((name, pyarrow.float64()) for name in ("asked_sec", "decoded_sec", "lost_sec")),
            *((name, pyarrow.int64()) for name in ("frames_decoded", "frames_lost")),
            ("scores", pyarrow.map_(pyarrow.string(), pyarrow.float64())),
            ("answer", pyarrow.string()),
        ]
    )


def _rows(records: Iterable[Record]) -> Iterator[dict[str, Any]]:
    for record in records:
        row = {name: record[name] for name in ("path", "status", "reason")}
        row.update(record["coverage"] or {})
        for task, answer in record["tasks"].items():
            scores = list((answer.get("scores") or {}).items())
            told = {name: answer.get(name) for name in ("label", "score", "text")}
            yield {**row, **told, "task": task, "scores": scores, "answer": json.dumps(answer, ensure_ascii=False)}
        if not record["tasks"]:
            yield row
