"""One task on two splits: what a random one has for too much."""

import json

import pytest

from avpipe.inference.leakage import finding_of, gap_of
from avpipe.objectives import Classification
from avpipe.report import ScoredAnswer
from scripts.make_leaky_corpus import write_corpus as write_leaky
from tests.cli.test_commands import avpipe, one_line
from tests.cli.test_training_runs import refused, train
from tests.training.corpus import LEARN, write_corpus

LEAKY = (
    "task=sound_event", "corpus=folders", "corpus.group_from=prefix", "preprocess=mel_8k", "preprocess.window_sec=0.4",
    "preprocess.hop_sec=0.2", "encoder.channels=[16,32]", "encoder.bands=10", "network.dropout=0.0", "augment=none",
    "cache=features", "optim.lr=1e-2", "trainer.max_epochs=30", "device=cpu", "data.workers=0",
)  # fmt: skip


def answer(group, right, place=0):
    scores = {"a": 0.9, "b": 0.1} if right else {"a": 0.1, "b": 0.9}
    label = max(scores, key=scores.__getitem__)
    return ScoredAnswer(None, f"{group}-{place}", 0.0, None, group, "a", label, 0.9, scores)


def test_the_difference_has_an_interval_over_groups_of_both():
    objective = Classification(["a", "b"], [1, 1])
    by_group = [answer(f"g{place}", place % 2 == 0, take) for place in range(8) for take in range(4)]
    random = [answer(f"g{place}", True, take) for place in range(8) for take in range(4)]
    gap = gap_of(objective, by_group, random)["accuracy"]
    assert gap["value"] == pytest.approx(0.5)
    low, high = gap["interval"]
    assert 0.0 < low < 0.3 < 0.7 < high < 1.0
    (alone,) = {tuple(each["interval"] or ()) for each in gap_of(objective, by_group[:4], random).values()}
    assert alone == ()


@pytest.mark.parametrize(
    ("interval", "part"),
    [([0.1, 0.5], "flatters"), ([-0.1, 0.5], "nothing is shown"), (None, "too few groups")],
)
def test_the_finding_says_no_more_than_the_interval(interval, part):
    side = {"metrics": {"uar": 0.5}, "test_groups": 8, "test_groups_trained_on": 8}
    told = {"gap": {"uar": {"value": 0.3, "interval": interval}}, "random": side, "group": side}
    assert part in finding_of(told)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Two trainings of a corpus in which one recording stands twice."""
    root = write_corpus(tmp_path_factory.mktemp("corpus") / "sweeps", groups=8, takes=3)
    (root / "up" / "g0_copy.wav").write_bytes((root / "up" / "g0_0.wav").read_bytes())
    run_dir = tmp_path_factory.mktemp("run") / "run"
    said, told = train(root, run_dir, "leakage=true", "trainer.max_epochs=1", "split.test_fraction=0.3")
    return root, run_dir, said, told


def test_both_scores_their_difference_and_equal_recordings_are_told(compared):
    _, run_dir, said, _ = compared
    told = json.loads((run_dir / "leakage.json").read_text())
    for side in ("group", "random"):
        scores = json.loads((run_dir / side / "metrics.json").read_text())
        assert told[side]["metrics"] == scores["metrics"]
        assert told[side]["split_sha256"] == scores["split_sha256"]
    assert told["group"]["test_groups_trained_on"] == 0 < told["random"]["test_groups_trained_on"]
    more = told["random"]["metrics"]["uar"] - told["group"]["metrics"]["uar"]
    assert told["gap"]["uar"]["value"] == pytest.approx(more, abs=1e-6)
    assert told["equal_recordings"] == [["up/g0_0.wav", "up/g0_copy.wav"]]
    assert "equal recordings: up/g0_0.wav, up/g0_copy.wav" in said
    assert "by group" in said
    page = (run_dir / "report.html").read_text(encoding="utf-8")
    assert "Both splits" in page
    assert "up/g0_copy.wav" in page
    assert "<audio" in page


def test_each_is_calibrated_by_its_own_validation(compared):
    _, run_dir, _, _ = compared
    told = [json.loads((run_dir / side / "calibration.json").read_text()) for side in ("group", "random")]
    rows = [(run_dir / side / "split.csv").read_text().count(",val,") for side in ("group", "random")]
    assert [each["num_examples"] for each in told] == rows


def test_the_same_command_again_trains_nothing(compared):
    root, run_dir, _, _ = compared
    said, _ = train(root, run_dir, "leakage=true", "trainer.max_epochs=1", "split.test_fraction=0.3")
    assert "epoch" not in said


@pytest.mark.parametrize("argument", ["cv=3", "seeds=2"])
def test_more_than_two_trainings_are_refused(compared, tmp_path, argument):
    status, line = refused(compared[0], tmp_path / "run", "leakage=true", argument)
    assert status == 2
    assert "leave out cv and seeds" in line


def test_a_corpus_without_groups_has_none_to_leak(compared, tmp_path):
    arguments = [each for each in LEARN if not each.startswith("corpus.group_from")]
    status, _, told = avpipe(
        "train", *arguments, f"corpus.root={compared[0]}", f"run_dir={tmp_path / 'run'}", "leakage=true"
    )
    assert status == 2
    assert "tells no groups" in one_line(told)


def test_fewer_groups_than_folds_are_one_line(tmp_path):
    root = write_corpus(tmp_path / "few", groups=4, takes=1)
    status, line = refused(root, tmp_path / "run", "cv=5")
    assert status == 2
    assert "has 4 groups: too few for 5 folds; give cv=4 or less" in line


@pytest.mark.slow
def test_a_planted_cue_scores_all_at_random_and_chance_by_group(tmp_path):
    write_leaky(tmp_path / "leaky", speakers=40, takes=16)
    status, _, told = avpipe(
        "train", *LEAKY, f"corpus.root={tmp_path / 'leaky'}", f"run_dir={tmp_path / 'run'}", "leakage=true"
    )
    assert status == 0, told
    found = json.loads((tmp_path / "run" / "leakage.json").read_text())
    assert found["random"]["metrics"]["accuracy"] > 0.97
    low, high = found["group"]["intervals"]["accuracy"]
    assert low < 0.5 < high
    assert found["gap"]["accuracy"]["interval"][0] > 0
