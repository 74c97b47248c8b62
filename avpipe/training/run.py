"""The folder of one run, and the rule by which the same command finds it again."""

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from avpipe.errors import ArgumentError
from avpipe.files import write_text
from avpipe.training.processes import is_first_process

_NOT_RESULT = (
    "run_dir", "device", "workers", "threads", "prefetch", "logger", "max_gb", "features_on_device", "profile",
)  # fmt: skip
_RESULTS = ("lr.json", "checkpoints", "bundle", "*/lr.json", "*/checkpoints", "*/bundle")
"""Of these one at least stands in a folder where something was learned."""
_PATHS = re.compile(r"root|path")
_TOLD_ELSEWHERE = ("_target_", "label", "root", "path", "speech", "noise")
"""Of a corpus's arguments: its name, its label, and where on this machine it lies."""


def config_digest(config: Mapping[str, Any]) -> str:
    """Eight hexadecimal digits of what determines a result: no paths, device, workers or logger, nor
    whether it was measured.

    Of weights to begin with it is the file's name, so that they may move, and their folder is no part of it.
    """
    return hashlib.sha256(json.dumps(_result_part(config), sort_keys=True).encode()).hexdigest()[:8]


def _result_part(node: Any) -> Any:
    if isinstance(node, Mapping):
        kept = {key: value for key, value in node.items() if key not in _NOT_RESULT and not _PATHS.fullmatch(key)}
        return {
            key: os.path.basename(value) if key == "weights" and isinstance(value, str) else _result_part(value)
            for key, value in kept.items()
        }
    return [_result_part(value) for value in node] if isinstance(node, list) else node


def corpus_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """What was chosen of the corpus, as a bundle's card tells it."""
    chosen = config["corpus"].items()
    return {key: value for key, value in chosen if key not in _TOLD_ELSEWHERE and value not in (None, [])}


def run_folder(config: Mapping[str, Any], corpus: str) -> Path:
    """Where the run that ``config`` describes is kept.

    Raises:
        ArgumentError: if a file stands there.
    """
    folder = Path(config["run_dir"] or f"runs/{config['task']['name']}-{corpus}-{config_digest(config)}")
    if folder.exists() and not folder.is_dir():
        raise ArgumentError(f"run_dir={folder}", "is a file", "name a folder")
    return folder


def claim(folder: Path, config: Mapping[str, Any], split_sha256: str) -> None:
    """Bind a folder to a configuration and to the examples that it learns from.

    One in which nothing was learned yet, as its configuration was refused, can be bound to another.

    Raises:
        ArgumentError: if the folder holds a run of another configuration, or one begun on other examples, as two
            corpora of one layout have the same configuration.
    """
    record = folder / "config.json"
    begun = any(next(folder.glob(result), None) for result in _RESULTS)
    if begun and record.is_file() and config_digest(_read(record)) != config_digest(config):
        raise ArgumentError(f"run_dir={folder}", "holds a run of another configuration", "name another folder")
    split = folder / "split.sha256"
    if begun and split.is_file() and split.read_text(encoding="utf-8").strip() != split_sha256:
        raise ArgumentError(f"run_dir={folder}", "was begun on other files or labels", "name another folder")
    if is_first_process():
        write_text(record, json.dumps(config, indent=2) + "\n")
        write_text(split, split_sha256 + "\n")


def claim_sweep(folder: Path) -> None:
    """Refuse a folder that holds a single run for a sweep.

    Raises:
        ArgumentError: if it does.
    """
    if (folder / "config.json").is_file():
        raise ArgumentError(f"run_dir={folder}", "holds a training and no sweep", "name another folder")


def _read(record: Path) -> dict[str, Any]:
    try:
        found = json.loads(record.read_text(encoding="utf-8"))
        return dict(found)
    except (ValueError, TypeError) as error:
        raise ArgumentError(record, "is not a configuration", "name another run_dir") from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a second run out of a folder, as long as this process lives.

    Raises:
        ArgumentError: if another run is at work in it.
    """
    if not is_first_process():  # which holds the lock for all
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            remedy = "wait for it, or name another folder"
            raise ArgumentError(f"run_dir={folder}", "another run is at work in it", remedy) from error
        yield
