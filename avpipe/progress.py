"""How far a run over many things is."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Item = TypeVar("Item")


def counted(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """The same items; a bar on a terminal, a line a minute elsewhere, on standard error.

    Args:
        items: to count.
        total: how many there are.
        what: they are, in the plural.
    """
    return _bar(items, total, what) if sys.stderr.isatty() else _lines(items, total, what)


def _bar(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield from progress.track(items, total=total)


def _lines(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    told = time.monotonic()
    for index, item in enumerate(items):
        if time.monotonic() - told >= 60.0:
            told = time.monotonic()
            print(f"{index} of {total} {what} begun", file=sys.stderr, flush=True)
        yield item
