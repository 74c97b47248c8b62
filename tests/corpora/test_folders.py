from pathlib import Path

import pytest

from avpipe.corpora import CorpusError, Folders, make_split
from avpipe.errors import ArgumentError
from tests.corpora import trees


def test_labels_are_the_class_folders_however_deep_the_files_lie(tmp_path: Path) -> None:
    trees.write_recordings(tmp_path, ["cat/a.wav", "cat/2020/may/b.wav", "dog [1] 🐕/c.wav", ".trash/d.wav"])
    (tmp_path / "cat" / "notes.txt").write_text("no media")
    (tmp_path / "README.txt").write_text("no media")
    corpus = Folders(tmp_path)
    assert [(corpus.relative_path(each), each.target, each.group) for each in corpus.examples()] == [
        ("cat/2020/may/b.wav", "cat", ""),
        ("cat/a.wav", "cat", ""),
        ("dog [1] 🐕/c.wav", "dog [1] 🐕", ""),
    ]
    assert corpus.official_split() is None


def test_train_and_test_folders_are_an_official_split(tmp_path: Path) -> None:
    for side, files in (("train", 5), ("valid", 1), ("test", 2)):
        trees.class_folders(tmp_path / side, {"cat": files, "dog": files})
    split = make_split(Folders(tmp_path))
    assert split.method == "official"
    assert [len(side) for side in (split.train, split.val, split.test)] == [10, 2, 4]
    assert split.labels == ("cat", "dog")


def test_without_a_validation_folder_one_is_drawn_from_train(tmp_path: Path) -> None:
    for side in ("train", "test"):
        trees.class_folders(tmp_path / side, {"cat": 8, "dog": 8})
    split = make_split(Folders(tmp_path), val_fraction=0.25)
    assert [len(side) for side in (split.train, split.val, split.test)] == [12, 4, 16]
    assert all("test" in example.path.parts for example in split.test)


def test_without_a_test_folder_the_remedy_is_told(tmp_path: Path) -> None:
    for side in ("train", "val"):
        trees.class_folders(tmp_path / side, {"cat": 4, "dog": 4})
    with pytest.raises(CorpusError, match=r"no test part.*split\.by=group"):
        make_split(Folders(tmp_path))
    assert make_split(Folders(tmp_path), by="group").method == "group"


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    corpus = Folders(trees.class_folders(tmp_path, {"train": 2, "test": 2}))
    assert {example.target for example in corpus.examples()} == {"train", "test"}
    other = Folders(trees.write_recordings(tmp_path / "b", ["train/a/x.wav", "plane/b/x.wav"]))
    assert {example.target for example in other.examples()} == {"train", "plane"}


def test_groups_from_the_parent_folder_or_the_prefix(tmp_path: Path) -> None:
    trees.write_recordings(tmp_path, ["cat/tom/a.wav", "cat/b.wav", "dog/tom/c.wav", "dog/rex-1.wav", "dog/rex_2.wav"])
    parents = {each.path.name: each.group for each in Folders(tmp_path, group_from="parent").examples()}
    assert parents == {"a.wav": "tom", "b.wav": "", "c.wav": "tom", "rex-1.wav": "", "rex_2.wav": ""}
    prefixes = {each.path.name: each.group for each in Folders(tmp_path, group_from="prefix").examples()}
    assert prefixes == {"a.wav": "", "b.wav": "", "c.wav": "", "rex-1.wav": "rex", "rex_2.wav": "rex"}
    with pytest.raises(ArgumentError, match="choose from parent, prefix, null"):
        Folders(tmp_path, group_from="speaker")


def test_bad_folders_are_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"corpus\.root is not given"):
        Folders()
    with pytest.raises(CorpusError, match="no such folder"):
        Folders(tmp_path / "nowhere")
    with pytest.raises(CorpusError, match="is not a folder"):
        Folders(trees.write_recording(tmp_path / "file" / "a.wav"))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(CorpusError, match="holds no class folder"):
        Folders(empty).examples()
    (empty / "cat").mkdir()
    with pytest.raises(CorpusError, match="holds no media file"):
        Folders(empty).examples()
    trees.write_recording(empty / "dog" / "a.wav")
    with pytest.raises(CorpusError, match="cat: this class folder holds no media file"):
        Folders(empty).examples()
    trees.write_recording(empty / "loose.wav")
    with pytest.raises(CorpusError, match=r"loose\.wav: stands in no class folder"):
        Folders(empty).examples()


def test_one_class_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="only one label, 'cat'"):
        make_split(Folders(trees.class_folders(tmp_path, {"cat": 4})))
