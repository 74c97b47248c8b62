"""Runs over media that somebody damaged at random, and runs that are killed at random moments. Slow."""

import pytest

from scripts.check_killed_runs import check
from scripts.fuzz_media import fuzz, write_mutants, write_seeds
from tests.tiny import save_tiny_bundle

pytestmark = pytest.mark.slow


def test_two_hundred_mutants_end_in_rows(tmp_path):
    for one in fuzz(tmp_path, 200, seed=1, timeout_sec=60.0):
        assert one.faults == (), one
        assert one.given_up == (), one
        assert one.statuses.total() == 200
        assert min(one.statuses["ok"] + one.statuses["partial"], one.statuses["error"]) > 20


def test_mutants_are_the_same_for_a_seed(tmp_path):
    seeds = write_seeds(tmp_path / "seeds")
    assert len({path.suffix for path in seeds}) > 15
    for name in "ab":
        write_mutants(tmp_path / name, seeds, 30, seed=3)
    assert [path.read_bytes() for path in sorted((tmp_path / "a").iterdir())] == [
        path.read_bytes() for path in sorted((tmp_path / "b").iterdir())
    ]


def test_kills_and_two_processes_change_no_byte(tmp_path):
    bundle = save_tiny_bundle(tmp_path / "tones")
    assert check(tmp_path / "run", str(bundle), count=150, kills=4, seed=0) == []
