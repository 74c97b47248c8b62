"""Sweeps as a user runs them: what is run, what is not run again, and what becomes of a job that fails."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from avpipe.cli.sweep import quote_each
from avpipe.config import typed
from avpipe.inference.sweep import SweepJob, axes_of, best_by_axis, print_sweep, write_sweep
from tests.cli.test_commands import avpipe, one_line
from tests.training.corpus import LEARN, write_corpus

QUICK = (*LEARN, "trainer.max_epochs=1", "logger=[]")
CRASH = """
import os, signal, sys
if "optim.lr=0.5" in sys.orig_argv:
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus") / "sweeps", takes=3)


def sweep(root, run_dir, *arguments):
    return avpipe("train", "-m", *QUICK, f"corpus.root={root}", f"run_dir={run_dir}", *arguments)


def sweep_apart(root, run_dir, *arguments):
    """(exit status, all that is said) in a process of its own: what the extras warn of is no error of ours."""
    command = [*QUICK, f"corpus.root={root}", f"run_dir={run_dir}", *arguments]
    done = subprocess.run([sys.executable, "-m", "avpipe", "train", "-m", *command], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def told(run_dir):
    return json.loads((run_dir / "sweep.json").read_text(encoding="utf-8"))


def write_job(folder, place, overrides, status="done", score=0.5, reason="", validation=(0.1, 0.4)):
    folder.mkdir(parents=True)
    job = {"place": place, "overrides": overrides, "status": status, "reason": reason}
    (folder / "job.json").write_text(json.dumps(job))
    (folder / "config.json").write_text(json.dumps({"objective": {"_target_": "avpipe.objectives.Classification"}}))
    if status == "done":
        metrics = {"metrics": {"accuracy": score}, "intervals": {"accuracy": [score - 0.1, score + 0.1]}}
        (folder / "metrics.json").write_text(json.dumps(metrics))
        rows = "".join(f"{epoch},{value}\n" for epoch, value in enumerate(validation, 1))
        (folder / "history.csv").write_text(f"epoch,val/uar\n{rows}")


# What is asked for


def test_paths_with_commas_are_several_unless_a_file_has_that_name(elsewhere):
    assert quote_each("init_from=a,b c") == "init_from='a','b c'"
    assert quote_each("optim.lr=1,2") == "optim.lr=1,2"
    (elsewhere / "a,b c").mkdir()
    assert quote_each("init_from=a,b c") == "init_from='a,b c'"


@pytest.mark.parametrize("path", ["a b", "it's", "a\\b", "${x}", "1e3", "[a]", "x=y"])
def test_a_job_is_told_paths_as_they_were_typed(path):
    assert typed(quote_each(f"corpus.root={path}")) == f"corpus.root={path}"
    assert typed("encoder.channels=[4,8]") == "encoder.channels=[4,8]"


@pytest.mark.parametrize(
    "argument", ["trainer.devices=2", "trainer.strategy=ddp", "trainer.num_nodes=1,2", "trainer.devices=1,2"]
)
def test_several_processes_a_job_are_refused(root, tmp_path, argument):
    status, _, said = sweep(root, tmp_path / "run", argument)
    assert status == 2
    assert "a sweep trains each network in one process" in one_line(said)
    assert argument in said
    assert not (tmp_path / "run").exists()


def test_a_sweep_started_once_a_process_is_refused(root, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    status, _, said = sweep(root, tmp_path / "run", "seed=1,2")
    assert (status, "WORLD_SIZE=2" in one_line(said)) == (2, True)


@pytest.mark.parametrize(
    ("argument", "part"),
    [
        ("encoder=residual2d,nonsense", "nonsense"),
        ("optim.rate=1,2", "optim.rate"),
        ("optim.lr=interval(1,2)", "sweep"),
    ],
)
def test_what_cannot_be_composed_is_refused_before_any_job(root, tmp_path, argument, part):
    status, _, said = sweep(root, tmp_path / "run", argument)
    assert status == 2
    assert part in one_line(said)
    assert not (tmp_path / "run" / "sweep.json").exists()


# The table


def test_the_table_tells_axes_the_best_of_each_and_what_failed(tmp_path):
    write_job(tmp_path / "aa", 0, ["encoder=a", "optim.lr=1"], validation=(0.3, 0.4))
    write_job(tmp_path / "bb", 1, ["encoder=b", "optim.lr=1"], score=0.9, validation=(0.3, 0.6))
    write_job(tmp_path / "cc", 2, ["encoder=b", "optim.lr=2"], score=0.95, validation=(0.3, 0.5))
    write_job(tmp_path / "dd", 3, ["encoder=a", "optim.lr=2"], status="failed", reason="<too deep>")
    write_sweep(tmp_path, "avpipe train -m ...")
    content = told(tmp_path)
    assert content["axes"] == {"encoder": ["a", "b"], "optim.lr": ["1", "2"]}
    assert content["best"]["encoder"]["b"] == {"name": "bb", "of": 2, "validation": 0.6}
    assert content["best"]["optim.lr"]["2"]["name"] == "cc"
    assert [job["status"] for job in content["jobs"]] == ["done", "done", "done", "failed"]
    with (tmp_path / "sweep.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["reason"] for row in rows] == ["", "", "", "<too deep>"]
    assert (rows[1]["accuracy"], rows[1]["accuracy_low"]) == ("0.9", "0.8")
    page = (tmp_path / "sweep.html").read_text(encoding="utf-8")
    assert "4 jobs, 1 failed." in page
    assert "dd: failed: <bdi>&lt;too deep&gt;</bdi>" in page
    assert page.count("<svg") == 2
    assert page.count("encoder=b") == 2


def test_no_column_is_squeezed_out_of_a_narrow_terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    keys = ("encoder", "optim.weight_decay", "preprocess.window_sec")
    for place in range(2):
        write_job(tmp_path / f"job-{place}", place, [f"{key}={place}.125" for key in keys], score=0.5)
    print_sweep(write_sweep(tmp_path, "avpipe train -m ..."))
    said = capsys.readouterr().out
    assert all(text in said for text in (*keys, "job-1", "1.125"))


def test_a_table_of_nothing_is_a_table(tmp_path):
    write_sweep(tmp_path, "avpipe train -m")
    assert told(tmp_path)["jobs"] == []
    assert "<html" in (tmp_path / "sweep.html").read_text(encoding="utf-8")


def test_less_is_better_of_an_error_rate():
    rows = [
        {"name": name, "overrides": {"x": "1", "y": name}, "validation": value, "less_is_better": True}
        for name, value in (("a", 0.2), ("b", 0.1))
    ]
    assert best_by_axis(rows, {"x": ["1"]})["x"]["1"]["name"] == "b"
    assert axes_of(rows) == {"y": ["a", "b"]}


# Jobs


def test_a_job_that_is_refused_stands_in_the_table(root, tmp_path):
    status, said, _ = sweep(root, tmp_path / "run", "optim.lr=-1")
    assert status == 1
    (job,) = told(tmp_path / "run")["jobs"]
    assert (job["status"], job["metrics"]) == ("failed", {})
    assert job["reason"] == "optim.lr=-1: must be positive"
    assert "failed: optim.lr=-1: must be positive" in said


def test_a_folder_of_a_training_is_no_folder_for_a_sweep(root, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    status, _, said = sweep(root, tmp_path / "run", "seed=1,2")
    assert (status, "holds a training and no sweep" in one_line(said)) == (2, True)


@pytest.fixture(scope="module")
def swept(root, tmp_path_factory):
    """A sweep one of whose jobs crashes, and one of which is refused."""
    run_dir = tmp_path_factory.mktemp("swept") / "run"
    (run_dir.parent / "sitecustomize.py").write_text(CRASH)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(run_dir.parent), os.environ.get("PYTHONPATH", "")]))
        status, _, _ = sweep(root, run_dir, "optim.lr=1e-3,0.5,-1,1e-2")
    return run_dir, status


@pytest.mark.slow
def test_a_crash_is_a_row_and_the_rest_goes_on(swept):
    run_dir, status = swept
    assert status == 1
    jobs = told(run_dir)["jobs"]
    assert [job["overrides"]["optim.lr"] for job in jobs] == ["0.001", "0.5", "-1", "0.01"]
    assert [job["status"] for job in jobs] == ["done", "failed", "failed", "done"]
    assert jobs[1]["reason"] == "killed by signal 9"
    assert jobs[0]["cost"]["multiply_adds"] > 10_000 < jobs[0]["cost"]["parameters"] * 100
    assert jobs[0]["cost"]["windows_per_sec"] > 0
    assert "optim.lr=0.001" in (run_dir / jobs[0]["name"] / "bundle" / "card.md").read_text()


@pytest.mark.slow
def test_the_same_command_runs_only_what_is_not_done(swept, root):
    run_dir, _ = swept
    before = {path: path.stat().st_mtime_ns for path in run_dir.glob("*/metrics.json")}
    status, said, _ = sweep(root, run_dir, "optim.lr=1e-3,0.5,-1,1e-2")
    assert status == 1
    assert said.count("job ") == 3  # two that failed, and the table's heading
    jobs = told(run_dir)["jobs"]
    assert [job["status"] for job in jobs] == ["done", "done", "failed", "done"]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert sweep(root, run_dir, "optim.lr=1e-3,0.5,1e-2")[0] == 1  # the one that failed still stands in the table


# Killed


def test_a_job_forks_while_it_waits_for_its_sweep_to_end():
    code = (
        "import multiprocessing, threading, time\n"
        "from avpipe.cli.sweep import _end_with_the_sweep\n"
        "threading.Thread(target=_end_with_the_sweep, daemon=True).start()\n"
        "time.sleep(0.2)\n"
        "process = multiprocessing.get_context('fork').Process(target=print, args=('forked',))\n"
        "process.start()\n"
        "process.join(20)\n"
        "process.kill()\n"
        "print('forked', process.exitcode, flush=True)\n"
        "time.sleep(60)\n"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True) as job:
        assert [job.stdout.readline() for _ in range(2)] == ["forked\n", "forked 0\n"]
        job.stdin.close()
        assert job.wait(20) == 143


def start(root, run_dir):
    arguments = [*QUICK, f"corpus.root={root}", f"run_dir={run_dir}", "optim.lr=1e-3,1e-2", "trainer.max_epochs=3"]
    return subprocess.Popen(
        [sys.executable, "-m", "avpipe", "train", "-m", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def results(run_dir):
    return {
        path.relative_to(run_dir).as_posix(): path.read_bytes()
        for name in ("bundle/model.safetensors", "history.csv", "answers.csv", "metrics.json")
        for path in run_dir.glob(f"*/{name}")
    }


@pytest.mark.slow
def test_a_sweep_that_is_killed_at_five_moments_ends_as_one_that_was_not(root, tmp_path):
    began = time.monotonic()
    whole = start(root, tmp_path / "whole")
    said, _ = whole.communicate(timeout=600)
    assert whole.returncode == 0, said.decode()
    whole_sec = time.monotonic() - began
    draw, kills = random.Random(20261126), 0
    while kills < 5:
        process = start(root, tmp_path / "run")
        try:
            process.wait(draw.uniform(0.2, 0.7) * whole_sec)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += 1
    last = start(root, tmp_path / "run")
    said, _ = last.communicate(timeout=600)
    assert last.returncode == 0, said.decode()
    assert results(tmp_path / "run") == results(tmp_path / "whole")
    assert len(results(tmp_path / "run")) == 8


# Extras


@pytest.mark.slow
def test_optuna_asks_again_for_what_it_asked_for_before(root, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    asked = ("sweep=optuna", "hydra.sweeper.n_trials=3", "optim.lr=tag(log,interval(1e-4,1e-1))")
    status, said = sweep_apart(root, tmp_path / "run", *asked)
    assert status == 0, said
    jobs = told(tmp_path / "run")["jobs"]
    rates = [float(job["overrides"]["optim.lr"]) for job in jobs]
    assert len(set(rates)) == 3
    assert all(1e-4 <= rate <= 1e-1 for rate in rates)
    assert "sweep" not in jobs[0]["overrides"]
    status, said = sweep_apart(root, tmp_path / "run", *asked)
    assert (status, "epoch 1" in said) == (0, False)
    assert told(tmp_path / "run")["jobs"] == jobs


@pytest.mark.slow
def test_joblib_runs_jobs_beside_one_another(root, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    arguments = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "optim.lr=1e-3,1e-2,-1")
    status, said = sweep_apart(root, tmp_path / "run", *arguments)
    assert status == 1, said
    assert sorted(job["status"] for job in told(tmp_path / "run")["jobs"]) == ["done", "done", "failed"]
    assert all(job.is_done for job in SweepJob.all_in(tmp_path / "run") if job.status == "done")
