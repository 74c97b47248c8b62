"""The corpora of actions on tiny trees of their layouts, and what is told of films without groups."""

from collections import Counter
from pathlib import Path

import pytest

from avpipe.corpora import CorpusError, Folders, Hmdb51, Kinetics, Manifest, Ucf101, make_folds, make_split
from avpipe.errors import ArgumentError
from tests.corpora import trees


def test_ucf101_has_three_splits_by_source(tmp_path: Path) -> None:
    trees.ucf101(tmp_path)
    for number in (1, 2, 3):
        split = make_split(Ucf101(tmp_path, split=number), val_fraction=0.3)
        assert split.method == "official"
        assert {example.group for example in split.test} == {
            f"g{source:02}_{action}"
            for action in ("Archery", "Basketball")
            for source in (2 * number - 1, 2 * number)
        }  # fmt: skip
        groups = [{example.group for example in side} for side in (split.train, split.val, split.test)]
        assert split.val
        assert not groups[0] & groups[1] | groups[1] & groups[2] | groups[0] & groups[2]
        assert split.warnings == ()
    example = next(iter(Ucf101(tmp_path).examples()))
    assert (example.path.name, example.target, example.group) == ("v_Archery_g01_c01.avi", "Archery", "g01_Archery")


def test_ucf101_split_at_random_is_warned_about(tmp_path: Path) -> None:
    corpus = Ucf101(trees.ucf101(tmp_path))
    (line,) = make_split(corpus, by="random").warnings
    assert "test groups are trained on too" in line
    assert make_split(corpus, by="group").warnings == ()
    assert all(fold.warnings == () for fold in make_folds(corpus, 4))


def test_ucf101_may_have_its_class_folders_in_the_root(tmp_path: Path) -> None:
    for folder in (trees.ucf101(tmp_path) / "UCF-101").iterdir():
        folder.rename(tmp_path / folder.name)
    (tmp_path / "UCF-101").rmdir()
    assert len(Ucf101(tmp_path).examples()) == 32


def test_ucf101_names_what_is_wrong(tmp_path: Path) -> None:
    lists = trees.ucf101(tmp_path) / "ucfTrainTestlist"
    with pytest.raises(ArgumentError, match=r"corpus\.split=4: there are three .*choose 1, 2 or 3"):
        Ucf101(tmp_path, split=4)
    (tmp_path / "UCF-101" / "Archery" / "v_Archery_g01_c01.avi").unlink()
    with pytest.raises(CorpusError, match=r"v_Archery_g01_c01\.avi: is listed in testlist01\.txt and not there"):
        Ucf101(tmp_path).examples()
    (lists / "testlist01.txt").write_text("Archery/notes.avi\n")
    with pytest.raises(CorpusError, match=r"testlist01\.txt: 'Archery/notes\.avi' is no film of an action"):
        Ucf101(tmp_path).examples()
    (lists / "classInd.txt").unlink()
    with pytest.raises(CorpusError, match=r"classInd\.txt: this official list of the corpus is missing"):
        Ucf101(tmp_path).examples()


def test_hmdb51_reads_its_lists_and_knows_the_source(tmp_path: Path) -> None:
    corpus = Hmdb51(trees.hmdb51(tmp_path))
    sides = corpus.official_split()
    assert Counter(sides.values()) == {"train": 8, "test": 6}  # what split 1 does not use is left out
    assert len(Hmdb51(tmp_path, split=2).examples()) == 16
    groups = {example.path.name: example.group for example in sides}
    assert groups["brush_hair_film_#0_brush_hair_u_nm_np1_ba_goo_0.avi"] == "brush_hair_film_#0"
    assert groups["Long_Film_clap_f_cm_np2_le_med_2.avi"] == "Long_Film"
    split = make_split(corpus, val_fraction=0.3)
    assert split.val
    assert "1 of 5 test groups are trained on too" in " ".join(split.warnings)


def test_hmdb51_names_what_is_wrong(tmp_path: Path) -> None:
    lists = trees.hmdb51(tmp_path) / "testTrainMulti_7030_splits"
    for line in ("clap.avi 3", "clap.avi"):
        (lists / "clap_test_split1.txt").write_text(line)
        with pytest.raises(CorpusError, match=rf"clap_test_split1\.txt: '{line}' is no film with 0, 1 or 2"):
            Hmdb51(tmp_path).examples()
    for path in lists.glob("*_test_split1.txt"):
        path.unlink()
    with pytest.raises(CorpusError, match=r"holds no testTrainMulti_7030_splits/\*_test_split1\.txt"):
        Hmdb51(tmp_path).examples()


def test_kinetics_is_what_is_listed_and_there(tmp_path: Path) -> None:
    corpus = Kinetics(trees.kinetics(tmp_path))
    split = make_split(corpus)
    assert [len(side) for side in (split.train, split.val, split.test)] == [8, 8, 8]
    assert split.labels == ("abseiling, high", "air drumming")
    assert split.warnings == ()
    assert {example.group for example in split.test} >= {"-2_0ai_", "-2_3ab_"}
    for missing in ("-0_1ai__000001_000011", "-2_2ab__000002_000012"):
        next(tmp_path.rglob(f"{missing}.mp4")).unlink()
    corpus = Kinetics(tmp_path)
    assert len(corpus.examples()) == 22
    (line,) = make_split(corpus).warnings
    assert line == "2 of 24 listed films are not there (first -0_1ai__000001_000011.mp4): left out"
    assert make_folds(corpus, 3)[0].warnings[0] == line


def test_kinetics_without_test_films_tests_on_its_validation(tmp_path: Path) -> None:
    split = make_split(Kinetics(trees.kinetics(tmp_path, ("train", "val"))), val_fraction=0.25)
    assert [len(side) for side in (split.train, split.val, split.test)] == [6, 2, 8]
    assert {example.group[:2] for example in split.test} == {"-1"}


def test_kinetics_may_lie_flat_with_its_list_elsewhere(tmp_path: Path) -> None:
    trees.kinetics(tmp_path / "films", ("train", "test"))
    for path in list((tmp_path / "films").rglob("*.mp4")):
        path.rename(tmp_path / "films" / path.name)
    table = (tmp_path / "films" / "kinetics.csv").rename(tmp_path / "mine.csv")
    assert len(Kinetics(tmp_path / "films", table).examples()) == 16
    with pytest.raises(CorpusError, match=r"holds no CSV of Kinetics; put its lists there, or give corpus\.path=FILE"):
        Kinetics(tmp_path / "films").examples()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("abseiling,x,1.5,11,train", r"line 2: '1\.5' to '11' are no times"),
        ("abseiling,x,1,11,training", r"line 2: unknown split 'training'; choose from train, val, test"),
        ("abseiling,x,1,11,train\nabseiling,x,1,11,test", r"line 3: x_000001_000011 is listed twice"),
        ("abseiling,x,1,11,train", "holds no recording of the corpus kinetics"),
    ],
)
def test_kinetics_names_the_line_that_is_wrong(tmp_path: Path, line: str, told: str) -> None:
    (tmp_path / "k.csv").write_text(f"label,youtube_id,time_start,time_end,split\n{line}\n")
    with pytest.raises(CorpusError, match=told):
        Kinetics(tmp_path).examples()


def test_films_without_groups_are_warned_about(tmp_path: Path) -> None:
    films = trees.write_recordings(tmp_path / "films", (f"{label}/{n % 4}_{n}.mp4" for label in "ab" for n in range(8)))
    for split in (
        make_split(Folders(films)),
        make_split(Folders(films), by="random"),
        make_folds(Folders(films), 3)[0],
    ):
        assert [line for line in split.warnings if "no groups are known: clips cut from one film" in line]
    assert make_split(Folders(films, group_from="prefix")).warnings == ()
    sounds = trees.class_folders(tmp_path / "sounds", {"a": 8, "b": 8})
    assert make_split(Folders(sounds)).warnings == ()
    make_split(Folders(films)).write_manifest(tmp_path / "list.csv")
    assert make_split(Manifest(tmp_path / "list.csv")).warnings == ()  # whoever laid it down knows better
