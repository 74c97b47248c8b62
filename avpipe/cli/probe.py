"""avpipe probe: what a file holds, and what is damaged

usage: avpipe probe [input=]PATH [format=table|json] [decode=true|false]

  input    a media file, a .txt list of paths (one a line), or a folder
  format   table or json
  decode   true decodes everything and tells the damage; false tells what the headers say

exit status: 0 every file can be read, 1 some cannot, 2 unusable arguments
"""

import dataclasses
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from avpipe.cli.command import run
from avpipe.errors import ArgumentError
from avpipe.inference.inputs import find_jobs
from avpipe.media import MediaError, MediaInfo, probe


def main(config: Mapping[str, Any]) -> int:
    if config["format"] not in ("table", "json"):
        raise ArgumentError(f"format={config['format']}", "no such format", "choose from: table, json")
    found: dict[str, MediaInfo | MediaError] = {}
    for job in find_jobs(Path(config["input"])):
        try:
            found[job.name] = probe(job.path, decode=config["decode"])
        except MediaError as error:
            found[job.name] = error
    if config["format"] == "json":
        rows = [{**_plain(info), "path": name} for name, info in found.items()]
        print(json.dumps(rows, indent=2, ensure_ascii=False, default=str))
    else:
        Console(markup=False, emoji=False).print(_table(found))
    return 1 if any(isinstance(info, MediaError) for info in found.values()) else 0


def _plain(info: MediaInfo | MediaError) -> dict[str, Any]:
    return {"error": str(info)} if isinstance(info, MediaError) else dataclasses.asdict(info)


def _table(found: Mapping[str, MediaInfo | MediaError]) -> Table:
    table = Table(Column("path", overflow="fold"), "format", "seconds", "sound", "picture", "damage")
    for name, info in found.items():
        if isinstance(info, MediaError):
            table.add_row(name, "-", "-", "-", "-", f"{info.reason}")
            continue
        sound = "\n".join(f"{s.codec} {s.sample_rate} Hz {s.channels} ch" for s in info.audio) or "-"
        picture = "\n".join(
            f"{s.codec} {s.width}x{s.height}" + (f" turned {s.rotation_deg}" if s.rotation_deg else "")
            for s in info.video
        )
        seconds = "?" if info.duration_sec is None else f"{info.duration_sec:.2f}"
        table.add_row(name, info.format, seconds, sound, picture or "-", _damage(info))
    return table


def _damage(info: MediaInfo) -> str:
    if info.coverage is None:
        return "not looked for"
    return "; ".join(info.coverage.losses()) or "none"


if __name__ == "__main__":
    sys.exit(run("probe", main, positional=("input",)))
