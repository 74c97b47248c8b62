"""The films of scripts/make_sentiment_corpus.py: exactly as many faces that agree, and the same bytes each time."""

import csv
import importlib.util
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from avpipe.media import probe, read_clip


@pytest.fixture(scope="module")
def script(repository: Path):
    path = repository / "scripts" / "make_sentiment_corpus.py"
    spec = importlib.util.spec_from_file_location("make_sentiment_corpus", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_faces_of_three_expressions_differ_and_move(script):
    voice = np.sin(np.arange(16_000) / 20.0, dtype=np.float32)[None]
    films = {
        shown: np.stack(list(script.frames_of(shown, voice, np.random.default_rng(1))))
        for shown in ("negative", "neutral", "positive")
    }
    assert {film.shape for film in films.values()} == {(script.FPS, script.SIDE_PX, script.SIDE_PX, 3)}
    for film in films.values():
        assert np.abs(film[0].astype(int) - film[-1]).mean() > 0.5
    assert not np.array_equal(films["negative"], films["positive"])


def test_numbers_that_cannot_be_shared_out_are_refused(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["make", str(tmp_path), "25", "24", "24"])
    assert script.main() == 2
    assert "multiples of 24" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["make"])
    assert script.main() == 2


@pytest.mark.corpora
def test_a_small_corpus_is_balanced_and_repeats_exactly(script, tmp_path):
    counts = (24, 24, 24)
    first = script.make_sentiment_corpus(tmp_path / "a", counts)
    assert script.make_sentiment_corpus(tmp_path / "b", counts) == first
    assert script.make_sentiment_corpus(tmp_path / "a", counts) == first
    with (tmp_path / "a" / "manifest.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    shown = Counter((row["split"], row["label"], row["face"]) for row in rows)
    labels = ("negative", "neutral", "positive")
    for side in ("train", "val", "test"):
        for label in labels:
            assert {face: shown[side, label, face] for face in labels} == {
                face: 6 if face == label else 1 for face in labels
            }
    groups = [{row["group"] for row in rows if row["split"] == side} for side in ("train", "val", "test")]
    assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]
    film = tmp_path / "a" / rows[0]["path"]
    clip = read_clip(film, 0.0, None, video=True)
    assert clip.waveform is not None
    assert clip.frames is not None
    assert clip.frames.shape[1:] == (script.SIDE_PX, script.SIDE_PX, 3)
    assert (probe(film).end_sec or 9.0) < 3.3
    with pytest.raises(Exception, match="made with other settings"):
        script.make_sentiment_corpus(tmp_path / "a", (24, 24, 48))
