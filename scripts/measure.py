"""How a job is measured beside its peers and its physical bound, all in one run."""

import importlib
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

Job = Callable[[], Any]

OURS = "avpipe"
REPEATS = 7
CORES = sorted(os.sched_getaffinity(0))[:2]
MATRIX = 1024
"""Rows and columns of the matrices whose product is timed."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What no program of this kind can be faster than, here."""

    what: str
    sec: float


@dataclass(frozen=True, slots=True)
class Row:
    """A job, what it took us and each peer, and how much of the possible that is."""

    group: str
    job: str
    took_sec: Mapping[str, float]
    """Medians of one run; ours is among them."""
    bound: Bound | None = None
    absent: tuple[str, ...] = ()
    """Peers that are not installed."""
    note: str = ""

    @property
    def ratios(self) -> dict[str, float]:
        """Of each peer, its seconds by ours: above 1 ours is faster."""
        return {name: sec / self.took_sec[OURS] for name, sec in self.took_sec.items() if name != OURS}

    @property
    def ratio(self) -> float | None:
        """That of the fastest peer."""
        return min(self.ratios.values(), default=None)

    @property
    def share(self) -> float | None:
        """Of the bound that we reach: 1 could not be faster."""
        return self.bound.sec / self.took_sec[OURS] if self.bound else None

    def __str__(self) -> str:
        parts = [f"{name} {duration(sec)}" for name, sec in self.took_sec.items()]
        parts += [f"{name}: not installed" for name in self.absent]
        parts += [f"{self.bound.what} {duration(self.bound.sec)}, {self.share:.0%} reached"] if self.bound else []
        head = f"{self.job}: " + (f"{self.ratio:.2f}x " if self.ratio is not None else "")
        return head + "; ".join(parts) + (f" ({self.note})" if self.note else "")


@dataclass(slots=True)
class Comparison:
    """Jobs that do the same, to be timed in turn.

    Peers that cannot be imported are named and left out.
    """

    group: str
    job: str
    jobs: dict[str, Job] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    bound: tuple[str, Job, float] | None = None
    """What it is, a job, and how many times its seconds the bound is."""

    def against(self, name: str, *modules: str) -> list[ModuleType] | None:
        """The modules of a peer, or None where one is absent."""
        found = [peer(module) for module in modules]
        if any(module is None for module in found):
            self.absent.append(name)
            return None
        return [module for module in found if module is not None]

    def run(self, repeats: int = REPEATS, note: str = "") -> Row:
        """Time them, interleaved with the bound."""
        jobs = {**self.jobs, **({"bound": self.bound[1]} if self.bound else {})}
        took = medians(jobs, repeats)
        limit = Bound(self.bound[0], took.pop("bound") * self.bound[2]) if self.bound else None
        return Row(self.group, self.job, took, limit, tuple(self.absent), note)


def peer(name: str) -> ModuleType | None:
    """A module to compare with; None, and a line that says so, where it is absent."""
    try:
        return importlib.import_module(name)
    except (ImportError, RuntimeError, OSError) as error:
        print(f"{name}: not installed ({str(error).splitlines()[0]})", file=sys.stderr)
        return None


def medians(
    jobs: Mapping[str, Job], repeats: int = REPEATS, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Median seconds of each job, the jobs taking turns; one round before it counts warms the caches."""
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for round_ in range(repeats + 1):
        for name, job in jobs.items():
            begun = clock()
            job()
            if round_:
                seconds[name].append(clock() - begun)
    return {name: statistics.median(times) for name, times in seconds.items()}


def at_the_matrix_peak(multiply_adds: float) -> tuple[str, Job, float]:
    """The bound of a network: so many multiply-adds as fast as torch multiplies matrices, on the same threads."""
    import torch

    left, right = torch.randn(MATRIX, MATRIX), torch.randn(MATRIX, MATRIX)
    return "multiply-adds at the matrix peak", lambda: left @ right, multiply_adds / MATRIX**3


def at_the_memory_peak(num_bytes: float) -> tuple[str, Job, float]:
    """The bound of a copy: so many bytes written, as fast as memory is filled."""
    source = np.ones(1 << 25, np.uint8)
    target = np.empty_like(source)
    return "writing at the memory's peak", lambda: np.copyto(target, source), num_bytes / source.nbytes


def multiply_adds(call: Job) -> int:
    """Those of the convolutions and matrix products of a call, as torch counts them."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        call()
    return int(counter.get_total_flops()) // 2


def process_sec(arguments: Sequence[str], cores: Sequence[int] = CORES) -> tuple[float, float]:
    """Seconds of a Python process bound to some cores, and the most megabytes that it or one of its own had.

    Raises:
        RuntimeError: it did not end well.
    """
    began = time.perf_counter()
    process = os.posix_spawn(
        shutil.which("taskset") or "taskset",
        ["taskset", "-c", ",".join(map(str, cores)), sys.executable, *arguments],
        {**os.environ, "PYTHONPATH": os.pathsep.join([".", *filter(None, sys.path)])},
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
    _, status, usage = os.wait4(process, 0)
    if status:
        raise RuntimeError(f"{' '.join(arguments)} ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - began, usage.ru_maxrss / 1000


def duration(sec: float) -> str:
    """``12.3 ms`` or ``4.56 s``: three digits."""
    value, unit = (sec, "s") if sec >= 1.0 else (1e3 * sec, "ms") if sec >= 1e-3 else (1e6 * sec, "µs")
    return f"{value:.0f} {unit}" if value >= 99.95 else f"{value:.3g} {unit}"
