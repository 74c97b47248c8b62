"""engine=ray: a cluster's answers are those of this machine, whatever is lost of it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from avpipe.errors import ArgumentError
from avpipe.media import write_audio
from tests.cli.test_commands import avpipe, one_line
from tests.synthetic import tone, write_text_named_wav
from tests.tiny import save_tiny_bundle

ray = pytest.importorskip("ray")
parquet = pytest.importorskip("pyarrow.parquet")
RAY = [str(Path(sys.executable).with_name("ray")), "start", "--block", "--num-cpus=1", "--disable-usage-stats"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return save_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tones")


def write_media(folder, number):
    folder.mkdir()
    for place in range(number):
        write_audio(folder / f"{place:03}.wav", tone(0.5 + place % 3, 300.0 + 10 * place), 16_000)
    write_text_named_wav(folder / "broken.wav")
    return folder


def command(bundle, media, output, *more):
    return (
        "predict", f"bundle={bundle}", f"input={media}", f"output={output}", "device=cpu", "format=[jsonl,csv,parquet]",
        *more,
    )  # fmt: skip


def apart(environment, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "avpipe", *map(str, arguments)], env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finish(process):
    """One file cannot be read; all others are answered."""
    said, _ = process.communicate()
    assert process.returncode == 1, said


@contextmanager
def nodes(tmp_path, count):
    """The processes of a cluster on this machine, and the environment in which it is found."""
    with socket.socket() as taken:
        taken.bind(("", 0))
        port = taken.getsockname()[1]
    address = f"127.0.0.1:{port}"
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "RAY_AUTH_MODE": "disabled", "RAY_worker_niceness": "0"}
    starts = [["--head", f"--port={port}", "--include-dashboard=false"], *[[f"--address={address}"]] * (count - 1)]
    running = []
    try:
        for place, start in enumerate(starts):
            with (tmp_path / f"node-{place}.log").open("w") as log:
                running.append(
                    subprocess.Popen([*RAY, *start], env=environment, stdout=log, stderr=log, start_new_session=True)
                )
            wait_for(address)
        yield running, {**environment, "RAY_ADDRESS": address}
    finally:
        for node in reversed(running):
            end(node)


def wait_for(address, seconds=60.0):
    host, _, port = address.rpartition(":")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            socket.create_connection((host, int(port)), timeout=1.0).close()
            return
        except OSError:
            time.sleep(0.5)
    raise TimeoutError(address)


def end(node):
    if node.poll() is None:
        os.killpg(node.pid, signal.SIGKILL)
        node.wait()


def num_answered(output):
    import sqlite3

    journal = output / "journal.sqlite"
    if not journal.is_file():
        return 0
    try:
        with sqlite3.connect(journal) as connection:
            return connection.execute("SELECT count(*) FROM answer").fetchone()[0]
    except sqlite3.OperationalError:  # not made yet
        return 0


def parts(output):
    """The rows of a folder of parts."""
    folder = output / "predictions.parquet"
    assert [path.name for path in folder.iterdir()] == ["part-00000.parquet"]
    return parquet.read_table(folder)


@pytest.mark.slow
def test_two_machines_answer_as_one_and_losing_one_loses_no_file(bundle, tmp_path):
    media = write_media(tmp_path / "media", 240)
    local = apart(os.environ, *command(bundle, media, tmp_path / "local"))
    finish(local)
    with nodes(tmp_path, 2) as (running, environment):
        whole = apart(environment, *command(bundle, media, tmp_path / "whole", "engine=ray"))
        finish(whole)
        lossy = apart(environment, *command(bundle, media, tmp_path / "lossy", "engine=ray"))
        while lossy.poll() is None and not num_answered(tmp_path / "lossy"):
            time.sleep(0.05)
        assert num_answered(tmp_path / "lossy") < 241
        end(running[1])
        finish(lossy)
    expected = (tmp_path / "local" / "predictions.jsonl").read_bytes()
    assert len(expected.splitlines()) == 241
    for name in ("whole", "lossy"):
        assert (tmp_path / name / "predictions.jsonl").read_bytes() == expected
        assert parts(tmp_path / name).equals(parquet.read_table(tmp_path / "local" / "predictions.parquet"))
        assert json.loads((tmp_path / name / "summary.json").read_text())["statuses"] == {"error": 1, "ok": 240}


@pytest.mark.slow
def test_a_run_by_either_engine_goes_on_where_the_other_stopped(bundle, tmp_path):
    media = write_media(tmp_path / "media", 6)
    first = apart(os.environ, *command(bundle, media, tmp_path / "out", "engine=ray"))
    finish(first)
    write_audio(media / "late.wav", tone(0.5, 440.0), 16_000)
    status, said, told = avpipe(*command(bundle, media, tmp_path / "out"))
    assert status == 1, told
    assert "7 ok" in said
    assert num_answered(tmp_path / "out") == 8
    told = parquet.read_table(tmp_path / "out" / "predictions.parquet")
    assert len(told) == 8
    write_audio(media / "later.wav", tone(0.5, 550.0), 16_000)
    finish(apart(os.environ, *command(bundle, media, tmp_path / "out", "engine=ray")))
    resumed = parts(tmp_path / "out")
    assert sorted(resumed["path"].to_pylist()) == sorted([*told["path"].to_pylist(), "later.wav"])


def test_a_cluster_that_is_not_there_is_one_line(bundle, tmp_path, monkeypatch):
    media = write_media(tmp_path / "media", 1)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    status, _, told = avpipe(*command(bundle, media, tmp_path / "out", "engine=ray"))
    assert status == 2
    assert "engine=ray: no cluster answers at 127.0.0.1:1" in one_line(told)


def test_an_engine_that_there_is_not_is_one_line(bundle, tmp_path):
    media = write_media(tmp_path / "media", 1)
    status, _, told = avpipe(*command(bundle, media, tmp_path / "out", "engine=spark"))
    assert (status, "engine=spark: no such engine; choose from: local, ray" in one_line(told)) == (2, True)


def test_without_ray_it_is_one_line(bundle, monkeypatch):
    from avpipe.bundle import load_bundle
    from avpipe.inference import Predictor
    from avpipe.inference.ray_engine import RayEngine

    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "ray.data", None)
    with pytest.raises(ArgumentError, match="ray is not installed"):
        RayEngine(Predictor([load_bundle(bundle)]))
