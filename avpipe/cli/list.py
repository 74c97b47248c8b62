"""avpipe list: tasks, corpora, encoders, augmentations, experiments, bundles

usage: avpipe list [format=table|json]
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from avpipe.bundle import find_bundle, read_origin, shipped_bundles
from avpipe.cli.command import run
from avpipe.config import conf_dir
from avpipe.errors import ArgumentError

GROUPS = ("task", "corpus", "encoder", "augment", "experiment")


def main(config: Mapping[str, Any]) -> int:
    if config["format"] not in ("table", "json"):
        raise ArgumentError(f"format={config['format']}", "no such format", "choose from: table, json")
    found = {group: _options(conf_dir() / group) for group in GROUPS}
    found["bundle"] = {name: _told(name) for name in shipped_bundles()}
    if config["format"] == "json":
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    table = Table("kind", "name", "what it is")
    for group, options in found.items():
        for name, told in options.items():
            table.add_row(group, name, told)
    Console(markup=False, emoji=False).print(table)
    return 0


def _options(folder: Path) -> dict[str, str]:
    """What each YAML of a group says of itself in its first comment."""
    found = {}
    for path in sorted(folder.glob("*.yaml")):
        comments = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# ")]
        found[path.stem] = next((line[2:] for line in comments if not line.startswith("# @")), "")
    return found


def _told(name: str) -> str:
    origin = read_origin(find_bundle(name))
    return f"{origin.label} by {origin.corpus}; {origin.licence}"


if __name__ == "__main__":
    sys.exit(run("list", main))
