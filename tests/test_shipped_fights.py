"""The shipped bundle ``action_fights``, and the recipe that made it."""

import json

import numpy as np
import pytest

import avpipe
from avpipe.bundle import find_bundle, load_bundle
from avpipe.corpora import Fights
from avpipe.inference.evaluate import evaluate
from avpipe.media import write_video
from avpipe.networks import Ensemble, MotionEncoder, Network
from tests.cli.test_commands import avpipe as command


@pytest.fixture(scope="module")
def ask():
    return avpipe.load("action_fights", device="cpu")


def scene(seed=0):
    """(120, 300, 3), uint8, of blurred blocks."""
    blocks = np.random.default_rng(seed).integers(0, 256, (15, 38, 3)).astype(np.uint8)
    return blocks.repeat(8, 0).repeat(8, 1)[:, :300]


def test_it_is_small_and_five_networks_of_motion_answer_together():
    folder = find_bundle("action_fights")
    assert sum(path.stat().st_size for path in folder.iterdir()) < 5_000_000
    bundle = load_bundle(folder)
    assert bundle.objective.labels == ("fight", "noFight")
    assert isinstance(bundle.network, Ensemble)
    members = [module for module in bundle.network.modules() if isinstance(module, Network)]
    assert len(members) == 5
    assert all(isinstance(member.encoders["video"], MotionEncoder) for member in members)
    assert "Have a person look" in (folder / "card.md").read_text(encoding="utf-8")


def test_neither_a_still_film_nor_a_slow_pan_is_a_fight(ask, tmp_path):
    wide = scene()
    films = {"still": [wide[:, :160]] * 50, "pan": [wide[:, place : place + 160] for place in range(50)]}
    for name, frames in films.items():
        write_video(tmp_path / f"{name}.mkv", frames, fps=25)
        scores = ask(tmp_path / f"{name}.mkv").tasks["action_fights"].scores
        assert scores["noFight"] > 0.6, name


def test_films_of_many_kinds_are_answered(ask, tmp_path):
    wide = scene(1)
    films = {
        "one frame": ([wide[:, :160]], 25),
        "two frames": ([wide[:, :160], wide[:, 2:162]], 25),
        "fast": ([wide[:, place % 100 : place % 100 + 160] for place in range(120)], 120),
        "narrow": ([wide[:, place : place + 32] for place in range(30)], 15),
    }
    for name, (frames, fps) in films.items():
        write_video(tmp_path / f"{name}.mkv", frames, fps=fps)
        prediction = ask(tmp_path / f"{name}.mkv")
        assert sum(prediction.tasks["action_fights"].scores.values()) == pytest.approx(1.0, abs=1e-4), name


@pytest.mark.corpora
def test_it_knows_what_it_learned_from():
    bundle, corpus = load_bundle(find_bundle("action_fights")), Fights()
    scored = [example for example in corpus.examples() if example.group]
    assert evaluate(bundle, corpus, scored, 16, 0).metrics["uar"] >= 0.8  # 0.80 of clips that a network has not seen


@pytest.mark.slow
@pytest.mark.corpora
def test_the_recipe_learns_and_scores_and_its_answers_can_be_explained(tmp_path):
    status, _, told = command(
        "train", "experiment=action_fights", "cv=3", "trainer.max_epochs=8", "device=cpu", "data.workers=0",
        f"run_dir={tmp_path / 'run'}", f"cache.path={tmp_path / 'cache'}",
    )  # fmt: skip
    assert status == 0, told
    scores = json.loads((tmp_path / "run" / "cv.json").read_text(encoding="utf-8"))
    assert scores["num_answers"] == 215
    assert scores["mean"]["uar"] >= 0.6
    together = load_bundle(tmp_path / "run" / "bundle").network
    assert isinstance(together, Ensemble)
    assert len(together.members) == 3
    pytest.importorskip("captum")
    status, _, told = command(
        "evaluate", f"bundle={tmp_path / 'run' / 'fold-1' / 'bundle'}", "corpus=fights", "split=test", "explain=1",
        "device=cpu", "workers=0", f"output={tmp_path / 'scores' / 'metrics.json'}",
    )  # fmt: skip
    assert status == 0, told
    assert "What spoke for the answers" in (tmp_path / "scores" / "report.html").read_text(encoding="utf-8")
