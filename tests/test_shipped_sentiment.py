"""The shipped bundle ``sentiment_demo``: what it is good for, held to its figures."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import avpipe
from avpipe.bundle import find_bundle, load_bundle
from avpipe.corpora import Manifest
from avpipe.inference.evaluate import evaluate
from avpipe.media import write_video

EXPRESSIONS = ("negative", "neutral", "positive")


@pytest.fixture(scope="module")
def script(repository: Path):
    spec = importlib.util.spec_from_file_location(
        "make_sentiment_corpus", repository / "scripts" / "make_sentiment_corpus.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_its_notice_says_in_one_line_that_it_knows_drawings():
    notice = load_bundle(find_bundle("sentiment_demo"), torch.device("cpu")).notice
    assert notice.startswith("bundle sentiment_demo: learned from its maker's own recordings, CC BY-NC-SA 4.0: not for")
    assert "the faces are drawings made by a script" in notice
    assert "\n" not in notice


def test_it_is_small_and_says_what_it_is():
    folder = find_bundle("sentiment_demo")
    assert sum(path.stat().st_size for path in folder.iterdir()) < 5_000_000
    card = (folder / "card.md").read_text(encoding="utf-8")
    for part in (
        "negative, neutral, positive",
        "drawings made by a script",
        "CC BY-NC-SA 4.0",
        "has never seen a person",
    ):
        assert part in " ".join(card.split())


def test_plain_faces_are_read_without_a_sound(script, tmp_path):
    ask = avpipe.load("sentiment_demo", device="cpu")
    silence = np.zeros((1, 2 * script.RATE_HZ), np.float32)
    told = []
    for seed in range(8):
        for shown in EXPRESSIONS:
            frames = list(script.frames_of(shown, silence, np.random.default_rng([7, seed])))
            write_video(tmp_path / "film.mp4", frames, fps=script.FPS)
            answer = ask(tmp_path / "film.mp4").tasks["sentiment_demo"]
            assert set(answer.senses) == {"video"}
            told.append(max(answer.scores, key=answer.scores.__getitem__) == shown)
    assert np.mean(told) > 0.6


@pytest.mark.slow
@pytest.mark.corpora
def test_both_senses_know_more_than_either_of_actors_that_were_never_heard(script, tmp_path):
    script.make_sentiment_corpus(tmp_path, (24, 24, 240), seed=1)  # other faces than it was scored on
    corpus = Manifest(tmp_path / "manifest.csv")
    test = [example for example, side in (corpus.official_split() or {}).items() if side == "test"]
    torch.set_num_threads(1)
    scores = evaluate(load_bundle(find_bundle("sentiment_demo")), corpus, test, 16, 0)
    alone = [scores.senses[sense].metrics["uar"] for sense in ("audio", "video")]
    assert scores.metrics["uar"] > max(alone) + 0.02
    assert min(alone) > 0.45
