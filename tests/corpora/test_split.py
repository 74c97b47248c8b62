import csv
import hashlib
import os
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avpipe.corpora import Corpus, CorpusError, Example, Folders, Fsdd, Manifest, Ravdess, Split, make_split
from avpipe.corpora import equality as equality_module
from avpipe.corpora.equality import equal_recordings
from avpipe.corpora.split import lay_out
from avpipe.corpora.stratify import join, share_out
from avpipe.errors import ArgumentError
from tests.corpora import trees


class Given(Corpus):
    """Examples that a test gives; their files need not exist, so none is equal to another."""

    name = "given"
    licence = "none"

    def __init__(self, root: Path, examples: Iterable[Example], official: dict[Example, str] | None = None) -> None:
        self.root = root
        self._examples = list(examples)
        self._official = official

    def scan(self) -> Iterator[Example]:
        yield from self._examples

    def official_split(self) -> dict[Example, str] | None:
        return self._official


def sides(split: Split) -> dict[str, tuple[Example, ...]]:
    return {"train": split.train, "val": split.val, "test": split.test}


LABELS = st.sampled_from(["a", "b", "c"])
GROUPS = st.sampled_from(["", "g1", "g2", "g3", "g4", "g5"])
ITEMS = st.lists(st.tuples(LABELS, GROUPS), min_size=4, max_size=40)


def given_corpus(root: Path, items: list[tuple[str, str]]) -> Given:
    return Given(root, (Example(root / f"{n}.wav", label, group=group) for n, (label, group) in enumerate(items)))


@settings(deadline=None)
@given(items=ITEMS, seed=st.integers(0, 5))
def test_groups_never_cross_and_everything_stands_once(items: list[tuple[str, str]], seed: int) -> None:
    corpus = given_corpus(Path("/nowhere"), items)
    try:
        split = make_split(corpus, by="group", seed=seed)
    except CorpusError:
        return
    every = [example for side in sides(split).values() for example in side]
    assert sorted(every, key=lambda example: str(example.path)) == sorted(corpus.scan(), key=lambda e: str(e.path))
    groups = [{example.group for example in side} - {""} for side in sides(split).values()]
    assert sum(map(len, groups)) == len(set().union(*groups))
    assert {example.target for example in every} == {example.target for example in split.train}
    if any(group for _, group in items):
        assert all(example.group for example in (*split.val, *split.test))


def outcome(corpus: Corpus, by: str) -> tuple[str, ...]:
    """The split's hash and order of training, or the error's reason."""
    try:
        split = make_split(corpus, by=by, seed=1)
    except CorpusError as error:
        return (error.reason,)
    return (split.sha256, *(example.path.name for example in split.train))


@settings(deadline=None)
@given(items=ITEMS, by=st.sampled_from(["group", "random"]), shuffle=st.randoms(use_true_random=False))
def test_the_split_hangs_on_neither_order_nor_place(
    items: list[tuple[str, str]], by: str, shuffle: random.Random
) -> None:
    here, there = given_corpus(Path("/nowhere"), items), given_corpus(Path("/else/where"), items)
    shuffle.shuffle(there._examples)
    if len({label for label, _ in items}) > 1:  # else the error names the root
        assert outcome(there, by) == outcome(here, by)


@settings(deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(0, 9))
def test_single_recordings_are_stratified(recordings: list[int], seed: int) -> None:
    counts = np.repeat(np.eye(len(recordings), dtype=np.int64), recordings, axis=0)
    drawn = share_out(counts, [str(number) for number in range(len(counts))], (0.65, 0.15, 0.2), seed)
    for label, total in enumerate(recordings):
        got = Counter(side for side, row in zip(drawn, counts, strict=True) if row[label])
        assert got["train"] >= 1
        assert got["test"] >= (total >= 2)
        assert got["val"] >= (total >= 3)
        for side, fraction in (("train", 0.65), ("val", 0.15), ("test", 0.2)):
            assert abs(got[side] - fraction * total) <= 2


def test_seeds_draw_different_splits(tmp_path: Path) -> None:
    corpus = Folders(trees.class_folders(tmp_path, {"cat": 10, "dog": 10}))
    assert len({make_split(corpus, seed=seed).sha256 for seed in range(5)}) == 5


def test_join_links_groups_through_equal_recordings() -> None:
    a, b, c, d = (Example(Path(f"{name}.wav"), "x", group=group) for name, group in zip("abcd", "1123", strict=True))
    assert {frozenset(unit) for unit in join([a, b, c, d], [(b, c)], by_group=True)} == {
        frozenset({a, b, c}),
        frozenset({d}),
    }
    assert {frozenset(unit) for unit in join([a, b, c, d], [(b, c)], by_group=False)} == {
        frozenset({a}),
        frozenset({b, c}),
        frozenset({d}),
    }


def test_equal_recordings_are_found_though_the_files_differ(tmp_path: Path) -> None:
    first = trees.write_recording(tmp_path / "a.wav", "same", samples=12000)
    trees.write_recording(tmp_path / "other.wav", "other", samples=12000)
    second = tmp_path / "b.wav"
    # A comment behind the samples: other bytes, equal sound.
    second.write_bytes(first.read_bytes() + b"LIST" + (4).to_bytes(4, "little") + b"INFO")
    same_start = trees.write_recording(tmp_path / "c.wav", "same", samples=12000)
    data = bytearray(same_start.read_bytes())
    data[-1] ^= 1
    same_start.write_bytes(bytes(data))
    (tmp_path / "broken.wav").write_bytes(b"RIFF but no sound")
    (tmp_path / "empty.wav").touch()
    examples = [Example(path, "x") for path in sorted(tmp_path.glob("*.wav"))]
    assert equal_recordings(examples, tmp_path) == [(Example(first, "x"), Example(second, "x"))]


@pytest.mark.parametrize("by", ["group", "random"])
def test_equal_recordings_never_stand_on_two_sides(tmp_path: Path, by: str) -> None:
    for number in range(12):
        for label in ("cat", "dog"):
            trees.write_recording(tmp_path / label / f"{number}.wav", f"{label} {number // 2}")
    for seed in range(5):
        split = make_split(Folders(tmp_path), by=by, seed=seed)
        contents = [{(each.target, int(each.path.stem) // 2) for each in side} for side in sides(split).values()]
        assert sum(map(len, contents)) == 12
        assert not split.dropped


def test_an_equal_recording_is_dropped_from_an_official_train(tmp_path: Path) -> None:
    for side in ("train", "val", "test"):
        trees.class_folders(tmp_path / side, {"cat": 3, "dog": 3})
    for side in ("train", "val", "test"):
        trees.write_recording(tmp_path / side / "cat" / "1.wav", "everywhere")
    split = make_split(Folders(tmp_path))
    assert {example.path.parts[-3] for example in split.dropped} == {"train", "val"}
    assert [len(side) for side in sides(split).values()] == [5, 5, 6]
    assert "train/cat/1.wav is left out: it equals a recording on another side" in split.warnings


def test_hashes_are_remembered_until_the_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "corpus"
    paths = [trees.write_recording(root / f"{name}.wav", "same") for name in "ab"]
    examples = [Example(path, "x") for path in paths]
    assert equal_recordings(examples, root) == [tuple(examples)]

    def fail(*_: object) -> str:
        raise AssertionError("decoded again")

    with monkeypatch.context() as patched:
        patched.setattr(equality_module, "decoded_sha256", fail)
        patched.setattr(equality_module, "probe", fail)
        assert equal_recordings(examples, root) == [tuple(examples)]
    trees.write_recording(paths[1], "changed")
    os.utime(paths[1], ns=(1, 1))
    assert equal_recordings(examples, root) == []


@pytest.mark.parametrize("spoilt", ["", "{", "[]", '{"decoders": {}}'])
def test_a_spoilt_or_unwritable_cache_costs_time_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoilt: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "corpus"
    examples = [Example(trees.write_recording(root / f"{name}.wav", "same"), "x") for name in "ab"]
    equal_recordings(examples, root)
    (kept,) = (tmp_path / "cache" / "avpipe").glob("samples-*.json")
    kept.write_text(spoilt)
    assert len(equal_recordings(examples, root)) == 1
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(equal_recordings(examples, root)) == 1


def test_the_hash_is_over_the_lines_of_the_contract(tmp_path: Path) -> None:
    train = Example(tmp_path / "b" / "é.wav", "x", 0.5, 1.0, "g")
    test = Example(tmp_path / "a.wav", "x")
    split = Split(train=(train,), val=(), test=(test,), root=tmp_path, method="official", seed=0)
    text = "a.wav\t0.0\t\tx\t\ttest\nb/é.wav\t0.5\t1.0\tx\tg\ttrain\n"
    assert split.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_the_hash_hangs_on_no_place_of_several_roots(tmp_path: Path) -> None:
    def split(place: Path) -> Split:
        corpus = Given(place / "root", ())
        corpus.other_roots = (place / "root" / "cache", place / "elsewhere")
        examples = (
            Example(place / "root" / "a.wav", place / "root" / "a.wav"),
            Example(place / "root" / "cache" / "b.wav", place / "elsewhere" / "c.wav"),
        )
        return lay_out(corpus, examples, dict.fromkeys(examples, "train"), (), "official", 0, scored=False)

    text = "a.wav\t0.0\t\ta.wav\t\ttrain\nb.wav\t0.0\t\tc.wav\t\ttrain\n"
    for place in (tmp_path, Path("/some/where")):
        assert split(place).sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_a_written_split_is_read_back_as_it_was(tmp_path: Path) -> None:
    split = make_split(Ravdess(trees.ravdess(tmp_path / "ravdess")))
    for folder in (tmp_path, tmp_path / "ravdess", tmp_path / "runs" / "one"):  # above, at and beside the recordings
        split.write_manifest(folder / "split.csv")
        again = make_split(Manifest(folder / "split.csv", root=tmp_path / "ravdess" if folder.name == "one" else None))
        assert sides(again) == sides(split)
        assert not list(folder.glob(".*part*"))
    assert again.sha256 == split.sha256
    with (tmp_path / "split.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {
        "path": "ravdess/Actor_01/03-01-01-01-01-01-01.wav",
        "label": "neutral",
        "group": "01",
        "split": "train",
        "start_sec": "0.0",
        "end_sec": "",
    }


def test_by_group_of_a_corpus_with_an_official_split(tmp_path: Path) -> None:
    split = make_split(Fsdd(trees.fsdd(tmp_path)), by="group")
    assert split.method == "group"
    assert [{example.group for example in side} for side in sides(split).values() if len(side) != 22] == []


def test_a_group_that_alone_holds_a_label_trains(tmp_path: Path) -> None:
    items = [(label, f"g{group}") for group in range(6) for label in "ab"] + [("rare", "g3")]
    for seed in range(10):
        split = make_split(given_corpus(tmp_path, items), by="group", seed=seed)
        assert "rare" in split.labels
        assert any("'rare' is not in test" in warning for warning in split.warnings)


def test_a_label_that_is_scored_and_never_trained_is_an_error(tmp_path: Path) -> None:
    official = {Example(tmp_path / f"{n}.wav", label): side for n, (label, side) in enumerate(
        [("a", "train"), ("b", "train"), ("a", "test"), ("c", "test"), ("b", "val")]
    )}  # fmt: skip
    with pytest.raises(CorpusError, match=r"label 'c' stands in test but never in train; .*split\.by=group"):
        make_split(Given(tmp_path, official, official))


def test_unusable_arguments_name_the_choices(tmp_path: Path) -> None:
    corpus = Folders(trees.class_folders(tmp_path, {"cat": 3, "dog": 3}))
    with pytest.raises(ArgumentError, match=r"split\.by=speaker: .*choose from auto, official, group, random"):
        make_split(corpus, by="speaker")
    with pytest.raises(ArgumentError, match=r"split\.val_fraction=1\.5"):
        make_split(corpus, val_fraction=1.5)
    with pytest.raises(ArgumentError, match="nothing to train on"):
        make_split(corpus, val_fraction=0.5, test_fraction=0.5)
    with pytest.raises(CorpusError, match="no official split"):
        make_split(corpus, by="official")


def test_fewer_than_two_groups_is_an_error(tmp_path: Path) -> None:
    corpus = Folders(trees.write_recordings(tmp_path, ["cat/tom/a.wav", "dog/tom/b.wav"]), group_from="parent")
    with pytest.raises(CorpusError, match=r"one group only, 'tom'.*split\.by=random"):
        make_split(corpus)


def test_small_corpora_have_every_label_on_every_side_where_they_can(tmp_path: Path) -> None:
    split = make_split(Folders(trees.class_folders(tmp_path, {"cat": 3, "dog": 4, "cow": 2})))
    assert {example.target for example in split.train} == {"cat", "dog", "cow"}
    assert {example.target for example in split.test} == {"cat", "dog", "cow"}
    assert {example.target for example in split.val} == {"cat", "dog"}


def test_a_fraction_of_nothing_leaves_the_side_empty(tmp_path: Path) -> None:
    corpus = Folders(trees.class_folders(tmp_path, {"cat": 5, "dog": 5}))
    split = make_split(corpus, val_fraction=0, test_fraction=0)
    assert [len(side) for side in sides(split).values()] == [10, 0, 0]
    assert split.warnings == ("there is no validation part: the best epoch cannot be told",)
