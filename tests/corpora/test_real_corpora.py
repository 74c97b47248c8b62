"""The real recordings: counts, known defects, and the splits that results are stated on."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from avpipe.corpora import (
    CorpusError,
    Esc,
    Fights,
    Fsdd,
    LibriSpeech,
    Manifest,
    Nemo,
    Ravdess,
    Split,
    YesNo,
    make_split,
)
from avpipe.corpora.equality import equal_recordings
from avpipe.corpora.made_films import recordings_of
from avpipe.media import read_clip

pytestmark = pytest.mark.corpora


def sizes(split: Split) -> list[int]:
    return [len(split.train), len(split.val), len(split.test)]


def groups(split: Split) -> list[set[str]]:
    return [{example.group for example in side} for side in (split.train, split.val, split.test)]


def test_ravdess() -> None:
    corpus = Ravdess()
    examples = corpus.examples()
    assert len(examples) == 1200
    assert Counter(example.target for example in examples) == {
        "neutral": 80,
        **dict.fromkeys(("calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"), 160),
    }
    split = make_split(corpus)
    assert sizes(split) == [840, 120, 240]
    assert groups(split)[1:] == [{"15", "16"}, {"17", "18", "19", "20"}]
    assert split.warnings == ()


def test_the_recording_that_ravdess_holds_twice() -> None:
    corpus = Ravdess()
    (same,) = equal_recordings(corpus.examples(), corpus.root)
    assert [each.path.stem for each in same] == ["03-01-03-01-02-01-07", "03-01-03-01-02-02-07"]
    for seed in range(3):
        split = make_split(corpus, by="random", seed=seed)
        assert sum(bool(set(same) & set(side)) for side in (split.train, split.val, split.test)) == 1
    speakers = make_split(Ravdess(label="speaker"))
    assert all(
        len({example.target for example in side}) == 20 for side in (speakers.train, speakers.val, speakers.test)
    )


def test_nemo() -> None:
    examples = Nemo().examples()
    assert len(examples) == 3237
    assert {example.group for example in examples} == {"EB0", "IC0", "KD0", "KS0", "TP0", "WR0"}
    assert Counter(example.target for example in examples)["neutral"] == 539
    split = make_split(Nemo())
    assert sizes(split) == [2159, 539, 539]
    assert groups(split)[1:] == [{"TP0"}, {"WR0"}]
    texts = {str(example.target) for example in Nemo(label="text").examples()}
    assert "ród smoka to serial telewizyjny" in texts
    assert not set("".join(texts)) & set('"„”“«».')


def test_fsdd() -> None:
    assert Counter(example.target for example in Fsdd().examples()) == {str(digit): 300 for digit in range(10)}
    assert sizes(make_split(Fsdd())) == [2400, 300, 300]
    by_speaker = make_split(Fsdd(), by="group")
    assert [len(side) for side in groups(by_speaker)] == [4, 1, 1]
    assert sizes(make_split(Fsdd(label="speaker"))) == [2400, 300, 300]


def test_librispeech(corpora: Path) -> None:
    root = corpora / "librispeech"
    flat, nested = LibriSpeech(root / "train-clean-100").examples(), LibriSpeech(root / "test-other").examples()
    assert len({example.target for example in flat}) == len(flat) == 251
    assert Counter(Counter(example.target for example in nested).values()) == {10: 10}
    assert len(LibriSpeech().examples()) == 351


def test_librispeech_voices_that_test_are_never_trained(corpora: Path) -> None:
    split = make_split(LibriSpeech(label="voice"))
    assert len(split.test) == 100
    assert [len(side) for side in groups(split)] == [213, 38, 10]
    assert len(set().union(*groups(split))) == 261
    assert {example.path.relative_to(corpora).parts[1] for example in split.test} == {"test-other"}
    with pytest.raises(CorpusError, match=r"has no transcript: there is no .*\.trans\.txt beside it"):
        LibriSpeech(label="text").examples()


def test_yesno() -> None:
    assert sizes(make_split(YesNo())) == [32, 8, 20]


def test_esc10() -> None:
    split = make_split(Esc())
    assert sizes(split) == [160, 80, 80]
    assert set(Counter(example.target for example in split.test).values()) == {8}
    assert split.labels == (
        "chainsaw", "clock_tick", "crackling_fire", "crying_baby", "dog",
        "helicopter", "rain", "rooster", "sea_waves", "sneezing",
    )  # fmt: skip
    assert split.warnings == ()


def test_fights() -> None:
    split = make_split(Fights())
    assert sizes(split) == [161, 34, 48]
    without_source = [example for example in Fights().examples() if not example.group]
    assert len(without_source) == 28
    for by in ("official", "group"):
        assert set(without_source) <= set(make_split(Fights(), by=by).train)


def test_a_written_split_reads_back_with_the_same_hash(tmp_path: Path) -> None:
    corpus = Ravdess()
    split = make_split(corpus)
    split.write_manifest(tmp_path / "split.csv")
    assert make_split(Manifest(tmp_path / "split.csv", root=corpus.root)).sha256 == split.sha256
    with (tmp_path / "split.csv").open(newline="") as file:
        assert Counter(row["split"] for row in csv.DictReader(file)) == {"train": 840, "val": 120, "test": 240}


def greatest_jump(path: Path) -> float:
    """The greatest change from frame to frame, as a multiple of the second greatest of those around it."""
    frames = read_clip(path, audio=False, video=True, size_px=(48, 64)).frames
    assert frames is not None
    changes = np.abs(np.diff(frames.astype(np.float32) / 255.0, axis=0)).mean((1, 2, 3))
    around = [np.delete(changes[max(0, t - 6) : t + 7], min(t, 6)) for t in range(len(changes))]
    return max(change / (np.sort(near)[-2] + 0.01) for change, near in zip(changes, around, strict=True))


def test_films_are_made_of_recordings_without_a_cut() -> None:
    cut = {each.path.name for each in Fights().examples() if greatest_jump(each.path) > 2.5}
    used = {each.path.name for side in recordings_of(None).values() for each in side}
    assert {each.path.name for each in Fights().examples()} - used == cut
