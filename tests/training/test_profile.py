"""Where the time of a training goes, and how its data is loaded where that is left to ``auto``."""

import json
import time
from types import SimpleNamespace

import pytest
import torch

from avpipe.bundle import load_bundle
from avpipe.training.ledger import AROUND, DECODE, FEATURES, FORWARD, LOADING, OTHER, WAIT, Actions, Clock, Ledger
from avpipe.training.loading import num_ready, num_threads, num_workers
from avpipe.training.run import config_digest
from tests.cli.test_commands import avpipe, one_line
from tests.training.corpus import LEARN, write_corpus

CPU = torch.device("cpu")


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is told to go on."""
    now = SimpleNamespace(sec=100.0)
    monkeypatch.setattr(time, "perf_counter", lambda: now.sec)
    return now


def test_each_second_is_charged_to_one_part(clock):
    ledger = Ledger(CPU, 0)
    clock.sec += 1
    with ledger.part(DECODE):  # what is read before the loop belongs to what it is read for
        clock.sec += 2
    with ledger.loop():
        clock.sec += 4
        with ledger.part(DECODE):
            clock.sec += 8
            with ledger.part(FEATURES):
                clock.sec += 16
            clock.sec += 32
    clock.sec += 64
    told = ledger.told()
    assert {name: sec for name, sec in told["parts_sec"].items() if sec} == {
        AROUND: 67, OTHER: 4, DECODE: 40, FEATURES: 16,
    }  # fmt: skip
    assert (told["wall_sec"], told["loop_sec"]) == (127, 60)


def test_a_part_that_fails_has_its_time_and_ends(clock):
    ledger = Ledger(CPU, 0)

    def fail():
        with ledger.part(DECODE):
            clock.sec += 1
            raise ValueError("no")

    with ledger.loop():
        with pytest.raises(ValueError, match="no"):
            fail()
        clock.sec += 2
    assert (ledger.told()["parts_sec"][DECODE], ledger.told()["parts_sec"][OTHER]) == (1, 2)


def test_what_lightning_does_is_charged_by_its_name(clock):
    actions = Actions(Ledger(CPU, 0))
    with actions.ledger.loop():
        for name, part in (
            ("[_TrainingEpochLoop].train_dataloader_next", WAIT),
            ("[Strategy]SingleDeviceStrategy.training_step", FORWARD),
            ("[Callback]EpochLines.on_train_batch_end", OTHER),
        ):
            with actions.profile(name):
                assert actions.ledger.current == part
                with actions.profile("anything"):
                    assert actions.ledger.current == part


def test_a_clock_measures_nothing():
    with Clock().part(DECODE):
        pass


def train(root, run_dir, *arguments):
    status, said, told = avpipe(
        "train",
        *LEARN,
        f"corpus.root={root}",
        f"run_dir={run_dir}",
        "cache=decoded",
        "trainer.max_epochs=2",
        *arguments,
    )
    assert status == 0, told
    return said, told


def loading_of(stderr):
    return [line for line in stderr.splitlines() if line.startswith("loading: ")]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus") / "sweeps")


@pytest.fixture(scope="module")
def profiled(root, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("profiled") / "run"
    began = time.perf_counter()
    said, _ = train(root, run_dir, "profile=true")
    return run_dir, said, time.perf_counter() - began


def told_of(run_dir):
    return json.loads((run_dir / "profile.json").read_text(encoding="utf-8"))


def test_the_parts_of_a_training_sum_to_its_time(profiled):
    run_dir, said, took_sec = profiled
    told = told_of(run_dir)
    assert sum(told["parts_sec"].values()) == pytest.approx(told["wall_sec"], abs=1e-3)
    assert 0 < told["loop_sec"] < told["wall_sec"] < took_sec
    assert (told["epochs"], told["workers"], told["device"], told["threads"]) == (2, 0, "cpu", torch.get_num_threads())
    busy = {"decode", "augment", "features", "batch", "forward", "backward", "optimiser", "average", "validation"}
    assert all(told["parts_sec"][name] > 0 for name in busy)
    assert not any(told["in_workers_sec"].values())
    assert f"waits for data: {run_dir}/profile.md" in said


def test_table_and_picture_tell_the_same(profiled):
    told = told_of(profiled[0])
    table = (profiled[0] / "profile.md").read_text(encoding="utf-8")
    for name, seconds in told["parts_sec"].items():
        assert f"| {name} | {seconds:.3f} |" in table
    assert f"**{told['wall_sec']:.3f}**" in table
    assert "Beside it" not in table
    assert (profiled[0] / "profile.png").read_bytes().startswith(b"\x89PNG")


def test_measuring_changes_no_weight_and_no_folder(profiled, root, tmp_path):
    train(root, tmp_path / "plain")
    written, measured = ((folder / "bundle" / "model.safetensors") for folder in (tmp_path / "plain", profiled[0]))
    assert written.read_bytes() == measured.read_bytes()
    assert not (tmp_path / "plain" / "profile.json").exists()
    first, second = (json.loads((folder / "config.json").read_text()) for folder in (tmp_path / "plain", profiled[0]))
    assert config_digest(first) == config_digest(second)


def test_a_finished_run_says_that_there_is_nothing_to_measure(profiled, root):
    before = (profiled[0] / "profile.json").read_bytes()
    _, told = train(root, profiled[0], "profile=true")
    assert "there is nothing to measure" in told
    assert (profiled[0] / "profile.json").read_bytes() == before


def test_what_a_worker_loads_stands_beside(root, tmp_path):
    _, told = train(root, tmp_path / "run", "data.workers=1", "profile=true", "data.prefetch=3")
    assert loading_of(told) == []  # nothing was left to be chosen
    told = told_of(tmp_path / "run")
    assert all(told["in_workers_sec"][name] > 0 for name in ("decode", "features", "batch"))
    assert not any(told["parts_sec"][name] for name in LOADING)
    assert sum(told["in_workers_sec"].values()) < told["loop_sec"]
    assert sum(told["parts_sec"].values()) == pytest.approx(told["wall_sec"], abs=1e-3)
    assert told["prefetch"] == 3
    assert "Beside it, in 1 worker (3 batches each)" in (tmp_path / "run" / "profile.md").read_text()
    assert load_bundle(tmp_path / "run" / "bundle")


def test_what_auto_chose_is_said_in_a_line(root, tmp_path):
    _, told = train(root, tmp_path / "run", "data.workers=auto", "data.threads=1", "trainer.max_epochs=1")
    (line,) = loading_of(told)
    assert "beside the training, 2 batches each; torch: 1 thread (" in line
    arguments = ("data.workers=auto", "data.threads=1", "trainer.max_epochs=1", "cache=features", "augment=none")
    _, told = train(root, tmp_path / "cached", *arguments)
    (line,) = loading_of(told)
    assert line.startswith("loading: between the steps, as all features are in the cache; torch: 1 thread (")


def test_auto_takes_no_worker_for_what_is_ready():
    cuda = torch.device("cuda")
    assert num_workers("auto", True, CPU) == 0
    assert num_workers("auto", True, cuda) == num_workers("auto", False, CPU) > 0
    assert num_workers(3, True, CPU) == 3


def test_auto_holds_more_ready_where_media_is_decoded():
    assert (num_ready("auto", "none"), num_ready("auto", "features"), num_ready(1, "none")) == (4, 2, 1)
    assert num_threads("auto") == torch.get_num_threads()


@pytest.mark.parametrize(
    ("argument", "remedy"),
    [
        ("data.threads=0", "write auto, 1, 2"),
        ("data.threads=many", "write auto, 1, 2"),
        ("data.prefetch=0", "write auto, 1, 2"),
        ("data.prefetch=1.5", "write auto, 1, 2"),
        ("profile=perhaps", "not true or false"),
    ],
)
def test_what_cannot_be_is_refused(root, tmp_path, argument, remedy):
    status, _, told = avpipe("train", *LEARN, f"corpus.root={root}", f"run_dir={tmp_path / 'run'}", argument)
    assert status == 2
    assert argument in one_line(told)
    assert remedy in told
