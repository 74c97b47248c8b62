"""Clean and noisy recordings under equal names."""

from pathlib import Path

import pytest

from avpipe.corpora import CorpusError, Paired, make_split
from tests.corpora import trees

VOICEBANK = {
    "trainset_28spk_wav": [f"p{speaker}_{number:03}.wav" for speaker in (226, 227, 228) for number in (1, 2)],
    "testset_wav": ["p232_001.wav", "p257_001.wav"],
}


def voicebank(root: Path) -> Path:
    for folder, names in VOICEBANK.items():
        for kind in ("clean", "noisy"):
            trees.write_recordings(root / f"{kind}_{folder}", names)
    return root


def pairs(root: Path, *names: str) -> Path:
    for kind in ("clean", "noisy"):
        trees.write_recordings(root / kind, names)
    return root


def test_voicebank(tmp_path: Path) -> None:
    corpus = Paired(voicebank(tmp_path))
    first = corpus.examples()[0]
    assert corpus.relative_path(first) == "noisy_testset_wav/p232_001.wav"
    assert (first.target, first.group) == (tmp_path / "clean_testset_wav" / "p232_001.wav", "p232")
    split = make_split(corpus)
    assert split.method == "official"
    assert [len(side) for side in (split.train, split.val, split.test)] == [4, 2, 2]
    assert len({example.group for example in split.val}) == 1
    assert {example.group for example in split.train}.isdisjoint(example.group for example in split.val)


def test_the_hash_hangs_on_no_place(tmp_path: Path) -> None:
    hashes = {make_split(Paired(voicebank(tmp_path / place))).sha256 for place in ("a", "b/c")}
    # Recordings differ by their paths, but the hash is of names.
    assert len(hashes) == 1


def test_train_and_test_folders(tmp_path: Path) -> None:
    for side, names in (("train", ("a.wav", "b.wav")), ("valid", ("c.wav",)), ("test", ("d.wav",))):
        pairs(tmp_path / side, *names)
    split = make_split(Paired(tmp_path))
    assert [[each.path.name for each in side] for side in (split.train, split.val, split.test)] == [
        ["a.wav", "b.wav"],
        ["c.wav"],
        ["d.wav"],
    ]


def test_plain_folders_are_split_by_the_folder_below(tmp_path: Path) -> None:
    corpus = Paired(pairs(tmp_path, *(f"{speaker}/{number}.wav" for speaker in "abcdef" for number in range(2))))
    assert corpus.official_split() is None
    split = make_split(corpus)
    assert split.method == "group"
    sides = [{example.group for example in side} for side in (split.train, split.val, split.test)]
    assert set().union(*sides) == set("abcdef")
    assert sum(map(len, sides)) == 6


def test_suffixes_may_differ(tmp_path: Path) -> None:
    pairs(tmp_path, "a.wav")
    (tmp_path / "clean" / "a.wav").rename(tmp_path / "clean" / "a.wave")
    (example,) = Paired(tmp_path).examples()
    assert example.target == tmp_path / "clean" / "a.wave"


@pytest.mark.parametrize("kind", ["clean", "noisy"])
def test_a_missing_partner_is_named(tmp_path: Path, kind: str) -> None:
    pairs(tmp_path, "a.wav", "b.wav")
    (tmp_path / kind / "b.wav").unlink()
    other = "noisy" if kind == "clean" else "clean"
    with pytest.raises(CorpusError, match=rf"{other}/b\.wav: has no partner in .*{kind}; add it, or remove this file"):
        Paired(tmp_path).examples()


def test_another_length_is_named(tmp_path: Path) -> None:
    pairs(tmp_path, "a.wav", "b.wav")
    trees.write_recording(tmp_path / "noisy" / "b.wav", samples=300)
    with pytest.raises(CorpusError, match=r"noisy/b\.wav: lasts 0\.037 s and its partner .*clean/b\.wav 0\.030 s; cut"):
        Paired(tmp_path).examples()


def test_unusable_folders_are_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"holds no folders of clean and noisy recordings; name them clean/ and"):
        Paired(tmp_path).examples()
    trees.write_recordings(tmp_path / "clean", ["a.wav"])
    with pytest.raises(CorpusError, match=r"clean: has no noisy folder beside it"):
        Paired(tmp_path).examples()
    pairs(tmp_path, "a.wav")
    pairs(tmp_path / "test", "a.wav")
    with pytest.raises(CorpusError, match="it is not told who tests"):
        Paired(tmp_path).examples()
    with pytest.raises(CorpusError, match=r"no such folder; get pairs of clean and noisy recordings"):
        Paired(tmp_path / "nowhere")


def test_two_files_of_one_name_are_an_error(tmp_path: Path) -> None:
    pairs(tmp_path, "a.wav")
    trees.write_recording(tmp_path / "noisy" / "a.wave")
    with pytest.raises(CorpusError, match=r"a\.wave: has the same name as a\.wav; remove one of them"):
        Paired(tmp_path).examples()
