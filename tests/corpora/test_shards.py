"""Corpora packed into tars: what comes out is what went in, and nothing else is believed."""

import json
import tarfile
from pathlib import Path

import pytest

from avpipe.corpora import Corpus, CorpusError, Folders, Fsdd, Manifest, Paired, Shards, Split, make_split, write_shards
from avpipe.files import cache_folder, sha256_of
from tests.corpora import trees


@pytest.fixture(autouse=True)
def cache_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def packed(corpus: Corpus, folder: Path, shard_bytes: int = 10**9, label: str = "label", **split: object) -> Split:
    made = make_split(corpus, **split)  # type: ignore[arg-type]
    write_shards(corpus, made, label, folder, shard_bytes)
    return made


def test_split_targets_and_bytes_are_those_of_the_corpus(tmp_path: Path) -> None:
    corpus = Fsdd(trees.fsdd(tmp_path / "fsdd"))
    split = packed(corpus, tmp_path / "shards", shard_bytes=20_000)
    shards = Shards(tmp_path / "shards")
    assert len(list((tmp_path / "shards").glob("*.tar"))) > 1
    again = make_split(shards)
    assert again.sha256 == split.sha256
    assert (shards.licence, shards.has_classes, shards.fixed_split) == (corpus.licence, True, False)
    for one, other in zip(split.test, again.test, strict=True):
        assert one.path.read_bytes() == other.path.read_bytes()
        assert (one.target, one.group) == (other.target, other.group)


def test_packing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    root = trees.class_folders(tmp_path / "corpus", {"cat": 8, "dog": 8})
    for name in ("one", "two"):
        packed(Folders(root), tmp_path / name, shard_bytes=3000)
        for path in root.rglob("*.wav"):
            path.touch()
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "two").iterdir())
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in files)


def test_targets_and_boxes_that_are_files_come_along(tmp_path: Path) -> None:
    root = tmp_path / "pairs"
    for side in ("train", "test"):
        for name in ("p226_001.wav", "p227_002.wav"):
            for kind in ("clean", "noisy"):
                trees.write_recording(root / side / kind / name, f"{side}{kind}{name}")
    split = packed(Paired(root), tmp_path / "shards")
    again = make_split(Shards(tmp_path / "shards"))
    assert again.sha256 == split.sha256
    assert isinstance(split.test[0].target, Path)
    assert isinstance(again.test[0].target, Path)
    assert again.test[0].target.read_bytes() == split.test[0].target.read_bytes()


def test_stretches_and_numbers_keep_their_values(tmp_path: Path) -> None:
    trees.write_recordings(tmp_path, [f"talk {number} 😀.part.wav" for number in range(8)])
    list_ = tmp_path / "list.csv"
    rows = [
        f"talk {number % 8} 😀.part.wav,{number / 4},g{number % 8},{number / 100},{number / 50 + 0.1}"
        for number in range(16)
    ]
    list_.write_text("path,label,group,start_sec,end_sec\n" + "\n".join(rows), encoding="utf-8")
    corpus = Manifest(list_, label="score")
    split = packed(corpus, tmp_path / "shards", label="score")
    shards = Shards(tmp_path / "shards", label="score")
    again = make_split(shards)
    assert again.sha256 == split.sha256
    assert [each.target for each in again.train] == [each.target for each in split.train]
    assert all(isinstance(each.target, float) for each in again.train)
    assert not shards.has_classes


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it leaves files open
def test_another_library_reads_them(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    root = trees.class_folders(tmp_path / "corpus", {"cat": 5, "dog": 5})
    packed(Folders(root), tmp_path / "shards", shard_bytes=2000)
    paths = sorted(str(path) for path in (tmp_path / "shards").glob("*.tar"))
    items = list(webdataset.WebDataset(paths, shardshuffle=False, empty_check=False))
    assert len(items) == 10
    assert all(item["wav"][:4] == b"RIFF" for item in items)
    assert {json.loads(item["json"])["examples"][0]["target"] for item in items} == {"cat", "dog"}


def test_what_cannot_be_packed_is_told(tmp_path: Path) -> None:
    root = trees.class_folders(tmp_path / "corpus", {"cat": 4, "dog": 4})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(CorpusError, match=r"holds 'letter.txt', which is no shard; give output=DIR"):
        packed(Folders(root), tmp_path / "mine")
    trees.write_recordings(tmp_path, ["outside.wav"])
    list_ = root / "list.csv"
    list_.write_text("path,label\n" + "\n".join(f"cat/{number}.wav,a" for number in range(4)) + "\n../outside.wav,b\n")
    with pytest.raises(CorpusError, match="lies outside the corpus's folder"):
        packed(Manifest(list_), tmp_path / "shards", by="random", test_fraction=0.0)


def test_a_packing_that_fails_leaves_no_corpus(tmp_path: Path) -> None:
    corpus = Folders(trees.class_folders(tmp_path / "corpus", {"cat": 4, "dog": 4}))
    packed(corpus, tmp_path / "shards")
    split = make_split(corpus)
    split.train[0].path.unlink()
    with pytest.raises(CorpusError, match="cannot be read"):
        write_shards(corpus, split, "label", tmp_path / "shards", 10**9)
    with pytest.raises(CorpusError, match="was not packed to its end; pack the corpus again"):
        Shards(tmp_path / "shards")


def test_what_was_changed_or_is_something_else_is_refused(tmp_path: Path) -> None:
    corpus = Folders(trees.class_folders(tmp_path / "corpus", {"cat": 4, "dog": 4}))
    packed(corpus, tmp_path / "shards", label="label")
    with pytest.raises(CorpusError, match="packed with the label 'label', and the task says 'emotion'"):
        Shards(tmp_path / "shards", label="emotion")
    with pytest.raises(CorpusError, match=r"corpus\.root is not given"):
        Shards()
    shard = tmp_path / "shards" / "shard-00000.tar"
    content = shard.read_bytes()
    shard.write_bytes(content[:600] + b"x" + content[601:])
    with pytest.raises(CorpusError, match="has changed since it was packed"):
        Shards(tmp_path / "shards").examples()
    (tmp_path / "shards" / "index.json").write_text("{")
    with pytest.raises(CorpusError, match="cannot be read; pack the corpus again"):
        Shards(tmp_path / "shards")


@pytest.mark.parametrize("name", ["../escaped.wav", "/tmp/escaped.wav"])
def test_no_file_leaves_the_cache(tmp_path: Path, name: str) -> None:
    corpus = Folders(trees.class_folders(tmp_path / "corpus", {"cat": 4, "dog": 4}))
    packed(corpus, tmp_path / "shards")
    shard = tmp_path / "shards" / "shard-00000.tar"
    with tarfile.open(shard) as tar:
        head = json.load(tar.extractfile("00000000.json"))
        true = head["files"]["00000000.wav"]
    # A name of the same length, so that the tar stays one.
    forged = (name + "x" * len(true))[: len(true)] if len(true) > len(name) else name[: len(true)]
    shard.write_bytes(shard.read_bytes().replace(f'": "{true}"'.encode(), f'": "{forged}"'.encode()))
    index = json.loads((tmp_path / "shards" / "index.json").read_text())
    index["shards"]["shard-00000.tar"] = sha256_of(shard)
    (tmp_path / "shards" / "index.json").write_text(json.dumps(index))
    with pytest.raises(CorpusError, match="tells no place of"):
        Shards(tmp_path / "shards").examples()


def test_a_copy_that_was_cut_off_is_made_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = Folders(trees.class_folders(tmp_path / "corpus", {"cat": 6, "dog": 6}))
    split = packed(corpus, tmp_path / "shards", shard_bytes=3000)
    with monkeypatch.context() as patched:
        genuine = tarfile.TarFile.extractfile
        left = iter(range(9))

        def killed(tar: tarfile.TarFile, member: tarfile.TarInfo) -> object:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return genuine(tar, member)

        patched.setattr(tarfile.TarFile, "extractfile", killed)
        with pytest.raises(KeyboardInterrupt):
            Shards(tmp_path / "shards").examples()
    copies = list((cache_folder() / "shards").rglob("*.wav"))
    assert 0 < len(copies) < 12
    assert make_split(Shards(tmp_path / "shards")).sha256 == split.sha256
    # From now on the cache is enough.
    for shard in (tmp_path / "shards").glob("*.tar"):
        shard.unlink()
    assert len(Shards(tmp_path / "shards").examples()) == 12
