"""Trainings that begin with another one's weights, as a user runs them."""

import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from tests.cli.test_commands import avpipe
from tests.cli.test_training_runs import refused, rows_of, told_in, train, weights
from tests.tiny import VIDEO, save_tiny_bundle
from tests.training.corpus import LEARN, write_corpus

STAGES = "transfer.stages=[{epoch:2,block:1},{epoch:4,block:all}]"

STOP_AFTER = """
import sys, os, runpy, pytorch_lightning.callbacks.model_checkpoint as checkpoints
genuine = checkpoints.ModelCheckpoint.on_train_epoch_end
def stop(self, trainer, *arguments):
    genuine(self, trainer, *arguments)
    if self.filename == "last" and trainer.current_epoch + 1 == {epoch}:
        os._exit(9)
checkpoints.ModelCheckpoint.on_train_epoch_end = stop
sys.argv[0] = "avpipe train"
runpy.run_module("avpipe.cli.train", run_name="__main__")
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus") / "sweeps")


@pytest.fixture(scope="module")
def given(tmp_path_factory, root):
    """A bundle that was trained a little."""
    run_dir = tmp_path_factory.mktemp("given") / "run"
    train(root, run_dir, "trainer.max_epochs=1", "seed=7")
    return run_dir / "bundle"


@pytest.fixture(scope="module")
def staged(tmp_path_factory, root, given):
    run_dir = tmp_path_factory.mktemp("staged") / "run"
    said, _ = train(root, run_dir, *arguments_of(given))
    return run_dir, said


def arguments_of(given):
    return ("trainer.max_epochs=5", f"init_from={given}", "transfer=staged", STAGES, "optim.lr=1e-2")


def changed(run_dir, given):
    """Tensors of the network that are no longer those of the bundle it began with."""
    now, then = (load_file(folder / "model.safetensors") for folder in (run_dir / "bundle", given))
    return {name for name in now if not torch.equal(now[name], then[name])}


def test_features_keep_every_bit_of_the_encoder_and_of_its_batch_norm(root, given, tmp_path):
    said, _ = train(root, tmp_path / "run", f"init_from={given}", "transfer=features", "trainer.max_epochs=2")
    assert "taken: encoders.audio, head; new: nothing" in said
    assert "transfer=features; stand still: stem, stages.0" in said
    assert changed(tmp_path / "run", given) == {"network.head.weight", "network.head.bias"}


def test_the_run_folder_tells_what_was_taken_and_what_learns(staged, given):
    run_dir, said = staged
    told = told_in(run_dir / "transfer.json")
    assert told["init_from"] == {"bundle": str(given), "taken": ["encoders.audio", "head"], "new": {}}
    assert [stage["learns_from_epoch"] for stage in told["stages"]] == [4, 2, 1]
    assert [stage["rate_factor"] for stage in told["stages"]] == [0.49, 0.7, 1.0]
    assert "transfer=staged; stages.0 from epoch 2, stem from epoch 4" in said
    assert len(changed(run_dir, given)) > 10


@pytest.mark.parametrize("epoch", [1, pytest.param(2, marks=pytest.mark.slow), 3])
def test_a_staged_training_that_was_stopped_ends_with_the_weights_of_one_that_was_not(
    root, given, staged, tmp_path, epoch
):
    run_dir = tmp_path / "run"
    arguments = [*LEARN, f"corpus.root={root}", f"run_dir={run_dir}", *arguments_of(given)]
    stopped = subprocess.run([sys.executable, "-c", STOP_AFTER.format(epoch=epoch), *arguments], capture_output=True)
    assert stopped.returncode == 9, stopped.stderr.decode()
    assert len(rows_of(run_dir / "history.csv")) == epoch
    said, _ = train(root, run_dir, *arguments_of(given))
    assert "init_from" not in said
    assert weights(run_dir) == weights(staged[0])
    for name in ("history.csv", "answers.csv", "transfer.json"):
        assert (run_dir / name).read_bytes() == (staged[0] / name).read_bytes()


def test_a_few_examples_choose_the_last_layers(root, given, tmp_path):
    said, _ = train(root, tmp_path / "run", f"init_from={given}", "transfer=auto", "trainer.max_epochs=1")
    assert "training examples are fewer than 10000: the last layers learn; stand still: stem" in said
    assert not any("stem" in name for name in changed(tmp_path / "run", given))


@pytest.mark.slow
def test_transfer_goes_with_folds_and_a_bundle_of_all(root, given, tmp_path):
    arguments = (f"init_from={given}", "transfer=features", "cv=3", "ensemble=true", "trainer.max_epochs=1")
    train(root, tmp_path / "run", *arguments)
    assert changed(tmp_path / "run" / "fold-2", given) == {"network.head.weight", "network.head.bias"}
    assert (tmp_path / "run" / "bundle" / "bundle.json").is_file()


def test_a_found_rate_is_one_for_what_learns(root, given, tmp_path):
    said, _ = train(
        root, tmp_path / "run", f"init_from={given}", "transfer=last_blocks", "find_lr=true", "trainer.max_epochs=1"
    )
    assert "learning rate found" in said
    assert not any("stem" in name for name in changed(tmp_path / "run", given))


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("transfer=features",), ["transfer=features", "nothing is given to keep", "init_from=BUNDLE"]),
        (("transfer=scratch", "GIVEN"), ["transfer=scratch", "begins with nothing"]),
        (("transfer=last_blocks", "transfer.count=9", "GIVEN"), ["transfer.count=9", "names no layer", "stages.0"]),
        (("transfer=staged", "transfer.stages=[{epoch:1,block:top}]", "GIVEN"), ["block top", "names no layer"]),
        (("init_from=nothing/here",), ["bundle=nothing/here", "no such bundle"]),
        (("encoder.channels=[4,9]", "GIVEN"), ["init_from=", "first in encoders.audio.stages.0"]),
        (("transfer=thawed",), ["transfer=thawed", "staged", "last_blocks"]),
    ],
)
def test_what_cannot_be_is_one_line(root, given, tmp_path, arguments, parts):
    asked = [f"init_from={given}" if argument == "GIVEN" else argument for argument in arguments]
    status, line = refused(root, tmp_path / "run", *asked)
    assert status == 2
    for part in parts:
        assert part in line
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_bundle_that_looks_teaches_none_that_listens(root, tmp_path):
    films = save_tiny_bundle(tmp_path / "films", VIDEO)
    status, line = refused(root, tmp_path / "run", f"init_from={films}")
    assert status == 2
    assert "takes video, and the one to be trained audio; give a bundle of the same sense" in line


def test_help_names_every_way():
    status, said, _ = avpipe("train", "--help")
    assert status == 0
    for name in ("scratch", "features", "last_blocks", "staged", "full", "auto"):
        assert name in said
