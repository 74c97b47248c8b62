"""Corpora of sentiment on tiny trees of their layouts."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from avpipe.corpora import CmuMosei, CorpusError, CremaD, Manifest, Nemo, Ravdess, make_split, sentiment_of
from avpipe.media import write_video
from tests.corpora import trees

ROWS = "video_id,start,end,sentiment,split\n"


def films(root: Path, names: list[str]) -> Path:
    """Films of some frames; no two are equal, as equal ones would stand on one side of a split."""
    root.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        frames = np.random.default_rng(number).integers(0, 255, (4, 32, 32, 3), dtype=np.uint8)
        write_video(root / f"{name}.mkv", frames, fps=25)
    return root


def test_emotions_are_sentiments() -> None:
    said = {
        "happy": "positive",
        "surprised": "positive",
        "happiness": "positive",
        "calm": "neutral",
        "fear": "negative",
    }
    assert {emotion: sentiment_of(emotion) for emotion in said} == said


def test_ravdess_takes_the_film_of_what_is_there_twice(tmp_path: Path) -> None:
    films(tmp_path / "films", ["01-01-03-01-01-01-01", "01-01-01-01-01-01-18", "02-01-03-01-01-01-01"])
    for name in ("03-01-03-01-01-01-01", "03-01-05-01-01-01-02"):
        trees.write_recording(tmp_path / "sound" / f"{name}.wav")
    found = {
        example.path.name: (example.target, example.group) for example in Ravdess(tmp_path, "sentiment").examples()
    }
    assert found == {
        "01-01-03-01-01-01-01.mkv": ("positive", "01"),
        "01-01-01-01-01-01-18.mkv": ("neutral", "18"),
        "03-01-05-01-01-01-02.wav": ("negative", "02"),
    }


def test_nemo_tells_sentiments(tmp_path: Path) -> None:
    labels = {example.target for example in Nemo(trees.nemo(tmp_path), "sentiment").examples()}
    assert labels <= {"negative", "neutral", "positive"}


def test_crema_d_takes_films_before_sounds(tmp_path: Path) -> None:
    films(tmp_path / "VideoFlash", ["1001_DFA_ANG_XX", "1002_IEO_HAP_HI"])
    for name in ("1001_DFA_ANG_XX", "1003_DFA_NEU_X", "notes"):
        trees.write_recording(tmp_path / "AudioWAV" / f"{name}.wav")
    found = {example.path.suffix + str(example.target): example.group for example in CremaD(tmp_path).examples()}
    # 1001 is there twice; .mkv stands for .flv.
    assert found == {".mkvangry": "1001", ".mkvhappy": "1002", ".wavneutral": "1003"}
    assert Counter(str(each.target) for each in CremaD(tmp_path, "sentiment").examples()) == Counter(
        ["negative", "positive", "neutral"]
    )
    assert {each.group for each in CremaD(tmp_path, "speaker").examples()} == {"DFA", "IEO"}


def test_cmu_mosei_has_stretches_scores_and_a_split(tmp_path: Path) -> None:
    films(tmp_path / "raw", ["a$_1", "-b", "c"])
    lines = "a$_1,0,0.1,1.5,train\na$_1,0.1,0.16,-0.33,train\n-b,0,0.1,0,valid\nc,0,0.1,-3,test\nlost,0,1,1,train\n"
    (tmp_path / "labels.csv").write_text(ROWS + lines)
    corpus = CmuMosei(tmp_path, label="score")
    assert [(each.path.stem, each.start_sec, each.end_sec, each.target, each.group) for each in corpus.examples()] == [
        ("-b", 0.0, 0.1, 0.0, "-b"),
        ("a$_1", 0.0, 0.1, 1.5, "a$_1"),
        ("a$_1", 0.1, 0.16, -0.33, "a$_1"),
        ("c", 0.0, 0.1, -3.0, "c"),
    ]
    split = make_split(corpus)
    assert [len(side) for side in (split.train, split.val, split.test)] == [2, 1, 1]
    assert "1 listed films are not there (first lost.mp4): left out" in split.warnings
    assert {each.target for each in CmuMosei(tmp_path).examples()} == {"positive", "negative", "neutral"}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a,0,1,3.2,train", r"line 2: sentiment 3\.2 lies outside the scale"),
        ("a,0,1,good,train", "line 2: sentiment 'good' is no number"),
        ("a,0,1,nan,train", "line 2: sentiment 'nan' is no number"),
        ("a,2,1,1,train", "line 2: 2 to 1 s is no stretch"),
        ("a,0,1,1,maybe", "line 2: unknown split 'maybe'"),
    ],
)
def test_cmu_mosei_names_what_is_wrong(tmp_path: Path, line: str, reason: str) -> None:
    films(tmp_path / "raw", ["a"])
    (tmp_path / "labels.csv").write_text(ROWS + line + "\n")
    with pytest.raises(CorpusError, match=reason):
        CmuMosei(tmp_path).examples()


@pytest.mark.parametrize("cell", ["good", "nan", "inf"])
def test_a_manifest_of_scores_has_numbers(tmp_path: Path, cell: str) -> None:
    trees.write_recording(tmp_path / "a.wav")
    (tmp_path / "list.csv").write_text("path,label\na.wav,-1.5\n")
    (example,) = Manifest(tmp_path / "list.csv", label="score").examples()
    assert example.target == -1.5
    (tmp_path / "list.csv").write_text(f"path,label\na.wav,{cell}\n")
    with pytest.raises(CorpusError, match=rf"line 2: label '{cell}' is no number"):
        Manifest(tmp_path / "list.csv", label="score")
