"""How far a run over many files is."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Item = TypeVar("Item")


def counted(items: Iterable[Item], total: int) -> Iterator[Item]:
    """The same items; a bar on a terminal, a line a minute elsewhere, on standard error."""
    return _bar(items, total) if sys.stderr.isatty() else _lines(items, total)


def _bar(items: Iterable[Item], total: int) -> Iterator[Item]:
    columns = (TextColumn("files"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield from progress.track(items, total=total)


def _lines(items: Iterable[Item], total: int) -> Iterator[Item]:
    told = time.monotonic()
    for index, item in enumerate(items):
        if time.monotonic() - told >= 60.0:
            told = time.monotonic()
            print(f"{index} of {total} files begun", file=sys.stderr, flush=True)
        yield item
