"""Where the time of a training went, as a table and a picture in the run's folder."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from avpipe.files import write_text
from avpipe.report import write_shares_picture
from avpipe.training.data import Loading
from avpipe.training.ledger import LOADING, MEANINGS, STEPS, WAIT, Actions
from avpipe.training.loading import counted

_REST = "the rest"


def write_profile(folder: Path, actions: Actions, loading: Loading, device: torch.device) -> None:
    """Write ``profile.json``, ``profile.md`` and ``profile.png``, and tell in a line what most of it was.

    Args:
        folder: of the run.
        actions: what was measured, of this sitting of the run.
        loading: how its data was loaded.
        device: that trained.
    """
    told = {
        "device": str(device),
        "batch_size": loading.batch_size,
        "workers": loading.workers,
        "prefetch": loading.prefetch if loading.workers else 0,
        "threads": torch.get_num_threads(),
        "epochs": actions.epochs,
        "steps": actions.steps,
        **actions.ledger.told(),
    }
    steps_sec = sum(told["parts_sec"][part] for part in STEPS)
    told["waited"] = told["parts_sec"][WAIT] / steps_sec if steps_sec else 0.0
    told = _rounded(told)
    write_text(folder / "profile.json", json.dumps(told, indent=1) + "\n")
    write_text(folder / "profile.md", table(told))
    groups = {f"the training's process: {told['wall_sec']:.1f} s": told["parts_sec"]}
    if loading.workers:
        groups[f"beside it, in {_workers(told)}"] = {**told["in_workers_sec"], _REST: _rest_sec(told)}
    write_shares_picture(folder / "profile.png", _head(told), groups)
    most = max(STEPS, key=told["parts_sec"].__getitem__)
    print(f"profile: most of the steps' time is {most}; {told['waited']:.1%} of it waits for data: {folder}/profile.md")


def table(told: Mapping[str, Any]) -> str:
    """The same as Markdown; the first table sums to the seconds of the clock."""
    wall_sec = told["wall_sec"]
    lines = [f"# Where the time went\n\n{_head(told)}\n", *_header("part", "share", "what it is")]
    for name, seconds in told["parts_sec"].items():
        lines.append(f"| {name} | {seconds:.3f} | {seconds / wall_sec:.1%} | {MEANINGS[name]} |")
    lines.append(f"| **all** | **{wall_sec:.3f}** | | of the clock; the training's loop took {told['loop_sec']:.3f} |")
    lines.append(f"\nOf the time in steps {told['waited']:.1%} went by waiting for data.")
    if told["workers"]:
        able_sec = told["workers"] * told["loop_sec"]
        lines += [f"\nBeside it, in {_workers(told)}:\n", *_header("part", "share of their time", "what it is")]
        for name in LOADING:
            seconds = told["in_workers_sec"][name]
            lines.append(f"| {name} | {seconds:.3f} | {seconds / able_sec:.1%} | {MEANINGS[name]} |")
        what = "waiting for room, or handing over; loading for validation"
        lines.append(f"| {_REST} | {_rest_sec(told):.3f} | {_rest_sec(told) / able_sec:.1%} | {what} |")
    return "\n".join(lines) + "\n"


def _rest_sec(told: Mapping[str, Any]) -> float:
    """Of the workers' time, what no part of their work took."""
    return max(0.0, float(told["workers"] * told["loop_sec"] - sum(told["in_workers_sec"].values())))


def _header(*names: str) -> list[str]:
    first, share, last = names
    return [f"| {first} | seconds | {share} | {last} |", "|---|---:|---:|---|"]


def _head(told: Mapping[str, Any]) -> str:
    counts = f"{counted(told['epochs'], 'epoch')}, {counted(told['steps'], 'step')} of {told['batch_size']} windows"
    return f"{counts} on {told['device']}; {counted(told['threads'], 'thread')}, {_workers(told)}"


def _workers(told: Mapping[str, Any]) -> str:
    if not told["workers"]:
        return "no worker"
    return f"{counted(told['workers'], 'worker')} ({counted(told['prefetch'], 'batch', 'es')} each)"


def _rounded(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {key: _rounded(value) for key, value in node.items()}
    return round(node, 6) if isinstance(node, float) else node
