"""Cross-validation: who is tested when, and what cannot be."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avpipe.corpora import Corpus, CorpusError, Esc, Folders, Fsdd, Manifest, Ravdess, Split, YesNo, make_folds
from avpipe.errors import ArgumentError
from tests.corpora import trees
from tests.corpora.test_split import ITEMS, Given, given_corpus


def groups(folds: list[Split], side: str) -> list[list[str]]:
    return [sorted({example.group for example in getattr(fold, side)}) for fold in folds]


def names(folds: list[Split], side: str) -> list[list[str]]:
    return [[f"{each.target}{each.path.stem}" for each in getattr(fold, side)] for fold in folds]


def grouped_corpus(root: Path, labels_of: dict[str, str]) -> Given:
    """A recording of each label (a letter) in each group."""
    return given_corpus(root, [(label, group) for group, labels in labels_of.items() for label in labels])


@settings(deadline=None)
@given(items=ITEMS, cv=st.sampled_from([3, 4, 5, "leave_one_group_out"]))
def test_everything_with_a_group_is_tested_once_and_no_group_crosses(items, cv):
    corpus = given_corpus(Path("/nowhere"), items)
    try:
        folds = make_folds(corpus, cv)
    except CorpusError:
        return
    scored = [example for example in corpus.scan() if example.group] or list(corpus.scan())
    for side in ("test", "val"):
        assert Counter(each for fold in folds for each in getattr(fold, side)) == Counter(scored)
    for fold in folds:
        sides = [{example.group for example in side} - {""} for side in (fold.train, fold.val, fold.test)]
        assert sum(map(len, sides)) == len(set().union(*sides))
        assert len(fold.train) + len(fold.val) + len(fold.test) == len(items)
        assert set(fold.labels) == {label for label, _ in items}
        assert fold.test
    assert len({fold.sha256 for fold in folds}) == len(folds)


def test_groups_are_cut_in_the_order_of_their_names_and_the_next_part_validates(tmp_path: Path) -> None:
    corpus = grouped_corpus(tmp_path, {f"g{number}": "ab" for number in (10, 9, 1, 2, 3, 4, 11)})
    folds = make_folds(corpus, 3)
    parts = [["g1", "g10", "g11"], ["g2", "g3"], ["g4", "g9"]]
    assert groups(folds, "test") == parts
    assert groups(folds, "val") == [*parts[1:], parts[0]]
    assert [fold.method for fold in folds] == ["fold 1 of 3", "fold 2 of 3", "fold 3 of 3"]
    assert all(fold.root == tmp_path and fold.warnings == () for fold in folds)


def test_one_group_a_fold(tmp_path: Path) -> None:
    folds = make_folds(Fsdd(trees.fsdd(tmp_path, takes=2)), "leave_one_group_out")
    assert groups(folds, "test") == [["george"], ["lucas"], ["theo"]]
    assert groups(folds, "val") == [["lucas"], ["theo"], ["george"]]


def test_without_groups_every_part_has_its_share_of_every_label(tmp_path: Path) -> None:
    folds = make_folds(Folders(trees.class_folders(tmp_path, {"cat": 7, "dog": 7, "cow": 10})), 5)
    assert names(folds, "test") == [
        ["cat0", "cat1", "cow0", "cow1", "dog0"],
        ["cat2", "cat3", "cow2", "cow3", "dog1"],
        ["cat4", "cow4", "cow5", "dog2", "dog3"],
        ["cat5", "cow6", "cow7", "dog4", "dog5"],
        ["cat6", "cow8", "cow9", "dog6"],
    ]


def test_leave_one_out_where_there_are_no_groups(tmp_path: Path) -> None:
    folds = make_folds(Folders(trees.class_folders(tmp_path, {"cat": 3, "dog": 3})), "leave_one_group_out")
    assert names(folds, "test") == [["cat0"], ["cat1"], ["cat2"], ["dog0"], ["dog1"], ["dog2"]]
    assert folds[0].warnings == ("label 'dog' is not in test and cannot be scored",)


def test_examples_without_a_group_train_in_every_fold(tmp_path: Path) -> None:
    corpus = grouped_corpus(tmp_path, {"g1": "ab", "g2": "ab", "g3": "ab", "": "abc"})
    for fold in make_folds(corpus, 3):
        assert [example.target for example in fold.train if not example.group] == ["a", "b", "c"]
        assert all(example.group for example in (*fold.val, *fold.test))
        assert fold.warnings == ("label 'c' is not in test and cannot be scored",)


def test_equal_recordings_of_two_groups_never_stand_on_two_sides(tmp_path: Path) -> None:
    for group in ("g1", "g2", "g3", "g4"):
        for label in ("cat", "dog"):
            trees.write_recordings(tmp_path, [f"{label}/{group}/own.wav"])
    for group in ("g1", "g3"):
        trees.write_recording(tmp_path / "cat" / group / "same.wav", "same")
    folds = make_folds(Folders(tmp_path, group_from="parent"), 4)
    kept = [
        [each.group for side in (fold.train, fold.val, fold.test) for each in side if each.path.stem == "same"]
        for fold in folds
    ]
    assert kept == [["g1"], ["g3"], ["g3"], ["g1"]]
    assert list(folds[0].warnings) == ["cat/g3/same.wav is left out: it equals a recording on another side"]
    assert [[each.group for each in fold.dropped] for fold in folds] == [["g3"], ["g1"], ["g1"], ["g3"]]


def test_without_groups_equal_recordings_stand_together(tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        for number in range(6):
            trees.write_recording(tmp_path / label / f"{number}.wav", f"{label} {number % 3}")
    folds = make_folds(Folders(tmp_path), 3)
    assert names(folds, "test") == [[f"cat{n}", f"cat{n + 3}", f"dog{n}", f"dog{n + 3}"] for n in range(3)]
    assert not any(fold.dropped for fold in folds)


def test_free_text_has_no_label_to_be_missing(tmp_path: Path) -> None:
    corpus = YesNo(trees.write_recordings(tmp_path, ["_".join(f"{number:08b}") + ".wav" for number in range(6)]))
    folds = make_folds(corpus, 3)
    assert [len(fold.test) for fold in folds] == [2, 2, 2]
    assert not any(fold.warnings for fold in folds)


@pytest.mark.parametrize("cv", [0, 1, 2, -3, "five", "5", True, None, 4.5])
def test_an_unusable_number_of_folds_names_the_choices(tmp_path: Path, cv) -> None:
    with pytest.raises(ArgumentError, match=r"^cv=.*give a number of folds from 3, or leave_one_group_out$"):
        make_folds(Folders(trees.class_folders(tmp_path, {"cat": 3, "dog": 3})), cv)


def test_fewer_groups_than_folds_names_both_numbers(tmp_path: Path) -> None:
    corpus = grouped_corpus(tmp_path, {"g1": "ab", "g2": "ab", "g3": "ab", "g4": "ab"})
    with pytest.raises(CorpusError, match=r"has 4 groups: too few for 5 folds; give cv=4 or less"):
        make_folds(corpus, 5)
    two = grouped_corpus(tmp_path, {"g1": "ab", "g2": "ab"})
    with pytest.raises(CorpusError, match=r"has 2 groups: too few for 3 folds; cross-validation needs 3 or more"):
        make_folds(two, "leave_one_group_out")
    folders = Folders(trees.class_folders(tmp_path, {"cat": 3, "dog": 3}))
    with pytest.raises(CorpusError, match=r"has 6 recordings, and no groups: too few for 9 folds; give cv=6 or less"):
        make_folds(folders, 9)


def test_a_label_in_one_group_only_is_an_error(tmp_path: Path) -> None:
    corpus = grouped_corpus(tmp_path, {"g1": "ab", "g2": "abr", "g3": "ab"})
    with pytest.raises(CorpusError, match=r"label 'r' stands in group 'g2' only: it cannot be both trained and scored"):
        make_folds(corpus, 3)
    folders = Folders(trees.class_folders(tmp_path, {"cat": 1, "dog": 5}))
    with pytest.raises(CorpusError, match=r"label 'cat' stands in one recording, cat/0\.wav, only: .*; add recordings"):
        make_folds(folders, 3)


def test_a_label_whose_groups_are_all_held_out_of_one_fold_is_an_error(tmp_path: Path) -> None:
    adjacent = grouped_corpus(tmp_path, {"g1": "ab", "g2": "abr", "g3": "abr", "g4": "ab"})
    with pytest.raises(CorpusError, match=r"fold 2 of 4 tests label 'r' and never trains it; add .* another cv"):
        make_folds(adjacent, 4)
    apart = grouped_corpus(tmp_path, {"g1": "abr", "g2": "ab", "g3": "abr", "g4": "ab"})
    missing = "label 'r' is not in test and cannot be scored"
    assert [fold.warnings for fold in make_folds(apart, 4)] == [(), (missing,), (), (missing,)]


def test_folds_hang_on_neither_order_nor_place(tmp_path: Path) -> None:
    trees.ravdess(tmp_path / "here", actors=range(1, 7))
    trees.ravdess(tmp_path / "there", actors=reversed(range(1, 7)))
    here, there = (make_folds(Ravdess(tmp_path / place), 3) for place in ("here", "there"))
    assert [fold.sha256 for fold in here] == [fold.sha256 for fold in there]


def test_a_written_fold_is_a_split_that_is_read_back(tmp_path: Path) -> None:
    fold = make_folds(Ravdess(trees.ravdess(tmp_path / "ravdess", actors=range(1, 4))), 3)[1]
    fold.write_manifest(tmp_path / "split.csv")
    sides = Manifest(tmp_path / "split.csv").official_split()
    assert [each for each, side in sides.items() if side == "test"] == list(fold.test)


@pytest.mark.corpora
def test_ravdess_five_folds_of_four_actors() -> None:
    folds = make_folds(Ravdess(), 5)
    parts = [[f"{actor:02}" for actor in range(first, first + 4)] for first in (1, 5, 9, 13, 17)]
    assert groups(folds, "test") == parts
    assert groups(folds, "val") == [*parts[1:], parts[0]]
    assert [(len(fold.train), len(fold.val), len(fold.test)) for fold in folds] == [(720, 240, 240)] * 5
    assert not any(fold.warnings or fold.dropped for fold in folds)


@pytest.mark.corpora
@pytest.mark.parametrize("cv", [6, "leave_one_group_out"])
def test_fsdd_a_fold_a_speaker(cv) -> None:
    folds = make_folds(Fsdd(), cv)
    assert groups(folds, "test") == [["george"], ["jackson"], ["lucas"], ["nicolas"], ["theo"], ["yweweler"]]
    assert [len(fold.test) for fold in folds] == [500] * 6


@pytest.mark.corpora
def test_esc10_in_five_folds() -> None:
    corpus: Corpus = Esc()
    folds = make_folds(corpus, 5)
    assert sum(len(fold.test) for fold in folds) == len(corpus.examples())
    # The source recordings are sorted by the authors' folds, but one source may have given many clips.
    lacks_one = ("label 'helicopter' is not in test and cannot be scored",)
    assert [fold.warnings for fold in folds] == [(), (), lacks_one, (), ()]
    for fold in folds:
        sources = [{example.group for example in side} for side in (fold.train, fold.val, fold.test)]
        assert not sources[0] & sources[1] | sources[1] & sources[2] | sources[0] & sources[2]
        assert len(fold.labels) == 10
