"""``avpipe train -m``: a training for each combination of values, each a process of its own in a folder of its own."""

import hashlib
import os
import runpy
import shlex
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from avpipe.cli.command import SWITCHES, guarded, parse
from avpipe.config import compose, compose_each, plain, quote_path, quoted, typed
from avpipe.errors import ArgumentError, AvpipeError
from avpipe.inference.sweep import FAILED, UNFINISHED, SweepJob, print_sweep, write_sweep
from avpipe.training import claim_sweep, config_digest, locked

_SHOWN_LINES = 200
"""Of a failed job's last words, kept in its folder."""


def run_sweep(name: str) -> int:
    """Run ``sys.argv`` as a sweep; returns 1 if a job failed."""
    return guarded(partial(_sweep, name))


def _sweep(name: str) -> int:
    arguments = [argument for argument in sys.argv[1:] if argument not in SWITCHES]
    overrides, config_dirs = parse(arguments, (), quote_each)
    overrides, folder = _without_folder(overrides)
    _check(overrides)
    folder = folder or Path("runs") / f"sweep-{_digest([text for text in overrides if not _is_aside(text)])}"
    with locked(folder):
        claim_sweep(folder)
        # To be told: what is chosen from has commas or a function in it.
        values = {_key(text): text.partition("=")[2] for text in overrides}
        varied = frozenset(key for key, value in values.items() if set(value) & set(",(") and value[0] not in "[{")
        sweep = Sweep(name, folder, tuple(config_dirs), varied, shlex.join(["avpipe", name, *sys.argv[1:]]))
        try:
            compose_each(name, overrides, config_dirs, folder, sweep.run_job)
        finally:  # also of a sweep that ends before its time; of one that is refused there is nothing to tell
            if SweepJob.all_in(folder):
                output = write_sweep(folder, sweep.command)
        print_sweep(output)
    return 1 if any(job.status == FAILED for job in SweepJob.all_in(folder)) else 0


def quote_each(argument: str) -> str:
    """As :func:`avpipe.config.quote_path`; a path that is no file, and holds commas, is several to choose from."""
    key, _, value = argument.partition("=")
    if quote_path(argument) == argument or "," not in value or Path(value).exists():
        return quote_path(argument)
    return f"{key}={','.join(quoted(part) for part in value.split(','))}"


def _without_folder(overrides: Sequence[str]) -> tuple[list[str], Path | None]:
    given = [text for text in overrides if text.startswith("run_dir=")]
    folder = plain(compose("train", given))["run_dir"] if given else None
    return [text for text in overrides if text not in given], Path(folder) if folder else None


def _check(overrides: Sequence[str]) -> None:
    """Refuse several processes a job: each of them would be told of the whole sweep."""
    many = [text for text in overrides if text.startswith(("trainer.devices=", "trainer.num_nodes="))]
    many = [text for text in many if text.partition("=")[2] != "1"]
    many += [text for text in overrides if text.startswith("trainer.strategy=") and "ddp" in text]
    many += [
        f"{variable}={os.environ[variable]}" for variable in ("WORLD_SIZE",) if os.environ.get(variable, "1") != "1"
    ]
    if many:
        reason = "a sweep trains each network in one process"
        raise ArgumentError(many[0], reason, "leave out -m, or train one network after the other")


def _is_aside(override: str) -> bool:
    """What changes no result: where and how jobs run."""
    return override.startswith(
        ("device=", "device.name=", "data.workers=", "logger=", "hydra/launcher=", "hydra.launcher")
    )


def _digest(overrides: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(sorted(overrides)).encode()).hexdigest()[:8]


def _key(override: str) -> str:
    return override.partition("=")[0]


@dataclass(frozen=True, slots=True)
class Sweep:
    """What all jobs share; picklable, since a launcher may take it to another process."""

    name: str
    """Of the command that each job is."""
    folder: Path
    config_dirs: tuple[Path, ...]
    varied: frozenset[str]
    """Keys in which jobs differ."""
    command: str

    def run_job(self, overrides: Sequence[str]) -> float:
        """Train one combination, unless that is done, and return its validation score; minus infinity where it failed.

        A process of its own, so that whatever becomes of it is one row and no more.
        """
        told = [text for text in overrides if not text.startswith("sweep=")]
        try:
            config = plain(compose(self.name, told, self.config_dirs))
            job = SweepJob(self.folder / config_digest(config))
        except AvpipeError as error:
            job = SweepJob(self.folder / _digest(told))
            job.write(told, FAILED, str(error))
        else:
            if not job.is_done:
                shown = " ".join(text for text in told if _key(text) in self.varied)
                print(f"job {job.folder.name}: {shown}", flush=True)
                job.write(told, UNFINISHED, "is running, or was stopped")
                arguments = [*map(typed, told), f"run_dir={job.folder}"]
                job.write(told, *_run(self.name, arguments, self.config_dirs, job.folder))
                write_sweep(self.folder, self.command)
        return job.validation


def _run(name: str, overrides: Sequence[str], config_dirs: Sequence[Path], folder: Path) -> tuple[str, str]:
    """The status of a job's process, and why it failed."""
    code = f"from avpipe.cli.sweep import become; become({name!r})"
    options = [text for config_dir in config_dirs for text in ("--config-dir", str(config_dir))]
    # Its standard input is a pipe that closes with this process: a job does not outlive its sweep.
    with subprocess.Popen(
        [sys.executable, "-c", code, *overrides, *options],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", errors="backslashreplace",
    ) as process:  # fmt: skip
        lines: list[str] = []
        assert process.stderr is not None
        for line in process.stderr:
            print(line, end="", file=sys.stderr, flush=True)
            lines = [*lines[1 - _SHOWN_LINES :], line]
    if process.returncode == 0:
        return "done", ""
    said = [line.strip() for line in lines if line.strip()] or ["said nothing"]
    refusal = [line.removeprefix("avpipe: ") for line in said if line.startswith("avpipe: ")]
    reason = refusal[-1] if refusal else said[-1]
    if process.returncode < 0:
        reason = f"killed by signal {-process.returncode}"
    (folder / "failure.txt").write_text("".join(lines), encoding="utf-8", errors="backslashreplace")
    return FAILED, reason


def become(name: str) -> None:
    """Be the command ``name`` with the arguments of this process, and end when the sweep does."""
    from avpipe.inference.cost import write_cost

    threading.Thread(target=_end_with_the_sweep, daemon=True).start()
    arguments = [f"avpipe {name}", *sys.argv[1:]]
    sys.argv = arguments
    try:
        runpy.run_module(f"avpipe.cli.{name}", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code:
            raise
    sys.argv = arguments
    (folder,) = (text.partition("=")[2] for text in arguments if text.startswith("run_dir="))
    sys.exit(guarded(lambda: write_cost(Path(folder))))


def _end_with_the_sweep() -> None:
    while os.read(0, 1):  # not by sys.stdin, whose lock a forked worker would find taken, by nobody
        pass
    os._exit(143)
