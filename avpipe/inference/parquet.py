"""Answers as a table of columns, for what reads millions of rows."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from avpipe.errors import ArgumentError
from avpipe.files import written_whole
from avpipe.inference.per_recording import Record

_ROWS = 10_000
"""Of a group, which is held in memory."""


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
    import pyarrow
    import pyarrow.parquet

    schema = pyarrow.schema(
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
    path = folder / "predictions.parquet"
    with written_whole(path) as part, pyarrow.parquet.ParquetWriter(part, schema) as writer:
        rows = _rows(records)
        while group := list(islice(rows, _ROWS)):
            writer.write_table(pyarrow.Table.from_pylist(group, schema))
    return path


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
