"""Runs that are killed and go on; files of hours. Slow."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
import wave
from pathlib import Path

import numpy as np
import pytest

from avpipe.media import write_audio
from tests.synthetic import noise, tone, write_text_named_wav
from tests.tiny import save_tiny_bundle

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return save_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tones")


def command(bundle, media, output, *more):
    return [sys.executable, "-m", "avpipe", "predict", f"bundle={bundle}", str(media), str(output), *more]


def count_answers(output):
    try:
        with sqlite3.connect(f"file:{output / 'journal.sqlite'}?mode=ro", uri=True) as connection:
            (count,) = connection.execute("SELECT count(*) FROM answer").fetchone()
        connection.close()
    except sqlite3.Error:
        return 0
    return count


def test_a_run_killed_five_times_ends_as_one_that_never_was(bundle, tmp_path):
    media = tmp_path / "media"
    media.mkdir()
    for index in range(400):
        write_audio(media / f"{index:03}.wav", noise(2.5, seed=index) + tone(2.5, 200.0 + 17 * index), 16000)
    write_text_named_wav(media / "text.wav")
    assert subprocess.run(command(bundle, media, tmp_path / "whole"), capture_output=True).returncode == 1
    killed = tmp_path / "killed"
    kept = 0
    for aim in (10, 60, 130, 220, 330):
        with subprocess.Popen(command(bundle, media, killed, "workers=1"), stdout=subprocess.DEVNULL) as process:
            while count_answers(killed) < aim:
                assert process.poll() is None
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
        assert not (killed / "predictions.jsonl").exists()
        assert kept < count_answers(killed) < 401
        kept = count_answers(killed)
    assert subprocess.run(command(bundle, media, killed), capture_output=True).returncode == 1
    for name in ("predictions.jsonl", "predictions.csv", "summary.json"):
        assert (killed / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def write_long_wav(path: Path, seconds: int) -> Path:
    minute = (3000 * np.random.default_rng(0).standard_normal(60 * 8000)).astype("<i2").tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        for _ in range(seconds // 60):
            file.writeframes(minute)
    return path


def peak_mb(arguments):
    """Greatest resident memory of a command and of its workers together, in MB."""
    code = (
        "import resource, runpy, sys\n"
        "try:\n"
        "    runpy.run_module('avpipe', run_name='__main__', alter_sys=True)\n"
        "finally:\n"
        "    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]\n"
        "    print(sum(peaks) / 1024, file=sys.stderr)\n"
    )
    said = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    return float(said.stderr.splitlines()[-1])


@pytest.mark.parametrize("workers", [0, 1])
def test_memory_is_flat_from_a_minute_to_three_hours(bundle, tmp_path, workers):
    peaks = []
    for name, seconds in (("minute", 60), ("hours", 3 * 3600)):
        media = tmp_path / name
        media.mkdir()
        write_long_wav(media / "one.wav", seconds)
        write_long_wav(media / "two.wav", 60)  # a single file would need no worker
        peaks.append(peak_mb(command(bundle, media, tmp_path / f"{name}-out", f"workers={workers}")[3:]))
    lines = (tmp_path / "hours-out" / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    record = json.loads(lines[0])
    assert record["coverage"]["decoded_sec"] == 3 * 3600
    assert len(record["tasks"]["tones"]["windows"]) == 2 * 3 * 3600 - 1
    print("peak MB", peaks)
    assert peaks[1] - peaks[0] < 60.0, peaks
