"""The network's part of a prediction: windows of many files in batches, computed beside whatever else is done."""

import sys
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

from avpipe.answers import Decoded
from avpipe.device import lacks_memory
from avpipe.errors import RunStopped
from avpipe.inference.decoding import Window
from avpipe.inference.model import Model, Said
from avpipe.inference.prediction import Job
from avpipe.inference.senses import Apart
from avpipe.threads import compute_on_one_thread, computing_threads, single_threaded

_MOST_HELD = 64
"""Answers that wait for that of an earlier window of their file; then its batch is computed, full or not."""


class Taker(Protocol):
    """Takes the answer for each window; those for the windows of one file and bundle in their order."""

    def __call__(self, job: Job, window: Window, said: Decoded, apart: Apart) -> None: ...


@dataclass(slots=True)
class _Line:
    """The windows of one file for one bundle, in their order."""

    arrived: int = 0
    answered: int = 0
    """Those whose answers were handed on."""
    held: dict[int, tuple[Window, Decoded, Apart]] = field(default_factory=dict)
    """Answers by place, while one of an earlier window is not known."""


@dataclass(frozen=True, slots=True)
class _Entry:
    job: Job
    place: int
    """In its line."""
    window: Window


@dataclass(frozen=True, slots=True)
class _Batch:
    plan: int
    entries: list[_Entry]
    future: "Future[list[tuple[int, Said]]]"
    """What the network says of parts of it, each with the number of its windows."""


class Batches:
    """Windows wait here for a batch of their length, and batches for a thread; answers come back in order.

    A window's answer does not depend on what else is in its batch: all batches of one length have one shape, which its
    own length alone determines, and on a CPU each is computed by one thread, of which there are as many as torch would
    compute with. So short recordings do not cost what long windows cost, and processors stay busy while others decode.

    Args:
        bundles: whose networks answer.
        batch_size: windows a batch.
        take: gets the answers, in the thread that adds windows.
    """

    def __init__(self, bundles: Sequence[Model], batch_size: int, take: Taker) -> None:
        self.bundles = bundles
        self.take = take
        self.sizes = [bundle.batch_size or batch_size for bundle in bundles]
        """Windows that each bundle's network takes at a time: fewer, once there was no memory for more."""
        self._lines: dict[tuple[Job, int], _Line] = {}
        self._waiting: dict[tuple[int, int], list[_Entry]] = {}
        """By bundle and share of a full window."""
        self._computed: deque[_Batch] = deque()
        self._told = Lock()
        on_cpu = all(bundle.on_cpu for bundle in bundles)
        self._num_threads = computing_threads() if on_cpu else 1
        self._threads = ThreadPoolExecutor(self._num_threads, "network", compute_on_one_thread if on_cpu else None)

    def add(self, job: Job, window: Window) -> None:
        """Take a window; answers that are known by now are handed on."""
        line = self._lines.setdefault((job, window.plan), _Line())
        key = window.plan, self.bundles[window.plan].share(window.arrays)
        self._waiting.setdefault(key, []).append(_Entry(job, line.arrived, window))
        line.arrived += 1
        if len(self._waiting[key]) >= self.sizes[window.plan]:
            self._begin(key)
        # One more than threads, so that none waits while answers are handed on.
        self._hand_on(self._num_threads + 1)

    def drop(self, job: Job) -> None:
        """Forget a file."""
        self._lines = {key: line for key, line in self._lines.items() if key[0] != job}
        for key, entries in self._waiting.items():
            self._waiting[key] = [entry for entry in entries if entry.job != job]

    def flush(self) -> None:
        """Answer all that waits."""
        for key in sorted(self._waiting):
            self._begin(key)
        self._hand_on(0)

    def settle(self) -> None:
        """Wait until nothing is being computed: a process that is forked meanwhile would lack its locks."""
        wait([batch.future for batch in self._computed])

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    def _begin(self, key: tuple[int, int]) -> None:
        entries, self._waiting[key] = self._waiting[key], []
        if entries:
            windows = [entry.window for entry in entries]
            self._computed.append(_Batch(key[0], entries, self._threads.submit(self._answers, *key, windows)))

    def _hand_on(self, most: int) -> None:
        """Hand on what is known, and wait for it while more than so many batches are under way."""
        while self._computed and (len(self._computed) > most or self._computed[0].future.done()):
            batch = self._computed.popleft()
            with single_threaded():
                answers = [each for said in batch.future.result() for each in self._decoded(batch.plan, *said)]
            for entry, (said, apart) in zip(batch.entries, answers, strict=True):
                self._hold(batch.plan, entry, said, apart)

    def _hold(self, plan: int, entry: _Entry, said: Decoded, apart: Apart) -> None:
        line = self._lines.get((entry.job, plan))
        if line is None:
            return  # the file was dropped
        line.held[entry.place] = entry.window, said, apart
        while line.answered in line.held:
            answer = line.held.pop(line.answered)
            line.answered += 1
            if line.answered == line.arrived:
                del self._lines[entry.job, plan]
            self.take(entry.job, *answer)
        if len(line.held) > _MOST_HELD:
            self._hurry(entry.job, plan, line.answered)

    def _hurry(self, job: Job, plan: int, place: int) -> None:
        """Compute the batch in which a window waits, so that a long file's answers do not pile up behind it."""
        for key, entries in self._waiting.items():
            if key[0] == plan and any(entry.job == job and entry.place == place for entry in entries):
                self._begin(key)
                return

    def _answers(self, plan: int, share: int, windows: Sequence[Window]) -> list[tuple[int, Said]]:
        """What the network says of the windows, in parts of which each has their number."""
        bundle = self.bundles[plan]
        while True:
            size = self.sizes[plan]
            parts = [windows[start : start + size] for start in range(0, len(windows), size)]
            try:
                return [(len(part), bundle.computed([window.arrays for window in part], size, share)) for part in parts]
            except (MemoryError, RuntimeError) as error:
                if not lacks_memory(error):
                    raise
                if size == 1:
                    reason = "there is not enough memory for a single window"
                    raise RunStopped(bundle.name, reason, "end other programs, or name another device") from error
            self._halve(plan, size)

    def _halve(self, plan: int, size: int) -> None:
        with self._told:
            if self.sizes[plan] < size:
                return  # another thread has seen it, too
            self.sizes[plan] = size // 2
            told = f"no memory for {size} windows at a time; going on with {size // 2}"
            print(f"warning: {self.bundles[plan].name}: {told}", file=sys.stderr, flush=True)

    def _decoded(self, plan: int, count: int, said: Said) -> list[tuple[Decoded, Apart]]:
        """Of each window the answer, and of a bundle of several senses the answers by these."""
        answers = self.bundles[plan].objective
        decoded = {used: answers.said(*scores)[:count] for used, scores in said.items()}
        every = max(decoded, key=len)
        if not every:
            return [(each, {}) for each in decoded[every]]
        return [(decoded[every][row], {used: rows[row] for used, rows in decoded.items()}) for row in range(count)]
