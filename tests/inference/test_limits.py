"""A file on which a process hangs, or that takes too much memory, costs itself and nothing else."""

import time
from functools import partial

import pytest

from avpipe.errors import ArgumentError
from avpipe.inference.workers import Limits, worked


def work(job, send):
    send(f"{job} begun")
    if job == "hangs":
        time.sleep(60)
    if job == "grows":
        kept = []
        while True:
            kept.append(b"x" * 20_000_000)
            time.sleep(0.01)
    if job == "slow":
        for _ in range(8):
            time.sleep(0.1)
            send("slow goes on")
    send(job.encode())


def results(jobs, workers=1, **limits):
    """The last message for each job; of a reason, its words."""
    last = {}
    lost = lambda job, reason: reason.encode()  # noqa: E731
    for job, message in worked(jobs, partial(work), workers, (bytes,), lost, Limits(**limits)):
        last[job] = message
    return {job: message.decode() for job, message in last.items()}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_on_which_a_process_hangs_is_given_up(workers):
    began = time.monotonic()
    said = results(["a", "hangs", "b", "c"], workers, timeout_sec=0.5)
    assert {job: said[job] for job in "abc"} == {job: job for job in "abc"}
    assert said["hangs"] == "nothing came of it for 0.5 s; raise timeout_sec if it can be trusted"
    assert time.monotonic() - began < 30


def test_who_says_something_is_not_given_up_however_long_it_takes():
    assert results(["slow"], timeout_sec=0.5) == {"slow": "slow"}


def test_while_the_reader_is_busy_nobody_is_given_up():
    said = []
    for job, message in worked(["a", "b"], work, 2, (bytes,), lambda job, reason: b"lost", Limits(timeout_sec=0.2)):
        time.sleep(0.5)
        said.append((job, message))
    assert dict(said) == {"a": b"a", "b": b"b"}


def test_a_file_that_takes_too_much_memory_is_given_up():
    said = results(["a", "grows", "b"], max_memory_mb=300.0)
    assert said["grows"] == "takes more than 300 MB of memory; raise max_memory_mb if it can be trusted"
    assert (said["a"], said["b"]) == ("a", "b")


@pytest.mark.parametrize("limits", [{"timeout_sec": 0.0}, {"max_memory_mb": -1.0}])
def test_limits_that_nothing_can_keep_are_refused(limits):
    with pytest.raises(ArgumentError, match="must be above 0"):
        Limits(**limits)
