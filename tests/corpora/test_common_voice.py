"""Common Voice on tiny trees: tables of sides, one table of all, and the defects of real ones."""

from pathlib import Path

import pytest

from avpipe.corpora import CommonVoice, CorpusError, make_folds, make_split
from tests.corpora import trees

HEADER = "client_id\tpath\tsentence_id\tsentence\tup_votes\tage\n"
SPEAKERS = {"train.tsv": ("a", "b", "c"), "dev.tsv": ("d",), "test.tsv": ("e",)}


def language(root: Path, speakers: dict[str, tuple[str, ...]] = SPEAKERS, suffix: str = ".mp3") -> Path:
    """Three clips a speaker; what is in them is told by its content, not by its suffix."""
    for table, names in speakers.items():
        rows = []
        for speaker in names:
            for number in range(3):
                trees.write_recording(root / "clips" / f"{speaker}{number}.mp3")
                rows.append(f'{speaker}\t{speaker}{number}{suffix}\t\t"Zażółć" {number}, said {speaker}.\t2\t\n')
        (root / table).write_text(HEADER + "".join(rows), encoding="utf-8")
    return root


def test_the_tables_are_the_official_split(tmp_path: Path) -> None:
    corpus = CommonVoice(language(tmp_path))
    split = make_split(corpus)
    assert split.method == "official"
    assert [len(side) for side in (split.train, split.val, split.test)] == [9, 3, 3]
    assert [each.path.name for each in split.test] == ["e0.mp3", "e1.mp3", "e2.mp3"]
    assert (split.test[0].target, split.test[0].group) == ('"Zażółć" 0, said e.', "e")
    assert split.warnings == ()
    assert not corpus.has_classes
    assert len(make_folds(corpus, "leave_one_group_out")) == 5


@pytest.mark.parametrize("suffix", [".mp3", ""])
def test_names_with_and_without_suffix(tmp_path: Path, suffix: str) -> None:
    corpus = CommonVoice(language(tmp_path, suffix=suffix))
    assert sorted(path.name for path in (tmp_path / "clips").iterdir()) == [
        example.path.name for example in corpus.examples()
    ]


def test_one_table_of_all_has_no_official_split(tmp_path: Path) -> None:
    corpus = CommonVoice(language(tmp_path, {"validated.tsv": tuple("abcdef")}))
    assert corpus.official_split() is None
    split = make_split(corpus)
    assert split.method == "group"
    assert not {each.group for each in split.train} & {each.group for each in split.test}
    # It lists the clips of the three tables too, and others that no one has put on a side.
    assert len(CommonVoice(language(tmp_path)).examples()) == 15


def test_speakers_are_on_every_side_when_they_are_the_label(tmp_path: Path) -> None:
    corpus = CommonVoice(language(tmp_path), "speaker")
    assert corpus.official_split() is None
    split = make_split(corpus)
    assert {each.target for each in split.train} == {each.target for each in split.test} == set("abcde")
    assert {each.group for each in corpus.examples()} == {""}


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"holds neither train\.tsv, dev\.tsv, test\.tsv nor validated\.tsv; give "):
        CommonVoice(tmp_path).examples()
    (language(tmp_path) / "clips" / "d1.mp3").unlink()
    with pytest.raises(CorpusError, match=r"d1\.mp3: is listed in dev\.tsv and not there; download"):
        CommonVoice(tmp_path).examples()
    (tmp_path / "dev.tsv").write_text("client_id\tpath\n")
    with pytest.raises(CorpusError, match=r"dev\.tsv, line 1: no column 'sentence'"):
        CommonVoice(tmp_path).examples()
