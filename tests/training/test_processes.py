"""Trainings of several processes: what each takes, and that two are one with twice the batch."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from avpipe.errors import ArgumentError
from avpipe.training.processes import check_changes, check_processes
from avpipe.training.sampling import Buckets, EpochSampler, Share
from tests.training.corpus import LEARN, write_corpus

TRAINER = {"devices": 1, "num_nodes": 1, "strategy": "auto"}

# The processes that Lightning starts read it too. What normalises over a batch is what two processes differ by.
WITHOUT_BATCH_NORM = """
import sys
if any("avpipe" in argument for argument in sys.orig_argv):
    from torch import nn
    class NoNorm(nn.Identity):
        pass
    # A bundle may build what is defined there.
    NoNorm.__module__ = "torch.nn.modules.linear"
    nn.BatchNorm2d = NoNorm
"""


def batches(sampler, size):
    places = list(sampler)
    return [places[first : first + size] for first in range(0, len(places), size)]


# Shares


@pytest.mark.parametrize("epoch", [0, 3])
def test_a_batch_of_all_processes_is_the_batch_of_one(epoch):
    one = EpochSampler(50, seed=1)
    two = [EpochSampler(50, seed=1, share=Share(rank, 2, 8, True)) for rank in range(2)]
    for sampler in (one, *two):
        sampler.set_epoch(epoch)
    assert len(two[0]) == len(two[1]) == len(list(two[0])) == 24
    for whole, first, second in zip(batches(one, 16), batches(two[0], 8), batches(two[1], 8), strict=False):
        assert whole == first + second


def test_a_batch_that_is_not_whole_is_shared_out_evenly_and_none_twice():
    shares = [list(EpochSampler(11, seed=1, share=Share(rank, 3, 8, False))) for rank in range(3)]
    assert [len(share) for share in shares] == [3, 3, 3]
    assert len({place for share in shares for place in share}) == 9
    assert list(EpochSampler(2, seed=1, share=Share(0, 3, 8, False))) == []


def test_batches_of_like_length_stay_together_across_processes():
    lengths = np.random.default_rng(0).uniform(1, 9, 64)
    order = Buckets(lengths.tolist(), 8)
    two = [batches(EpochSampler(64, 1, None, 1, order, Share(rank, 2, 4, True)), 4) for rank in range(2)]
    one = batches(EpochSampler(64, 1, None, 1, order), 8)
    assert [first + second for first, second in zip(*two, strict=True)] == one


# What is refused


@pytest.mark.parametrize(
    ("key", "value"), [("devices", 0), ("num_nodes", -1), ("strategy", "ddp_spawn"), ("strategy", "nonsense")]
)
def test_what_cannot_be_is_refused(key, value):
    with pytest.raises(ArgumentError, match=f"trainer.{key}={value}"):
        check_processes({**TRAINER, key: value})


def test_layers_that_begin_later_need_a_strategy_that_follows():
    check_changes(TRAINER, changes=True)
    check_changes({**TRAINER, "devices": 2, "strategy": "ddp"}, changes=False)
    check_changes({**TRAINER, "devices": 2, "strategy": "ddp_find_unused_parameters_true"}, changes=True)
    with pytest.raises(ArgumentError, match="ddp_find_unused_parameters_true"):
        check_changes({**TRAINER, "devices": 2, "strategy": "ddp"}, changes=True)


# Two processes on this CPU


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus") / "sweeps")


def command(root, run_dir, *arguments):
    recipe = ("network.dropout=0.0", "optim=sgd", "optim.lr=0.02", "ema_decay=0.9", "augment=mel", "logger=csv")
    return [*LEARN, *recipe, f"corpus.root={root}", f"run_dir={run_dir}", *arguments]


def run(folder: Path, *program: str) -> subprocess.CompletedProcess[str]:
    (folder / "site").mkdir(exist_ok=True)
    (folder / "site" / "sitecustomize.py").write_text(WITHOUT_BATCH_NORM)
    paths = [str(folder / "site"), os.environ.get("PYTHONPATH", str(Path(__file__).parents[2]))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run(program, capture_output=True, text=True, env=environment, cwd=folder, timeout=900)
    assert done.returncode == 0, done.stderr
    return done


def assert_equal_runs(one: Path, two: Path) -> None:
    weights, others = (load_file(run / "bundle" / "model.safetensors") for run in (one, two))
    assert weights.keys() == others.keys()
    for name, value in weights.items():
        torch.testing.assert_close(value, others[name], rtol=1e-4, atol=1e-6, msg=name)
    rows, other_rows = (list(csv.DictReader((run / "history.csv").read_text().splitlines())) for run in (one, two))
    for row, other in zip(rows, other_rows, strict=True):
        assert {key: float(value) for key, value in row.items()} == pytest.approx(
            {key: float(value) for key, value in other.items()}, rel=1e-4, abs=1e-5
        )
    told, other_told = (json.loads((run / "metrics.json").read_text()) for run in (one, two))
    assert told["num_examples"] == other_told["num_examples"]
    assert told["metrics"] == pytest.approx(other_told["metrics"], rel=1e-3, abs=1e-4)


CONSOLE_SCRIPT = str(Path(sys.executable).with_name("avpipe"))
TWO = ("trainer.devices=2", "trainer.strategy=ddp", "data.batch_size=8")


@pytest.fixture(scope="module")
def one(root, tmp_path_factory):
    """A run of one process, with batches of 16."""
    folder = tmp_path_factory.mktemp("one")
    run(folder, CONSOLE_SCRIPT, "train", *command(root, "run", "data.batch_size=16"))
    return folder / "run"


@pytest.mark.slow
def test_two_processes_are_one_with_twice_the_batch_and_write_once(root, one, tmp_path):
    done = run(tmp_path, CONSOLE_SCRIPT, "train", *command(root, "run", *TWO))
    assert_equal_runs(one, tmp_path / "run")
    assert done.stdout.count("epoch 3/3") == 1
    assert done.stdout.count("bundle: ") == 1
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {path.name for path in one.iterdir()}
    # The same command again has nothing to do.
    assert "epoch" not in run(tmp_path, CONSOLE_SCRIPT, "train", *command(root, "run", *TWO)).stdout


@pytest.mark.slow
def test_processes_that_torchrun_starts_are_the_same(root, one, tmp_path):
    launch = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "avpipe", "train")
    run(tmp_path, sys.executable, *launch, *command(root, "run", *TWO))
    assert_equal_runs(one, tmp_path / "run")


@pytest.mark.slow
def test_two_processes_go_through_all_folds(root, tmp_path):
    run(tmp_path, CONSOLE_SCRIPT, "train", *command(root, "run", *TWO, "cv=3", "trainer.max_epochs=1"))
    told = json.loads((tmp_path / "run" / "cv.json").read_text())
    assert told["num_examples"] == 60
