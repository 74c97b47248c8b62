"""Checkpoints: written whole or not at all, and looked into before a run goes on from one."""

import os
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch import nn

from avpipe.errors import ArgumentError, RunStopped
from avpipe.files import written_whole

_PARTS = {"state_dict", "epoch", "loops", "callbacks", "optimizer_states", "lr_schedulers", "pytorch-lightning_version"}


class WholeCheckpointIO(TorchCheckpointIO):
    """Writes beside the checkpoint and renames: Lightning's own way copies from another disk, and can be cut short."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        try:
            with written_whole(Path(path)) as part:
                torch.save(checkpoint, part)
        except RuntimeError as error:  # what torch makes of a disk without room
            remedy = "make room on its disk and run the same command again"
            raise RunStopped(path, "cannot be written whole", remedy) from error

    def load_checkpoint(self, path: Any, *arguments: Any, **options: Any) -> dict[str, Any]:
        """A checkpoint, as if it had been written where it stands now: a run's folder may be moved."""
        checkpoint = super().load_checkpoint(path, *arguments, **options)
        for name, state in checkpoint["callbacks"].items():
            if name.startswith(ModelCheckpoint.__name__):
                _move(state, str(state["dirpath"]), os.path.realpath(Path(path).parent))
        return checkpoint


def _move(state: dict[str, Any], old: str, new: str) -> None:
    """Put the folder ``new`` for ``old`` in a callback's state."""
    for key, value in state.items():
        if isinstance(value, str) and (value == old or value.startswith(old + os.sep)):
            state[key] = new + value.removeprefix(old)
        elif isinstance(value, dict):
            state[key] = {new + path.removeprefix(old): score for path, score in value.items()}


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's content, on the CPU; only plain data and tensors are read.

    Raises:
        ArgumentError: if it is none of ours.
    """
    try:
        found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if not set(found) >= _PARTS:
            raise ValueError("no checkpoint of a training")
    except FileNotFoundError as error:
        raise ArgumentError(path, "no such checkpoint") from error
    except Exception as error:  # torch raises nearly everything for what is no checkpoint
        remedy = "remove it to begin anew, or name another run_dir"
        raise ArgumentError(path, "is no checkpoint of a training, or not whole", remedy) from error
    return found


def check_fits(checkpoint: dict[str, Any], module: nn.Module, path: Path) -> None:
    """Raise an ArgumentError if a checkpoint holds the weights of another network."""
    shapes, wanted = (
        {name: value.shape for name, value in state.items()}
        for state in (checkpoint["state_dict"], module.state_dict())
    )
    if shapes != wanted:
        remedy = "remove it to begin anew, or name another run_dir"
        raise ArgumentError(path, "is a checkpoint of another network", remedy)


def has_stopped_early(checkpoint: dict[str, Any]) -> bool:
    """Whether early stopping ended the run right after this checkpoint."""
    states = [state for name, state in checkpoint["callbacks"].items() if name.startswith(EarlyStopping.__name__)]
    return any(state["stopped_epoch"] > 0 for state in states)
