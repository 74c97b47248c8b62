"""Trainings that are killed, at any moment, and go on. Slow."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.training.corpus import LEARN, write_corpus

pytestmark = pytest.mark.slow

COMMAND = (*LEARN, "cv=3", "ensemble=true", "augment=mel", "logger=csv")
RESULTS = ("cv.json", "bundle/model.safetensors", "bundle/bundle.json", "fold-2/history.csv", "fold-3/answers.csv")


STAGED = (*LEARN, "transfer=staged", "transfer.lr_decay=0.5", "optim.lr=1e-2", "trainer.max_epochs=6", "logger=csv")
STAGED_RESULTS = ("metrics.json", "bundle/model.safetensors", "history.csv", "answers.csv", "transfer.json")


def start(root: Path, run_dir: Path, command: Sequence[str] = COMMAND) -> "subprocess.Popen[bytes]":
    arguments = [sys.executable, "-m", "avpipe", "train", *command, f"corpus.root={root}", f"run_dir={run_dir}"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(run_dir.parent / "cache")}
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)


def finish(root: Path, run_dir: Path, command: Sequence[str] = COMMAND) -> None:
    process = start(root, run_dir, command)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said.decode()


def results(run_dir: Path, names: Sequence[str] = RESULTS) -> dict[str, str]:
    """Hashes of what must come out the same; without the command line, which names the folder."""
    found = {}
    for name in names:
        text = (run_dir / name).read_bytes()
        if name.endswith("bundle.json"):
            content = json.loads(text)
            text = json.dumps(
                [content["specs"], content["sha256"]["model.safetensors"], content["origin"]["metrics"]]
            ).encode()
        found[name] = hashlib.sha256(text).hexdigest()
    return found


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus") / "sweeps")


@pytest.fixture(scope="module")
def uninterrupted(root, tmp_path_factory):
    """(results, seconds) of a run that nobody stopped."""
    run_dir = tmp_path_factory.mktemp("whole") / "run"
    began = time.monotonic()
    finish(root, run_dir)
    return results(run_dir), time.monotonic() - began


def test_killed_at_ten_random_moments_it_ends_as_if_it_never_was(root, uninterrupted, tmp_path):
    expected, whole_sec = uninterrupted
    draw = random.Random(20261121)
    kills = 0
    for _ in range(10):
        process = start(root, tmp_path / "run")
        try:
            process.wait(draw.uniform(0.3, 1.0) * whole_sec)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate()
        if process.returncode == 0:  # done: begin another
            assert results(tmp_path / "run") == expected
            shutil.rmtree(tmp_path / "run")
    assert kills >= 3
    finish(root, tmp_path / "run")
    assert results(tmp_path / "run") == expected


def test_a_staged_training_killed_at_five_random_moments_ends_as_if_it_never_was(root, tmp_path):
    finish(root, tmp_path / "given", (*LEARN, "trainer.max_epochs=1", "seed=7"))
    command = (*STAGED, f"init_from={tmp_path / 'given' / 'bundle'}")
    began = time.monotonic()
    finish(root, tmp_path / "whole", command)
    whole_sec = time.monotonic() - began
    expected = results(tmp_path / "whole", STAGED_RESULTS)
    draw, kills = random.Random(20261126), 0
    while kills < 5:
        process = start(root, tmp_path / "run", command)
        try:
            process.wait(draw.uniform(0.4, 1.0) * whole_sec)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate()
        if process.returncode == 0:  # done: begin another
            assert results(tmp_path / "run", STAGED_RESULTS) == expected
            shutil.rmtree(tmp_path / "run")
    finish(root, tmp_path / "run", command)
    assert results(tmp_path / "run", STAGED_RESULTS) == expected


# Where a run is at its weakest: what is killed right there, in a process of its own.
WEAK_PLACES = {
    "inside a checkpoint": ("torch", "save", 3),
    "between a checkpoint and its name": ("os", "replace", 9),
    "inside a bundle": ("avpipe.bundle.store", "write_manifest", 1),
    "between a bundle's card and its manifest": ("avpipe.bundle.manifest", "_sha256_of_content", 5),
    "before the scores stand in the bundle of all": ("avpipe.bundle.store", "record_metrics", 4),
    "between two folds": ("avpipe.training", "train", 2),
    "before the table": ("avpipe.inference.pooled", "write_pooled", 1),
}

KILLER = """
import importlib, os, signal, sys
module, name, count = {place!r}
import avpipe.cli.learning, torch
target = importlib.import_module(module) if not module.endswith(".os") else importlib.import_module(module[:-3]).os
whole = getattr(target, name)
calls = 0
def deadly(*arguments, **options):
    global calls
    calls += 1
    if calls == count:
        if name == "save":
            with open(arguments[1], "wb") as file:
                file.write(b"half a checkpoint")
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(*arguments, **options)
setattr(target, name, deadly)
for user in list(sys.modules.values()):
    if getattr(user, name, None) is whole and getattr(user, "__name__", "").startswith("avpipe"):
        setattr(user, name, deadly)
sys.argv = ["avpipe train", *sys.argv[1:]]
from avpipe.cli.command import run
sys.exit(run("train", avpipe.cli.learning.learn))
"""


@pytest.mark.parametrize("place", WEAK_PLACES)
def test_killed_at_a_weak_place_it_ends_as_if_it_never_was(root, uninterrupted, tmp_path, place):
    run_dir = tmp_path / "run"
    arguments = [*COMMAND, f"corpus.root={root}", f"run_dir={run_dir}"]
    code = KILLER.format(place=WEAK_PLACES[place])
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    killed = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, env=environment)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    finish(root, run_dir)
    assert results(run_dir) == uninterrupted[0]
