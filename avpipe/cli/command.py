"""What all commands share: arguments in, one configuration; errors out, one line and an exit status."""

import errno
import gc
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from avpipe.config import compose, plain, quote_path
from avpipe.errors import INTERRUPTED, INTERRUPTED_STATUS, ArgumentError, AvpipeError

_OVERRIDE = re.compile(r"[+~]{0,2}[A-Za-z_][\w.@/-]*=")
_DELETION = re.compile(r"~[A-Za-z_][\w.@/-]*")

SWITCHES = ("-m", "--multirun")
"""Of a sweep."""

Body = Callable[[Mapping[str, Any]], int]


def run(name: str, body: Body, positional: Sequence[str] = ()) -> int:
    """Compose ``name``'s configuration from ``sys.argv`` and call ``body`` with it.

    Args:
        name: of the command and of its YAML file.
        body: returns the exit status.
        positional: keys that plain arguments stand for, in order.
    """

    def composed() -> int:
        overrides, config_dirs = parse(sys.argv[1:], positional)
        return body(plain(compose(name, overrides, config_dirs)))

    return guarded(composed)


def guarded(body: Callable[[], int]) -> int:
    """Call ``body`` and return its exit status, or print the line of an error that a user can mend and return its."""
    # Names of files may hold what the terminal's encoding has not.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    gc.freeze()
    gc.enable()
    try:
        return body()
    except AvpipeError as error:
        return _refuse(str(error), error.exit_status)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _refuse("output: its disk is full; make room and run the same command again", 1)
        if error.filename is None:
            raise
        return _refuse(f"{error.filename}: {error.strerror}", 1)
    except KeyboardInterrupt:
        return _refuse(INTERRUPTED, INTERRUPTED_STATUS)


def parse(
    arguments: Sequence[str], positional: Sequence[str], quote: Callable[[str], str] = quote_path
) -> tuple[list[str], list[Path]]:
    """Overrides for Hydra, and the folders of a user's own configurations.

    Args:
        arguments: as typed.
        positional: keys that plain arguments stand for, in order.
        quote: makes of an argument, as typed, an override in Hydra's grammar.

    Raises:
        ArgumentError: for a plain argument or an option that nothing expects.
    """
    overrides: list[str] = []
    config_dirs: list[Path] = []
    keys = iter(positional)
    rest = iter(arguments)
    for argument in rest:
        if argument in ("", "input=", "output=", "gallery="):
            raise ArgumentError(argument or "''", "names nothing", "is a variable of the shell empty?")
        if argument == "--config-dir":
            config_dirs.append(Path(next(rest, "")))
        elif _OVERRIDE.match(argument) and not Path(argument).exists():
            overrides.append(quote(argument))
        elif _DELETION.fullmatch(argument) and not Path(argument).exists():
            overrides.append(argument)
        elif argument.startswith("-"):
            raise ArgumentError(
                argument, "no such option", "the options are --help and --config-dir DIR; a file is ./-name"
            )
        elif (key := next(keys, None)) is not None:
            overrides.append(quote(f"{key}={argument}"))
        else:
            raise ArgumentError(argument, "nothing expects this", "write key=value")
    for folder in config_dirs:
        if not folder.is_dir():
            raise ArgumentError(f"--config-dir {folder}", "no such folder")
    return overrides, config_dirs


def _refuse(line: str, exit_status: int) -> int:
    print(f"avpipe: {line}", file=sys.stderr)
    return exit_status
