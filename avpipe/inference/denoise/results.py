"""``denoise.jsonl``, and what the terminal is told."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from avpipe.errors import ArgumentError
from avpipe.files import written_whole
from avpipe.media import MediaError, probe

Record = Mapping[str, Any]


def write_rows(path: Path, records: Iterable[Record]) -> None:
    """One object a file, a line each."""
    with written_whole(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        for record in records:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def totals_of(records: Iterable[Record], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Files by status and by what was done, and seconds of sound, besides the settings."""
    statuses: Counter[str] = Counter()
    actions: Counter[str] = Counter()
    seconds, warned = 0.0, 0
    for record in records:
        statuses[record["status"]] += 1
        actions[record["action"] or "failed"] += 1
        seconds += record["duration_sec"] or 0.0
        warned += bool(record["warnings"])
    return {
        **settings,
        "num_files": sum(statuses.values()),
        "statuses": dict(sorted(statuses.items())),
        "actions": dict(sorted(actions.items())),
        "sound_sec": round(seconds, 3),
        "num_warned": warned,
    }


def print_totals(totals: Mapping[str, Any], records: Iterable[Record], num_kept: int, output: Path) -> None:
    """Print what :func:`totals_of` found, and every file that failed.

    Args:
        totals: as :func:`totals_of` returns them.
        records: all of them.
        num_kept: files that were done before.
        output: folder of the cleaned files.
    """
    console = Console(markup=False, emoji=False)
    for record in records:
        if record["status"] == "error":
            console.print(record["reason"], soft_wrap=True, highlight=False)
    actions = ", ".join(f"{count} {action}" for action, count in totals["actions"].items())
    kept = f" ({num_kept} done before)" if num_kept else ""
    partial = totals["statuses"].get("partial", 0)
    lost = f"; of {partial} a part is lost" if partial else ""
    warned = f"; {totals['num_warned']} with warnings in denoise.jsonl" if totals["num_warned"] else ""
    files = "1 file" if totals["num_files"] == 1 else f"{totals['num_files']} files"
    console.print(f"{files}: {actions}{kept}{lost}{warned}", soft_wrap=True, highlight=False)
    console.print(f"cleaned: {output}", soft_wrap=True, highlight=False)


def print_row(record: Record) -> None:
    """Print what was done to one file."""
    console = Console(markup=False, emoji=False)
    reason = f" ({record['reason']})" if record["reason"] else ""
    console.print(f"{record['output']}: {record['action']}{reason}", soft_wrap=True, highlight=False)
    for one in record["streams"]:
        console.print(_told(one), soft_wrap=True, highlight=False)
    for line in record["warnings"]:
        console.print(f"note: {line}", soft_wrap=True, highlight=False)


def _told(stream: Record) -> str:
    """One audio stream in a line."""
    form = f"{stream['codec_written']} {stream['sample_rate']} Hz {stream['channels']} ch"
    line = f"stream {stream['index']}, {form}, {stream['samples'] / stream['sample_rate']:.2f} s"
    if stream["snr_before_db"] is not None:
        line += f": SNR {stream['snr_before_db']:.1f} dB, now {stream['snr_after_db']:.1f} dB"
        line += f"; speech {round(stream['level_change_db'], 1) + 0.0:+.1f} dB"
    return line


def page_path(wanted: Any, usual: Path | None) -> Path | None:
    """Where the page goes, if there is to be one.

    Args:
        wanted: the value of ``report``: auto, true, false, null, or a path.
        usual: its place for ``auto``; None where there is none.

    Raises:
        ArgumentError: for ``true`` where there is no usual place.
    """
    if wanted in (False, None, "false", "null", ""):
        return None
    if wanted in (True, "true") and usual is None:
        raise ArgumentError("report=true", "a single file's page needs a name", "write report=page.html")
    return usual if wanted in (True, "true", "auto") else Path(str(wanted))


def duration_of(path: Path) -> float | None:
    """Seconds that a file's header promises."""
    try:
        return probe(path).end_sec
    except MediaError:
        return None
