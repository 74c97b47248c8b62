"""Where to compute, and with how many processes beside it."""

import os
import shutil
import sys
from typing import TYPE_CHECKING

from avpipe.errors import ArgumentError
from avpipe.threads import num_cores

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda", "mps")

PRECISIONS = {"32-true": None, "bf16-mixed": "bfloat16", "16-mixed": "float16"}
"""Numbers that convolutions and products are computed with at inference, as Lightning names them, by their names
in torch; sums are in 32 bits. None: in 32 bits too."""


def choose_device(name: str) -> "torch.device":
    """The device of that name; ``auto`` takes a CUDA GPU, else Apple's, else the CPU.

    Raises:
        ArgumentError: for a name that is none of ``DEVICES``, or a device that this machine lacks.
    """
    import torch

    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if present[kind]))
    if name not in present:
        raise ArgumentError(f"device={name}", "no such device", f"choose from: {', '.join(DEVICES)}")
    if not present[name]:
        raise ArgumentError(f"device={name}", "this machine has none that torch can use", "choose device=cpu or auto")
    return torch.device(name)


def check_compiler(device: "torch.device") -> None:
    """
    Raises:
        ArgumentError: if ``device.compile=true`` has no compiler to make code for a CPU with.
    """
    compiler = os.environ.get("CXX", "g++")
    if device.type == "cpu" and not shutil.which(compiler):
        remedy = "install it, name another one in the environment variable CXX, or leave this out"
        raise ArgumentError("device.compile=true", f"there is no C++ compiler {compiler!r} on this machine", remedy)


def lacks_memory(error: BaseException) -> bool:
    """Whether an error says that there was no memory left, on any device."""
    # Of the CPU's memory torch and onnxruntime say so in words only.
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    told = ("can't allocate memory", "bad allocation", "Failed to allocate memory")
    return isinstance(error, MemoryError) or any(words in str(error) for words in told)


def worker_count(workers: int | str, spared: int = 1) -> int:
    """Decoding processes for a setting: ``auto`` is one a core, at least one, at most eight.

    Args:
        workers: the setting.
        spared: cores that are left to other work.

    Raises:
        ArgumentError: for what is neither ``auto`` nor a number from 0.
    """
    if workers == "auto":
        return min(max(num_cores() - spared, 1), 8)
    if not isinstance(workers, int) or workers < 0:
        raise ArgumentError(f"workers={workers}", "not a number of processes", "write auto, 0, 1, 2, ...")
    return workers
