"""Checkpoints: written whole or not at all, and looked into before a run goes on from one."""

from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.plugins.io import TorchCheckpointIO

from avpipe.errors import ArgumentError
from avpipe.files import written_whole


class WholeCheckpointIO(TorchCheckpointIO):
    """Writes beside the checkpoint and renames: Lightning's own way copies from another disk, and can be cut short."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        with written_whole(Path(path)) as part:
            torch.save(checkpoint, part)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's content, on the CPU; only plain data and tensors are read.

    Raises:
        ArgumentError: if it is none of ours.
    """
    try:
        found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if not {"state_dict", "epoch", "callbacks"} <= set(found):
            raise ValueError("no checkpoint of a training")
    except FileNotFoundError as error:
        raise ArgumentError(path, "no such checkpoint") from error
    except Exception as error:  # torch raises nearly everything for what is no checkpoint
        reason = str(error).strip().partition("\n")[0]
        remedy = "remove it to begin anew, or name another run_dir"
        raise ArgumentError(path, f"cannot be read as a checkpoint: {reason}", remedy) from error
    return found


def has_stopped_early(checkpoint: dict[str, Any]) -> bool:
    """Whether early stopping ended the run right after this checkpoint."""
    states = [state for name, state in checkpoint["callbacks"].items() if name.startswith(EarlyStopping.__name__)]
    return any(state["stopped_epoch"] > 0 for state in states)
