"""The command ``avpipe``: finds the sub-command and hands over; loads nothing else, so that help comes at once."""

import ast
import gc
import os
import runpy
import sys
from pathlib import Path

import avpipe
from avpipe.errors import INTERRUPTED, INTERRUPTED_STATUS

_CLI = Path(__file__).parent / "cli"
_SHARED = ("command", "learning", "sweep")
"""Modules there that are no commands."""
READER_GONE_STATUS = 141
"""As shells have it of a program that writes into a closed pipe."""


def main() -> int:
    """Run ``sys.argv``; returns the exit status where the sub-command does not end the process itself."""
    try:
        try:
            return _dispatched(sys.argv[1:])
        finally:
            sys.stdout.flush()  # while a reader that has gone away can still be told from other ends
    except BrokenPipeError:
        if not _is_reader_gone():
            raise
        return READER_GONE_STATUS
    except KeyboardInterrupt:  # also while the sub-command still loads torch
        print(f"avpipe: {INTERRUPTED}", file=sys.stderr)
        return INTERRUPTED_STATUS


def _is_reader_gone() -> bool:
    """Whether whoever reads the output wants no more of it, as ``head`` does; what is left of it then goes nowhere."""
    try:
        print(flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python tries again at its end, and tells
        return True
    return False


def _dispatched(arguments: list[str]) -> int:
    files = (path for path in sorted(_CLI.glob("[a-z]*.py")) if path.stem not in _SHARED)
    commands = {path.stem: _summary(path) for path in files}
    if arguments in (["--version"], ["-V"]):
        print(f"avpipe {avpipe.__version__}")
        return 0
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview(commands))
        return 0
    command, *rest = arguments
    if command not in commands:
        print(f"avpipe: {command}: no such command; choose from: {', '.join(commands)}", file=sys.stderr)
        return 2
    if "-h" in rest or "--help" in rest:
        print(_docstring(_CLI / f"{command}.py"))
        return 0
    # Large tensors in large pages: with small ones a CPU spends a tenth of a training step on getting them, one by one,
    # for each batch anew. Torch reads it when it is loaded.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    # Threads of torch that wait for one another soon give their core away: a process that decodes beside them needs it,
    # and training from media takes a quarter less time. GNU's OpenMP reads it when it is loaded.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    # What is loaded stays: to look for garbage among it takes a tenth of the time, and as long again at the end. The
    # command looks for garbage from where it begins to work.
    gc.disable()
    # Under this name and with these arguments, so that a process which Lightning starts for another GPU finds its way.
    sys.argv = [f"avpipe {command}", *rest]
    runpy.run_module(f"avpipe.cli.{command}", run_name="__main__", alter_sys=True)
    return 0


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def _summary(path: Path) -> str:
    return _docstring(path).partition("\n")[0]


def _overview(commands: dict[str, str]) -> str:
    lines = ["usage: avpipe COMMAND [key=value ...]", ""]
    lines += [f"  {name:10} {summary.partition(': ')[2]}" for name, summary in commands.items()]
    lines += ["", "avpipe COMMAND --help tells the keys; avpipe --version the version."]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
