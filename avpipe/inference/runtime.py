"""What computes the networks: torch, or onnxruntime on exported graphs, beside which no torch is loaded."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from avpipe.bundle import find_bundle, name_of, read_manifest
from avpipe.errors import ArgumentError, RunStopped
from avpipe.files import cache_folder
from avpipe.graphs import FORMAT, check_onnxruntime, load_graph
from avpipe.inference.model import Model

CPU = {"name": "cpu", "precision": "32-true", "compile": False}
"""Settings of a device."""

RUNTIMES = ("auto", "torch", "onnx")
_SUFFIX = ".onnx"


def load_models(names: Sequence[str], runtime: str, device: Mapping[str, Any]) -> list[Model]:
    """Bundles by folder or name, or files that ``avpipe export`` has written.

    Args:
        names: of them.
        runtime: ``torch``; ``onnx``, which has what was not exported yet exported once, into the cache; or ``auto``:
            onnx, which is the faster one on a CPU, where it is installed and all graphs are there.
        device: ``name``, ``precision`` and ``compile``, as in ``conf/device``; graphs are computed on the CPU.

    Raises:
        AvpipeError: if there is no such bundle, it is damaged, the device is missing, or the runtime is not installed.
    """
    if chosen_runtime(names, runtime, device["name"]) == "onnx":
        return [load_graph(graph_of(name)) for name in names]
    if files := [name for name in names if _is_graph(name)]:
        raise ArgumentError(f"bundle={files[0]}", "is a graph, which torch does not compute", "write runtime=onnx")
    _check_torch()
    from avpipe.inference.computing import load_for

    return [load_for(name, device) for name in names]


def chosen_runtime(names: Sequence[str], runtime: str, device: str, streaming: bool = False) -> str:
    """``torch`` or ``onnx``; what ``auto`` has chosen is told on standard error where there was a choice.

    Raises:
        ArgumentError: for a runtime that is none, is not installed, or does not go with the device.
    """
    if runtime not in RUNTIMES:
        raise ArgumentError(f"runtime={runtime}", "no such runtime", f"choose from: {', '.join(RUNTIMES)}")
    if runtime == "torch":
        return runtime
    if runtime == "onnx" or any(_is_graph(name) for name in names):
        check_onnxruntime()
        if device not in ("auto", "cpu"):
            raise ArgumentError(f"device={device}", "runtime=onnx computes on the CPU", "leave one of them out")
        return "onnx"
    has_torch, has_onnx = find_spec("torch") is not None, find_spec("onnxruntime") is not None
    if not has_torch:
        return "onnx"
    graphs_are_there = has_onnx and all(cached_graph(name, streaming).is_file() for name in names)
    if not graphs_are_there or device not in ("auto", "cpu") or (device == "auto" and _has_gpu()):
        return "torch"
    print("runtime: onnx (runtime=torch for the other)", file=sys.stderr)
    return "onnx"


def cached_graph(name: str, streaming: bool = False) -> Path:
    """Where the graph of a bundle is kept that nobody has exported elsewhere.

    Raises:
        AvpipeError: if there is no such bundle.
    """
    folder = find_bundle(name)
    manifest = read_manifest(folder)
    what = "-step" if streaming else ""
    return cache_folder() / "graphs" / f"{name_of(folder, manifest)}-{manifest.digest[:16]}-{FORMAT}{what}{_SUFFIX}"


def graph_of(name: str, streaming: bool = False) -> Path:
    """The file of a graph, or that of a bundle, which is exported first where it was not.

    Raises:
        AvpipeError: if there is no such bundle, or it cannot be exported.
    """
    if _is_graph(name):
        if not Path(name).is_file():
            raise ArgumentError(f"bundle={name}", "no such file", "name a file that avpipe export has written")
        return Path(name)
    path = cached_graph(name, streaming)
    if path.is_file():
        return path
    _check_torch()
    print(f"exporting {name} to {path} (once)", file=sys.stderr, flush=True)
    # In a process of its own: this one is to load no torch.
    command = [sys.executable, "-m", "avpipe", "export", f"bundle={name}", f"output={path}", "input=golden"]
    if streaming:
        command.append("streaming=spectrum")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["without a word"]
        raise RunStopped(f"bundle={name}", lines[-1].removeprefix("avpipe: "), "or use runtime=torch")
    return path


def _is_graph(name: str) -> bool:
    return Path(name).suffix == _SUFFIX and not Path(name).is_dir()


def _check_torch() -> None:
    if find_spec("torch") is None:
        reason = "torch is not installed, which bundles need, and to be exported too"
        raise ArgumentError("runtime=torch", reason, "pip install torch, or give bundle=FILE.onnx")


def _has_gpu() -> bool:
    """Whether torch may find a GPU, asked without loading it."""
    return sys.platform == "darwin" or Path("/proc/driver/nvidia/version").exists()
