"""One training of several processes, which Lightning starts or torchrun and SLURM do."""

from collections.abc import Mapping
from typing import Any

from pytorch_lightning.utilities import rank_zero_only

from avpipe.errors import ArgumentError

STRATEGIES = (
    "auto",
    "ddp",
    "ddp_find_unused_parameters_false",
    "ddp_find_unused_parameters_true",
)


def is_first_process() -> bool:
    """Whether this process writes and tells: the only one, or that of rank zero."""
    return int(getattr(rank_zero_only, "rank", 0)) == 0


def num_processes(trainer: Mapping[str, Any]) -> int:
    """Of a training with these settings of its trainer."""
    return int(trainer["devices"]) * int(trainer["num_nodes"])


def check_processes(trainer: Mapping[str, Any]) -> None:
    """Refuse numbers and strategies that there are not.

    Raises:
        ArgumentError: naming the key and what it takes.
    """
    for key in ("devices", "num_nodes"):
        if trainer[key] < 1:
            raise ArgumentError(f"trainer.{key}={trainer[key]}", "must be at least 1")
    if trainer["strategy"] not in STRATEGIES:
        choices = f"choose from: {', '.join(STRATEGIES)}"
        raise ArgumentError(f"trainer.strategy={trainer['strategy']}", "no such choice", choices)


def check_changes(trainer: Mapping[str, Any], changes: bool) -> None:
    """Refuse layers that begin to learn later where processes have agreed on what learns.

    Raises:
        ArgumentError: naming the strategy that can.
    """
    if changes and num_processes(trainer) > 1 and trainer["strategy"] != "ddp_find_unused_parameters_true":
        reason = "with transfer=staged what learns changes, which this strategy does not follow"
        remedy = "give trainer.strategy=ddp_find_unused_parameters_true"
        raise ArgumentError(f"trainer.strategy={trainer['strategy']}", reason, remedy)
