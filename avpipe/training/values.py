"""What the values of a training's configuration may be."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from avpipe.device import worker_count
from avpipe.errors import ArgumentError
from avpipe.training.loading import num_ready, num_threads
from avpipe.training.processes import check_processes

LOGGERS = ("csv", "tensorboard")

_LAST_SEED = 2**32 - 1
"""As numpy and torch take them."""


def check_values(config: Mapping[str, Any]) -> None:
    """Refuse what would only fail, or do nothing, once the run has begun.

    Raises:
        ArgumentError: naming the key and what it takes.
    """
    at_least_one = (
        ("data", "batch_size"),
        ("data", "passes"),
        ("trainer", "max_epochs"),
        ("trainer", "accumulate_grad_batches"),
    )
    for group, key, least in (*((*each, 1) for each in at_least_one), ("optim", "lr", 1e-12)):
        if not config[group][key] >= least:  # nor is what is no number
            reason = "must be positive" if least < 1 else f"must be at least {least}"
            raise ArgumentError(f"{group}.{key}={config[group][key]}", reason)
    check_processes(config["trainer"])
    _check_seeds(config["seed"], config["seeds"])
    patience = config["patience"]
    if patience is not None and not (type(patience) is int and patience >= 1):
        raise ArgumentError(f"patience={patience}", "is no number of epochs", "give 1 or more, or null")
    if not 0 <= config["ema_decay"] < 1:
        raise ArgumentError(f"ema_decay={config['ema_decay']}", "is no part", "give a number from 0 to below 1")
    if config["data"]["features_on_device"] not in ("auto", True, False):
        _choose("data.features_on_device", config["data"]["features_on_device"], ("auto", "true", "false"))
    worker_count(config["data"]["workers"])
    num_threads(config["data"]["threads"])
    num_ready(config["data"]["prefetch"], config["cache"]["kind"])
    _choose("select", config["select"], ("last", "best"))
    _choose("data.sampling", config["data"]["sampling"], ("natural", "balanced", "companions"))
    for name in logger_names(config):
        _choose("logger", name, LOGGERS)
        if name == "tensorboard" and not (find_spec("tensorboard") or find_spec("tensorboardX")):
            raise ArgumentError("logger=tensorboard", "is not installed", "pip install avpipe[tensorboard]")
    if not 0 <= config["calibration"]["refuse_right"] < 1:
        raise ArgumentError(f"calibration.refuse_right={config['calibration']['refuse_right']}", "is no fraction")


def _check_seeds(first: int, count: int) -> None:
    if not 0 <= first <= _LAST_SEED + 1 - count:
        raise ArgumentError(f"seed={first}", "out of range", f"give a number from 0 to {_LAST_SEED + 1 - count}")


def _choose(key: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ArgumentError(f"{key}={value}", "no such choice", f"choose from: {', '.join(choices)}")


def logger_names(config: Mapping[str, Any]) -> list[str]:
    """Those of ``logger=``, which may be one or a list."""
    names = config["logger"]
    return list(names) if isinstance(names, list) else [names]
