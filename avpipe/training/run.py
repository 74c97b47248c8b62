"""The folder of one training run, and the rule by which the same command finds it again."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from avpipe.errors import ArgumentError
from avpipe.files import write_text

_NOT_RESULT = ("run_dir", "device", "workers", "logger")
_PATHS = re.compile(r"root|path|weights")


def config_digest(config: Mapping[str, Any]) -> str:
    """Eight hexadecimal digits of what determines a result: no paths, device, workers or logger."""
    return hashlib.sha256(json.dumps(_result_part(config), sort_keys=True).encode()).hexdigest()[:8]


def _result_part(node: Any) -> Any:
    if isinstance(node, Mapping):
        kept = {key: value for key, value in node.items() if key not in _NOT_RESULT and not _PATHS.fullmatch(key)}
        return {key: _result_part(value) for key, value in kept.items()}
    return [_result_part(value) for value in node] if isinstance(node, list) else node


def open_run(config: Mapping[str, Any], corpus: str) -> Path:
    """The run's folder, made where it is missing.

    Raises:
        ArgumentError: if the folder holds a run of another configuration.
    """
    digest = config_digest(config)
    folder = Path(config["run_dir"] or f"runs/{config['task']['name']}-{corpus}-{digest}")
    record = folder / "config.json"
    if record.is_file() and config_digest(json.loads(record.read_text(encoding="utf-8"))) != digest:
        raise ArgumentError(f"run_dir={folder}", "holds a run of another configuration", "name another folder")
    write_text(record, json.dumps(config, indent=2) + "\n")
    return folder


def claim_split(folder: Path, sha256: str) -> None:
    """Bind the run to the examples that it learns from.

    Raises:
        ArgumentError: if it was begun on others, as two corpora of one layout have the same configuration.
    """
    record = folder / "split.sha256"
    if record.is_file() and record.read_text(encoding="utf-8").strip() != sha256:
        raise ArgumentError(f"run_dir={folder}", "was begun on other files or labels", "name another folder")
    write_text(record, sha256 + "\n")
