"""Trainings as a user runs them: what repeats, what goes on, what several of them tell, and what is refused."""

import csv
import json
import math
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import recall_score

from avpipe.bundle import Origin, load_bundle, save_bundle
from avpipe.config import instantiate
from avpipe.inference.answers import read_answers
from avpipe.media import write_audio
from avpipe.training import locked
from avpipe.training.data import TrainingWindows
from avpipe.training.run import corpus_settings
from tests.cli.test_commands import avpipe, one_line
from tests.synthetic import noise, tone, write_text_named_wav
from tests.tiny import AUDIO, specs_of
from tests.training.corpus import LEARN, write_corpus

PREFIX = "corpus.group_from=prefix"


def train(root, run_dir, *arguments):
    """What a training that ends well says and tells."""
    status, said, told = avpipe("train", *LEARN, f"corpus.root={root}", f"run_dir={run_dir}", *arguments)
    assert status == 0, told
    return said, told


def refused(root, run_dir, *arguments):
    """(exit status, line) of one that does not."""
    status, _, told = avpipe("train", *LEARN, f"corpus.root={root}", f"run_dir={run_dir}", *arguments)
    assert status != 0
    lines = [line for line in told.splitlines() if not line.startswith("warning: ")]
    return status, one_line("\n".join(lines))


def weights(run_dir):
    return (run_dir / "bundle" / "model.safetensors").read_bytes()


def objective_of(run_dir):
    return json.loads((run_dir / "bundle" / "bundle.json").read_text())["specs"]["objective"]


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def told_in(path):
    return json.loads(path.read_text(encoding="utf-8"))


def content(folder):
    """Every file below a folder, but for what is only a lock."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus") / "sweeps")


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A corpus of three groups."""
    return write_corpus(tmp_path_factory.mktemp("corpus") / "few", groups=3, takes=2)


@pytest.fixture(scope="module")
def plain(root, tmp_path_factory):
    """One training on no workers, from a cache of decoded recordings."""
    run_dir = tmp_path_factory.mktemp("plain") / "run"
    train(root, run_dir)
    return run_dir


@pytest.fixture(scope="module")
def folds(root, tmp_path_factory):
    """Three folds and the bundle of all of them."""
    run_dir = tmp_path_factory.mktemp("folds") / "run"
    said, told = train(root, run_dir, "cv=3", "ensemble=true", "optim.lr=1e-2")
    return run_dir, said, told


@pytest.fixture(scope="module")
def each_group(few, tmp_path_factory):
    """A fold a group."""
    run_dir = tmp_path_factory.mktemp("groups") / "run"
    train(few, run_dir, "cv=leave_one_group_out", "trainer.max_epochs=1")
    return run_dir


@pytest.fixture(scope="module")
def seeds(root, tmp_path_factory):
    """Two seeds and the bundle of both; nothing that is right may be refused."""
    run_dir = tmp_path_factory.mktemp("seeds") / "run"
    train(
        root, run_dir, "seeds=2", "seed=5", "ensemble=true", "split.val_fraction=0.34", "calibration.refuse_right=0",
        "trainer.max_epochs=1",
    )  # fmt: skip
    return run_dir


# The same command, the same weights


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_the_number_of_workers_changes_no_weight(root, plain, tmp_path, workers):
    train(root, tmp_path / "run", f"data.workers={workers}")
    assert weights(tmp_path / "run") == weights(plain)


@pytest.mark.slow
def test_the_number_of_workers_changes_no_weight_where_recordings_are_mixed(root, tmp_path):
    for workers in (0, 2):
        train(root, tmp_path / str(workers), "augment=mixup", "trainer.max_epochs=1", f"data.workers={workers}")
    assert weights(tmp_path / "0") == weights(tmp_path / "2")


def test_lossless_recordings_at_the_bundles_rate_teach_the_same_with_and_without_a_cache(root, plain, tmp_path):
    # Of what is resampled or coded with loss the cache holds the samples of one stream, and a window that is read by
    # itself may differ at its edges in the last bits; a cache of features draws among other windows.
    train(root, tmp_path / "run", "cache=none")
    assert weights(tmp_path / "run") == weights(plain)


def test_features_made_beside_the_network_teach_the_same_on_the_same_device(root, plain, tmp_path):
    train(root, tmp_path / "run", "data.features_on_device=true")
    assert weights(tmp_path / "run") == weights(plain)


def test_another_seed_learns_other_weights(seeds):
    assert weights(seeds / "seed-5") != weights(seeds / "seed-6")


# History and going on


def test_history_has_a_row_an_epoch(plain):
    rows = rows_of(plain / "history.csv")
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert {"lr", "train/loss", "val/loss", "val/uar", "val/accuracy"} <= rows[0].keys()


STOP_AFTER_EPOCH_1 = """
import sys, os, runpy, pytorch_lightning.callbacks.model_checkpoint as checkpoints
genuine = checkpoints.ModelCheckpoint.on_train_epoch_end
def stop(self, *arguments):
    genuine(self, *arguments)
    if self.filename == "last":
        os._exit(9)
checkpoints.ModelCheckpoint.on_train_epoch_end = stop
sys.argv[0] = "avpipe train"
runpy.run_module("avpipe.cli.train", run_name="__main__")
"""


def test_a_stopped_training_ends_with_the_weights_and_the_history_of_one_that_was_not(root, plain, tmp_path):
    arguments = [*LEARN, f"corpus.root={root}", f"run_dir={tmp_path / 'run'}"]
    stopped = subprocess.run([sys.executable, "-c", STOP_AFTER_EPOCH_1, *arguments], capture_output=True)
    assert stopped.returncode == 9, stopped.stderr.decode()
    assert len(rows_of(tmp_path / "run" / "history.csv")) == 1
    said, _ = train(root, tmp_path / "run")
    assert "epoch 1/3" not in said
    assert "epoch 3/3" in said
    assert weights(tmp_path / "run") == weights(plain)
    assert (tmp_path / "run" / "history.csv").read_bytes() == (plain / "history.csv").read_bytes()
    assert (tmp_path / "run" / "answers.csv").read_bytes() == (plain / "answers.csv").read_bytes()


def test_a_run_that_was_moved_and_lost_its_bundle_writes_the_same_again_without_an_epoch(root, plain, tmp_path):
    shutil.copytree(plain, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "bundle")
    said, _ = train(root, tmp_path / "run")
    assert "epoch" not in said
    assert weights(tmp_path / "run") == weights(plain)


def test_a_training_without_patience_stops_early_and_does_not_go_on(root, tmp_path):
    run_dir = tmp_path / "run"
    arguments = ("patience=1", "trainer.max_epochs=8", "optim.lr=1e-7")
    train(root, run_dir, *arguments)
    rows = rows_of(run_dir / "history.csv")
    assert 2 <= len(rows) < 8
    for gone in ("bundle", "metrics.json"):
        shutil.rmtree(run_dir / gone) if (run_dir / gone).is_dir() else (run_dir / gone).unlink()
    said, _ = train(root, run_dir, *arguments)
    assert "epoch" not in said
    assert rows_of(run_dir / "history.csv") == rows
    assert (run_dir / "bundle" / "bundle.json").is_file()


# Recipes


def test_a_found_learning_rate_is_kept_and_used_again(root, tmp_path):
    arguments = ("find_lr=true", "trainer.max_epochs=1")
    said, _ = train(root, tmp_path / "run", *arguments)
    curve = told_in(tmp_path / "run" / "lr.json")
    assert set(curve) == {"rates", "losses", "chosen"}
    assert f"learning rate found: {curve['chosen']:.3g}" in said
    first = weights(tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "bundle")
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    before = (tmp_path / "run" / "lr.json").read_bytes()
    train(root, tmp_path / "run", *arguments)
    assert (tmp_path / "run" / "lr.json").read_bytes() == before
    assert weights(tmp_path / "run") == first


def test_another_recipe_trains_and_logs_nothing_where_it_is_told_so(root, plain, tmp_path):
    train(
        root, tmp_path / "run", "optim=sgd", "schedule=cosine", "trainer.accumulate_grad_batches=2", "logger=[]",
        "data.sampling=balanced", "device.precision=bf16-mixed", "trainer.max_epochs=2", "select=best",
    )  # fmt: skip
    rates = [float(row["lr"]) for row in rows_of(tmp_path / "run" / "history.csv")]
    assert len(rates) == 2
    assert rates[-1] == pytest.approx(0.0, abs=1e-9)
    assert not (tmp_path / "run" / "logs").exists()
    assert (plain / "logs" / "version_0" / "metrics.csv").is_file()
    state = load_file(tmp_path / "run" / "bundle" / "model.safetensors")
    assert all(tensor.isfinite().all() for tensor in state.values())


def test_a_corpus_without_a_validation_part_trains_and_is_not_calibrated(root, tmp_path):
    arguments = ("split.val_fraction=0", "trainer.max_epochs=1")
    _, told = train(root, tmp_path / "run", *arguments)
    assert "too few to calibrate by" in told
    assert not {"temperature", "threshold"} & {
        key for key, value in objective_of(tmp_path / "run").items() if value not in (1.0, 0.0)
    }
    assert "val/loss" not in rows_of(tmp_path / "run" / "history.csv")[0]
    assert told_in(tmp_path / "run" / "metrics.json")["split"] == "test"


def test_the_best_epoch_of_no_validation_part_is_refused(root, tmp_path):
    status, line = refused(root, tmp_path / "run", "split.val_fraction=0", "select=best")
    assert status == 2
    assert "select=best" in line
    assert "no validation part" in line


# Folds and seeds


def test_each_fold_is_a_run_of_its_own(folds):
    run_dir, said, told = folds
    assert sorted(path.name for path in run_dir.iterdir() if path.is_dir()) == ["bundle", "fold-1", "fold-2", "fold-3"]
    for fold in ("fold-1", "fold-2", "fold-3"):
        assert (run_dir / fold / "bundle" / "bundle.json").is_file()
        assert "<html" in (run_dir / fold / "report.html").read_text(encoding="utf-8")
        assert len(rows_of(run_dir / fold / "history.csv")) == 3
    assert "<html" in (run_dir / "report.html").read_text(encoding="utf-8")
    assert "fold-3 of 3" in said
    assert told == ""


@pytest.mark.parametrize("name", ["folds", "each_group"])
def test_cv_json_is_what_the_folds_and_their_answers_tell(name, request):
    found = request.getfixturevalue(name)
    run_dir = found[0] if isinstance(found, tuple) else found
    told = told_in(run_dir / "cv.json")
    assert set(told) == {
        "task", "corpus", "avpipe_version", "corpus_sha256", "num_examples", "num_answers", "mean", "sd", "pooled",
        "intervals", "folds",
    }  # fmt: skip
    scores = [told_in(run_dir / fold["name"] / "metrics.json")["metrics"] for fold in told["folds"]]
    assert set(told["mean"]) == set(told["sd"]) == set(told["pooled"]) == set(scores[0])
    for metric in scores[0]:
        values = [each[metric] for each in scores]
        mean = sum(values) / len(values)
        assert told["mean"][metric] == pytest.approx(mean)
        deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
        assert told["sd"][metric] == pytest.approx(deviation, abs=1e-12)
    answers = [answer for fold in told["folds"] for answer in read_answers(run_dir / fold["name"] / "answers.csv")]
    targets = [answer.target for answer in answers]
    likeliest = [max(answer.scores, key=answer.scores.__getitem__) for answer in answers]
    right = statistics.fmean(one == other for one, other in zip(targets, likeliest, strict=True))
    assert told["pooled"]["accuracy"] == pytest.approx(right)
    assert told["pooled"]["uar"] == pytest.approx(recall_score(targets, likeliest, average="macro"))
    assert told["num_examples"] == len(answers) == sum(fold["num_examples"] for fold in told["folds"])
    for metric in ("accuracy", "uar", "ece"):
        low, high = told["intervals"][metric]
        assert 0 <= low <= high <= 1


@pytest.mark.parametrize(("name", "count"), [("folds", 60), ("each_group", 12)])
def test_each_example_is_scored_once_and_by_a_network_that_never_heard_its_group(name, count, request):
    found = request.getfixturevalue(name)
    run_dir = found[0] if isinstance(found, tuple) else found
    told = told_in(run_dir / "cv.json")
    scored = [row["name"] for fold in told["folds"] for row in rows_of(run_dir / fold["name"] / "answers.csv")]
    assert len(scored) == len(set(scored)) == count
    groups = [group for fold in told["folds"] for group in fold["groups"]]
    assert len(groups) == len(set(groups))
    for fold in told["folds"]:
        rows = rows_of(run_dir / fold["name"] / "split.csv")
        sides = {side: {row["group"] for row in rows if row["split"] == side} for side in ("train", "val", "test")}
        assert sides["test"] == set(fold["groups"])
        assert not sides["test"] & (sides["train"] | sides["val"])
        assert not sides["train"] & sides["val"]


def test_leaving_one_group_out_makes_a_fold_a_group(each_group):
    folds = told_in(each_group / "cv.json")["folds"]
    assert [fold["groups"] for fold in folds] == [["g0"], ["g1"], ["g2"]]


def test_the_same_command_again_changes_nothing_and_trains_nothing(root, folds):
    run_dir, _, _ = folds
    before = content(run_dir)
    said, _ = train(root, run_dir, "cv=3", "ensemble=true", "optim.lr=1e-2")
    assert "epoch" not in said
    assert content(run_dir) == before


def test_seeds_are_pooled_as_folds_are(seeds):
    told = told_in(seeds / "cv.json")
    assert [(fold["name"], fold["seed"]) for fold in told["folds"]] == [("seed-5", 5), ("seed-6", 6)]
    assert told["folds"][0]["split_sha256"] == told["folds"][1]["split_sha256"]
    assert told["folds"][0]["metrics"] != told["folds"][1]["metrics"]


@pytest.mark.slow
def test_folds_and_seeds_together_are_a_run_each(few, tmp_path):
    run_dir = tmp_path / "run"
    train(few, run_dir, "cv=3", "seeds=2", "ensemble=true", "trainer.max_epochs=1")
    names = [fold["name"] for fold in told_in(run_dir / "cv.json")["folds"]]
    assert names == [f"fold-{fold}-seed-{seed}" for fold in (1, 2, 3) for seed in (0, 1)]
    specs = told_in(run_dir / "bundle" / "bundle.json")["specs"]
    assert len(specs["network"]["members"]) == len(specs["network"]["temperatures"]) == 6
    answers = [read_answers(run_dir / name / "answers.csv") for name in names]
    assert [answer.name for answer in answers[0]] == [answer.name for answer in answers[1]]
    told = told_in(run_dir / "cv.json")
    assert sum(map(len, answers)) == told["num_answers"] == 24
    assert told["num_examples"] == 12


# Bundles of several networks


@pytest.mark.parametrize(
    ("name", "members"), [("folds", ["fold-1", "fold-2", "fold-3"]), ("seeds", ["seed-5", "seed-6"])]
)
def test_an_ensemble_says_the_mean_of_what_its_members_say_at_their_temperatures(name, members, request):
    found = request.getfixturevalue(name)
    run_dir = found[0] if isinstance(found, tuple) else found
    together = load_bundle(run_dir / "bundle")
    steps = together.preprocessor.window_steps["audio"]
    torch.manual_seed(0)
    features = {"audio": 2.0 * torch.randn(7, 1, 24, steps)}
    lengths = {"audio": torch.tensor([steps, steps - 3, 9, steps, 20, steps, 12])}
    expected = []
    for member in members:
        bundle = load_bundle(run_dir / member / "bundle")
        with torch.inference_mode():
            output = bundle.network(features, lengths)
        temperature = objective_of(run_dir / member).get("temperature", 1.0)
        expected.append((output.value.double() / temperature).softmax(1))
    with torch.inference_mode():
        answers = together.objective.decode(together.network(features, lengths))
    said = torch.tensor([[answer.scores[label] for label in ("down", "up")] for answer in answers])
    # The bundle of several rounds its weights to 16 bits.
    torch.testing.assert_close(said.double(), torch.stack(expected).mean(0), atol=3e-3, rtol=0)


def test_the_card_tells_what_was_chosen_of_the_corpus_and_no_folder():
    corpus = {
        "_target_": "avpipe.corpora.Nemo",
        "root": "/home/me",
        "label": "text",
        "sentences": [1, 70],
        "noise": None,
    }
    assert corpus_settings({"corpus": corpus}) == {"sentences": [1, 70]}


def test_the_card_of_an_ensemble_tells_what_was_learned_and_its_scores(folds, seeds):
    card = (folds[0] / "bundle" / "card.md").read_text(encoding="utf-8")
    assert "all of folders was learned from" in card
    pooled = told_in(folds[0] / "cv.json")["pooled"]
    assert f"| uar | {pooled['uar']:.4f} |" in card
    assert "its own held-out fold" in card
    assert "cv=3" in card
    card = (seeds / "bundle" / "card.md").read_text(encoding="utf-8")
    assert "by auto" in card
    assert "all of folders" not in card


def evaluate(bundle, root, *arguments, output="m.json"):
    return avpipe(
        "evaluate", f"bundle={bundle}", "corpus=folders", PREFIX, f"corpus.root={root}", f"output={output}",
        "workers=0", "device=cpu", *arguments,
    )  # fmt: skip


def test_a_bundle_of_all_folds_does_not_score_what_it_has_learned_unless_told_to(folds, root, elsewhere):
    status, _, told = evaluate(folds[0] / "bundle", root)
    assert (status, "has learned from all of it" in one_line(told)) == (2, True)
    assert not (elsewhere / "m.json").exists()
    status, _, told = evaluate(folds[0] / "bundle", root, "split=all")
    assert status == 0, told
    assert told_in(elsewhere / "m.json")["num_examples"] == 60


def test_a_bundle_of_all_folds_scores_only_groups_that_it_has_not_learned_from(folds, root, tmp_path, elsewhere):
    shutil.copytree(root, tmp_path / "more")
    for label in ("up", "down"):
        for take in range(2):
            write_audio(tmp_path / "more" / label / f"new_{take}.wav", noise(0.5, rate_hz=8000, seed=take), 8000)
    status, _, told = evaluate(folds[0] / "bundle", tmp_path / "more")
    assert status == 0, told
    assert told_in(elsewhere / "m.json")["num_examples"] == 4
    assert {row["group"] for row in rows_of(elsewhere / "answers.csv")} == {"new"}


def test_a_bundle_of_all_folds_scores_another_corpus(folds, few, tmp_path, elsewhere):
    lines = ["path,label,group"]
    lines += [f"{path.as_posix()},{path.parent.name},{path.name[:2]}" for path in sorted(few.rglob("*.wav"))]
    (tmp_path / "list.csv").write_text("\n".join(lines) + "\n")
    status, _, told = avpipe(
        "evaluate", f"bundle={folds[0] / 'bundle'}", "corpus=manifest", f"corpus.path={tmp_path / 'list.csv'}",
        "output=m.json", "workers=0", "device=cpu",
    )  # fmt: skip
    assert status == 0, told
    assert told_in(elsewhere / "m.json")["num_examples"] == 12


def test_the_bundle_of_a_fold_scores_as_its_fold_did(folds, root, elsewhere):
    for fold in ["fold-2"]:
        status, _, told = evaluate(folds[0] / fold / "bundle", root, output=f"{fold}.json")
        assert status == 0, told
        expected = told_in(folds[0] / fold / "metrics.json")
        del expected["metrics"]["ece_uncalibrated"]
        assert told_in(elsewhere / f"{fold}.json") == expected


def test_the_bundle_of_several_seeds_scores_on_the_test_part(seeds, root, elsewhere):
    status, _, told = evaluate(seeds / "bundle", root)
    assert status == 0, told
    assert told_in(elsewhere / "m.json")["split_sha256"] == told_in(seeds / "seed-5" / "metrics.json")["split_sha256"]


# Calibration


def test_temperature_and_threshold_stand_in_the_bundle(folds, seeds):
    for fold in ("fold-1", "fold-2", "fold-3"):
        assert 0.1 <= objective_of(folds[0] / fold)["temperature"] <= 10.0
        assert 0.0 <= objective_of(folds[0] / fold)["threshold"] <= 1.0
        assert "ece_uncalibrated" in told_in(folds[0] / fold / "metrics.json")["metrics"]
    for seed in ("seed-5", "seed-6"):
        assert objective_of(seeds / seed)["threshold"] == 0.0  # refuse_right=0


def test_an_answer_below_the_threshold_is_unknown_and_no_error(tmp_path, elsewhere):
    specs = specs_of(AUDIO)
    specs["objective"]["threshold"] = 1.0
    split = {"by": "group", "seed": 0, "val_fraction": 0.2, "test_fraction": 0.2}
    origin = Origin("tones", "pitch", "folders", "made here", 0, split, "0" * 64, "avpipe train", {})
    network, objective = instantiate(specs["network"]), instantiate(specs["objective"])
    save_bundle(tmp_path / "sceptic", specs, network, objective, origin)
    write_audio(tmp_path / "media" / "a.wav", tone(0.7), 16000)
    status, _, told = avpipe("predict", f"bundle={tmp_path / 'sceptic'}", tmp_path / "media", "answers", "workers=0")
    assert (status, told) == (0, "")
    (line,) = (elsewhere / "answers" / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    answer = json.loads(line)
    assert answer["status"] == "ok"
    assert answer["tasks"]["sceptic"]["label"] == "unknown"
    assert 0 < answer["tasks"]["sceptic"]["score"] < 1
    assert set(answer["tasks"]["sceptic"]["scores"]) == {"high", "low", "middle"}


# Bad input: one line each, an exit status, and nothing that a later run would trip over


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["cv=1"], ["cv=1", "from 3"]),
        (["cv=2"], ["cv=2", "from 3"]),
        (["cv=x"], ["cv=x", "leave_one_group_out"]),
        (["cv=7"], ["6 groups", "7 folds", "cv=6"]),
        (["seeds=0"], ["seeds=0", "at least 1"]),
        (["seed=-1"], ["seed=-1", "from 0"]),
        (["seed=4294967295", "seeds=2"], ["seed=4294967295"]),
        (["ensemble=true"], ["ensemble=true", "cv or seeds"]),
        (["select=x"], ["select=x", "last, best"]),
        (["patience=-1"], ["patience=-1", "1 or more"]),
        (["patience=0"], ["patience=0", "1 or more"]),
        (["patience=x"], ["patience=x", "epochs"]),
        (["patience=1.5"], ["patience=1.5", "epochs"]),
        (["ema_decay=1"], ["ema_decay=1", "from 0"]),
        (["optim.lr=nan"], ["optim.lr=nan", "positive"]),
        (["data.batch_size=0"], ["data.batch_size=0", "at least 1"]),
        (["data.sampling=x"], ["data.sampling=x", "natural, balanced, companions"]),
        (["data.features_on_device=x"], ["data.features_on_device=x", "auto"]),
        (["trainer.accumulate_grad_batches=0"], ["trainer.accumulate_grad_batches=0", "at least 1"]),
        (["cache=x"], ["cache=x", "decoded, features, none"]),
        (["augment=x"], ["augment=x", "mixup"]),
        (["calibration.refuse_right=2"], ["calibration.refuse_right=2", "fraction"]),
        (["split.val_fraction=2"], ["split.val_fraction=2", "fraction"]),
        (["split.val_fraction=2", "cv=3"], ["split.val_fraction=2", "fraction"]),
        (["logger=x"], ["logger=x", "csv, tensorboard"]),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(root, tmp_path, arguments, parts):
    status, line = refused(root, tmp_path / "run", *arguments)
    assert status == 2
    for part in parts:
        assert part in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["cache=features", "augment=mel"], "cache=features"),
        (["schedule.warm_up_fraction=2"], "schedule.warm_up_fraction=2"),
        (["device.precision=x"], "Precision 'x' is invalid"),
        (["logger=[csv,tensorboard]"], "pip install avpipe[tensorboard]"),
        (["device=cuda"], "device=cuda"),
    ],
)
def test_what_is_found_out_later_is_refused_and_does_not_bind_the_folder(root, tmp_path, arguments, part, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.setattr("lightning_fabric.loggers.tensorboard._TENSORBOARD_AVAILABLE", False)
    monkeypatch.setattr("lightning_fabric.loggers.tensorboard._TENSORBOARDX_AVAILABLE", False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    status, line = refused(root, tmp_path / "run", *arguments)
    assert status == 2
    assert part in line
    assert not (tmp_path / "run" / "bundle").exists()
    # The mended command may use the same folder: here it gets as far as to another refusal.
    assert "another configuration" not in refused(root, tmp_path / "run", "optim.lr=1e-2", "device.precision=y")[1]


def test_a_label_of_one_group_is_told_or_refused(root, tmp_path):
    shutil.copytree(root, tmp_path / "corpus")
    for take in range(3):
        path = tmp_path / "corpus" / "side" / f"g0_{take}.wav"
        write_audio(path, noise(0.4, rate_hz=8000, seed=take), 8000)
    for cv in ("cv=3", "cv=leave_one_group_out"):
        status, line = refused(tmp_path / "corpus", tmp_path / "run", cv)
        assert status == 2
        assert "label 'side' stands in group 'g0' only" in line
    assert not (tmp_path / "run").exists()
    _, told = train(tmp_path / "corpus", tmp_path / "run", "trainer.max_epochs=1")
    assert "label 'side' is not in test and cannot be scored" in told


def test_an_empty_class_folder_is_refused(root, tmp_path):
    shutil.copytree(root, tmp_path / "corpus")
    (tmp_path / "corpus" / "side").mkdir()
    status, line = refused(tmp_path / "corpus", tmp_path / "run")
    assert status == 2
    assert "side" in line
    assert "no media file" in line


def test_a_class_of_which_no_file_can_be_read_is_refused(few, tmp_path):
    shutil.copytree(few, tmp_path / "corpus")
    for path in (tmp_path / "corpus" / "up").iterdir():
        write_text_named_wav(path)
        path.write_text(path.read_text() + path.name)  # equal ones would be one recording
    for arguments in ([], ["cv=3"]):
        status, line = refused(tmp_path / "corpus", tmp_path / "run", *arguments)
        assert status == 2
        assert "no recording of 'up' can be read" in line


def test_a_loss_that_is_no_number_names_the_batch_and_its_files(root, tmp_path):
    status, line = refused(root, tmp_path / "run", "optim.lr=1e30")
    assert status == 1
    assert "epoch 1 batch 2: the loss is nan" in line
    assert line.count(".wav") == 8
    assert "/g" in line  # with the class folder, as files of one name stand in several
    assert "lower optim.lr" in line
    assert not (tmp_path / "run" / "bundle").exists()
    train(root, tmp_path / "run", "trainer.max_epochs=1")  # nothing was learned: the folder is free


def test_files_whose_features_are_no_numbers_are_named(root, tmp_path, monkeypatch):
    genuine = TrainingWindows.finished

    def spoilt(self, features, target, index, *rest):
        item = genuine(self, features, target, index, *rest)
        if self.recordings[index].example.path.match("up/g*_3.wav"):
            item.features["audio"].fill_(math.nan)
        return item

    monkeypatch.setattr(TrainingWindows, "finished", spoilt)
    status, line = refused(root, tmp_path / "run")
    assert status == 1
    assert "the features of these files are no numbers: up/g" in line
    assert "down/" not in line
    assert line.count(".wav") == line.count("_3.wav")


def test_a_cache_that_cannot_be_written_is_told_and_no_obstacle(few, tmp_path):
    (tmp_path / "file").write_text("in the way")
    _, told = train(few, tmp_path / "run", f"cache.path={tmp_path / 'file' / 'cache'}", "trainer.max_epochs=1")
    (line,) = [line for line in told.splitlines() if "cache" in line]
    assert "Not a directory" in line


@pytest.fixture
def small_disk(tmp_path):
    """A function that mounts a disk of so many kilobytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = []

    def mount(kilobytes) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place)]
        try:
            done = subprocess.run(command, capture_output=True)
        except FileNotFoundError:
            pytest.skip("no mount")
        if done.returncode:
            pytest.skip("may not mount")
        mounted.append(place)
        return place

    yield mount
    for each in mounted:
        subprocess.run(["umount", str(each)], check=True)


def test_a_full_cache_is_told_and_no_obstacle(root, plain, tmp_path, small_disk):
    _, told = train(root, tmp_path / "run", f"cache.path={small_disk(200) / 'cache'}")
    (line,) = [line for line in told.splitlines() if "cache" in line]
    assert "full" in line or "No space" in line
    assert weights(tmp_path / "run") == weights(plain)


@pytest.mark.parametrize(
    "kilobytes", [8, 100, 140, *(pytest.param(size, marks=pytest.mark.slow) for size in (160, 300))]
)
def test_a_full_disk_is_one_line_and_with_room_the_run_goes_on(root, tmp_path, small_disk, kilobytes):
    # Full at the configuration, at a checkpoint, at the bundle, at its scores, at the report.
    run_dir = small_disk(kilobytes) / "run"
    status, line = refused(root, run_dir, "trainer.max_epochs=1")
    assert status == 1
    assert "room" in line
    assert "run the same command again" in line
    assert list(run_dir.rglob(".*part*")) == []
    subprocess.run(["mount", "-o", "remount,size=10m", str(run_dir.parent)], check=True)
    train(root, run_dir, "trainer.max_epochs=1")
    load_bundle(run_dir / "bundle")


def test_a_folder_that_cannot_be_written_is_one_line(root, tmp_path):
    (tmp_path / "file").write_text("mine")
    for arguments in ([], ["cv=3"]):
        status, line = refused(root, tmp_path / "file", *arguments)
        assert (status, "is a file" in line) == (2, True)
        status, line = refused(root, tmp_path / "file" / "run", *arguments)
        assert (status, "Not a directory" in line) == (1, True)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif("os.geteuid() == 0", reason="root may write everywhere")
def test_a_folder_without_permission_is_one_line(root, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    status, line = refused(root, tmp_path / "locked" / "run")
    assert (status, "Permission denied" in line) == (1, True)


def test_a_run_of_another_configuration_is_not_gone_on_with(root, plain, folds):
    for run_dir, arguments in ((plain, ["optim.lr=1e-4"]), (folds[0], ["cv=3", "ensemble=true", "optim.lr=1e-4"])):
        before = content(run_dir)
        status, line = refused(root, run_dir, *arguments)
        assert (status, "another configuration" in line) == (2, True)
        assert content(run_dir) == before


@pytest.mark.parametrize("rubbish", [b"", b"a text\n" * 99, "half", "other data", "another network"])
def test_a_checkpoint_that_is_none_of_this_run_is_refused(root, plain, tmp_path, rubbish):
    shutil.copytree(plain, tmp_path / "run", ignore=shutil.ignore_patterns("bundle", "metrics.json"))
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    whole = torch.load(last, weights_only=True)
    if rubbish == "half":
        last.write_bytes(last.read_bytes()[: last.stat().st_size // 2])
    elif rubbish == "other data":
        torch.save({"state_dict": whole["state_dict"], "epoch": 3, "callbacks": {}}, last)
    elif rubbish == "another network":
        torch.save({**whole, "state_dict": {name: value[:1] for name, value in whole["state_dict"].items()
                                            if value.ndim}}, last)  # fmt: skip
    else:
        last.write_bytes(rubbish)
    before = last.read_bytes()
    status, line = refused(root, tmp_path / "run")
    assert status == 2
    assert "last.ckpt" in line
    assert "remove it to begin anew" in line
    assert len(line) < 300 + len(str(last))
    assert last.read_bytes() == before
    if rubbish:
        return
    last.unlink()
    said, _ = train(root, tmp_path / "run")
    assert "epoch 1/3" in said
    assert weights(tmp_path / "run") == weights(plain)


def test_two_runs_in_one_folder_are_one_too_many(root, tmp_path):
    with locked(tmp_path / "run"):
        status, line = refused(root, tmp_path / "run")
        assert (status, "another run is at work in it" in line) == (2, True)
        status, line = refused(root, tmp_path / "run", "cv=3")
        assert (status, "another run is at work in it" in line) == (2, True)
    assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]


@pytest.mark.parametrize("encoder", ["frames2d", "residual3d"])
def test_an_encoder_of_another_sense_is_one_line(root, tmp_path, encoder):
    arguments = [each for each in LEARN if not each.startswith("encoder.")]
    command = [*arguments, f"encoder={encoder}", f"corpus.root={root}", f"run_dir={tmp_path / 'run'}"]
    status, _, told = avpipe("train", *command)
    assert (status, "encoder: does not take" in one_line(told)) == (2, True)
