"""Files of answers: one function a format, from records in order to a file that is written whole."""

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from avpipe.errors import ArgumentError
from avpipe.files import written_whole
from avpipe.inference.label_tracks import write_audacity
from avpipe.inference.parquet import check_parquet, write_parquet, write_parquet_parts
from avpipe.inference.per_recording import Record
from avpipe.inference.shot_files import has_shots, write_edl, write_shot_table
from avpipe.inference.subtitles import write_srt, write_txt, write_vtt
from avpipe.inference.voice_files import write_npy, write_rttm

Writer = Callable[[Path, Iterable[Record]], Path]


def write_jsonl(folder: Path, records: Iterable[Record]) -> Path:
    """``predictions.jsonl``: one object a file, a line each."""
    path = folder / "predictions.jsonl"
    with written_whole(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        for record in records:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
    return path


def write_csv(folder: Path, records: Iterable[Record]) -> Path:
    """``predictions.csv``: a row for each file and task; a file without an answer has one row with empty cells.

    Of a film whose shots were looked for, how many there are, and beside its name all of them: ``<film>.shots.csv``.
    """
    path = folder / "predictions.csv"
    with written_whole(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["path", "status", "reason", "task", "label", "score", "text", "num_shots"])
        for record in records:
            head = [record["path"], record["status"], record["reason"]]
            for task, answer in record["tasks"].items() or [("", {})]:
                shots = len(answer["shots"]) if has_shots(answer) else None
                rows.writerow([*head, task, *(answer.get(key) for key in ("label", "score", "text")), shots])
            write_shot_table(folder, record)
    return path


WRITERS: Mapping[str, Writer] = {
    "jsonl": write_jsonl,
    "csv": write_csv,
    "srt": write_srt,
    "vtt": write_vtt,
    "txt": write_txt,
    "npy": write_npy,
    "rttm": write_rttm,
    "audacity": write_audacity,
    "parquet": write_parquet,
    "edl": write_edl,
}


def writers(names: Sequence[str], in_parts: bool = False) -> list[Writer]:
    """The functions of these formats.

    Args:
        names: of the formats.
        in_parts: a table of columns becomes a folder of several files, as what reads them side by side expects.

    Raises:
        ArgumentError: for a format that is none, or that cannot be written here.
    """
    for name in names:
        if name not in WRITERS:
            raise ArgumentError(f"format={name}", "no such format", f"choose from: {', '.join(WRITERS)}")
    if "parquet" in names:
        check_parquet()
    known = {**WRITERS, "parquet": write_parquet_parts} if in_parts else WRITERS
    return [known[name] for name in names]
