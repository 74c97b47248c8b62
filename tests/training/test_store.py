"""Arrays on disk: whole or not at all, bounded, and shared."""

import os
import time

import numpy as np
import pytest

from avpipe.training.store import Index, Store


def write(store, key, length=10, value=1.0):
    with store.writer(key) as entry:
        entry.append("x", np.full((length, 3), value, np.float32))
        return entry.bytes


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_what_was_written_piece_by_piece_comes_back_as_one_read_only_map(store):
    pieces = [np.random.default_rng(seed).standard_normal((seed + 1, 2, 3)).astype(np.float32) for seed in range(5)]
    with store.writer("ab1") as entry:
        for piece in pieces:
            entry.append("frames", piece)
        entry.append("seconds", np.array([1.5]))
    found = store.read("ab1")
    np.testing.assert_array_equal(found["frames"], np.concatenate(pieces))
    assert found["seconds"].tolist() == [1.5]
    assert type(found["frames"]) is np.ndarray  # smaller than a page
    with pytest.raises(ValueError, match="read-only"):
        found["frames"][0] = 0.0


def test_what_is_written_into_a_map_stays_in_this_process(store):
    with store.writer("ab1") as entry:
        entry.append("frames", np.ones((2, 4096), np.float32))
    found = store.read("ab1")
    assert isinstance(found["frames"], np.memmap)
    found["frames"][:] = 0.0
    assert store.read("ab1")["frames"].all()


def test_an_entry_that_fails_half_way_is_not_there(store):
    def fail():
        with store.writer("ab1") as entry:
            entry.append("x", np.zeros((4, 2)))
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert store.read("ab1") is None
    assert list(store.folder.glob(".*")) == []


def test_two_writers_of_one_entry_leave_one(store):
    with store.writer("ab1") as entry:
        entry.append("x", np.ones((4, 2)))
        write(Store(store.folder), "ab1b")
        os.rename(store.path("ab1b"), store.path("ab1"))  # the other was quicker
    assert store.read("ab1")["x"].shape == (10, 3)
    assert list(store.folder.glob(".*")) == []


def test_a_map_stays_whole_while_its_entry_is_removed(store):
    write(store, "ab1", value=7.0)
    held = store.read("ab1")["x"]
    store.remove("ab1")
    store.remove("ab1")
    assert store.read("ab1") is None
    assert (held == 7.0).all()


def test_what_killed_runs_left_is_removed_and_what_others_write_now_is_not(store):
    for name, age_sec in ((".1.part.old", 2 * 24 * 3600), (".2.part.new", 60)):
        (store.folder / name).mkdir(parents=True)
        os.utime(store.folder / name, (time.time() - age_sec,) * 2)
    with Index(store, 1000):
        assert [path.name for path in store.folder.glob(".*")] == [".2.part.new"]


def test_what_was_not_used_for_longest_goes(store):
    with Index(store, 10_000) as index:
        for key in ("aa1", "bb2", "cc3"):
            assert index.add(key, write(store, key))
    with Index(store, 10_000) as index:
        assert index.has("aa1")
    with Index(store, 300) as index:  # two entries of 120 bytes and one of 120
        assert index.has("cc3")
        assert index.add("dd4", write(store, "dd4"))
        assert [index.has(key) for key in ("aa1", "bb2", "cc3", "dd4")] == [False, False, True, True]


def test_one_run_alone_never_exceeds_the_bound_nor_drops_what_it_uses(store):
    with Index(store, 250) as index:
        assert index.add("aa1", write(store, "aa1"))
        assert index.add("bb2", write(store, "bb2"))
        assert not index.add("cc3", write(store, "cc3"))
        assert [index.has(key) for key in ("aa1", "bb2", "cc3")] == [True, True, False]
    assert store.read("cc3") is None


def test_an_entry_that_somebody_removed_is_not_there(store):
    with Index(store, 1000) as index:
        index.add("aa1", write(store, "aa1"))
        store.remove("aa1")
        assert not index.has("aa1")


def test_a_file_is_known_by_its_content_until_it_changes(store, tmp_path, monkeypatch):
    path = tmp_path / "x \udcff.wav"
    path.write_bytes(b"one")
    with Index(store, 1000) as index:
        first = index.content(path)
        with monkeypatch.context() as patched:
            patched.setattr("avpipe.training.store.sha256_of", None)
            assert index.content(path) == first
        path.write_bytes(b"two")
        assert index.content(path) != first
        path.write_bytes(b"one")
        assert index.content(path) == first


def test_two_runs_keep_account_together(store):
    with Index(store, 1000) as one, Index(store, 1000) as other:
        one.add("aa1", write(store, "aa1"))
        assert other.has("aa1")
        other.add("bb2", write(store, "bb2"))
        assert one.has("bb2")
