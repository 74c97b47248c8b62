"""What one process has in hand no other takes, until it gives it back or dies."""

import multiprocessing
import os

import pytest

from avpipe.inference.claims import Claims

FORK = multiprocessing.get_context("fork")


def holding(path, names, taken, leave):
    claims = Claims(path)
    taken.send([claims.take(name) for name in names])
    if leave.recv() == "give back":
        for name in names:
            claims.give_back(name)
        taken.send("given back")
        leave.recv()
    os._exit(9)  # as if it were killed: nothing is closed, nothing given back


@pytest.fixture
def other(tmp_path):
    ours, theirs = FORK.Pipe()
    process = FORK.Process(target=holding, args=(tmp_path / "claims", ["a", "ä \n/b"], theirs, theirs), daemon=True)
    process.start()
    assert ours.recv() == [True, True]
    yield ours, process
    process.kill()
    process.join()


def test_what_another_process_has_is_not_to_be_had(tmp_path, other):
    claims = Claims(tmp_path / "claims")
    assert [claims.take(name) for name in ("a", "ä \n/b", "c")] == [False, False, True]
    claims.close()


def test_what_is_given_back_can_be_taken(tmp_path, other):
    connection, _ = other
    connection.send("give back")
    assert connection.recv() == "given back"
    claims = Claims(tmp_path / "claims")
    assert claims.take("a")
    claims.close()


def test_what_a_dead_process_had_can_be_taken(tmp_path, other):
    connection, process = other
    connection.send("die")
    process.join()
    claims = Claims(tmp_path / "claims")
    assert claims.take("a")
    assert claims.take("a")
    claims.close()
