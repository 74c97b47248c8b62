"""Folders whose cleaning is killed, at any moment, and goes on; recordings of hours. Slow."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile

from avpipe.media import write_audio
from tests.conftest import ROOT
from tests.gate import words
from tests.synthetic import noise, write_coloured_video, write_text_named_wav

pytestmark = pytest.mark.slow

COMMAND = """
import resource, sys
sys.path.insert(0, {root!r})
from avpipe.inference import denoise
from tests.gate import Gate
denoise.load_denoiser = lambda bundle, settings, device, runtime: (Gate(), "gate")
from avpipe.__main__ import main
sys.argv = ["avpipe", "denoise", *sys.argv[1:]]
try:
    main()
finally:
    print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, file=sys.stderr)
"""


def command(*arguments):
    return [sys.executable, "-c", COMMAND.format(root=str(ROOT)), *map(str, arguments)]


def contents(folder):
    """Hashes of all that a run writes, without the journal and the page, which names the folders."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "report.html" and not path.name.startswith(".avpipe")
    }


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    for index in range(12):
        suffix = (".wav", ".flac", ".mp3", ".mka", ".opus", ".m4a")[index % 6]
        path = folder / f"{index % 3}" / f"{index:02}{suffix}"
        path.parent.mkdir(exist_ok=True)
        write_audio(path, words(8.0, 48000, seed=index), 48000)
    write_text_named_wav(folder / "text.wav")
    write_coloured_video(folder / "film.mkv", 50, waveform=noise(2.0))
    return folder


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_killed_at_random_moments_ends_as_one_that_never_was(recordings, tmp_path, workers):
    began = time.monotonic()
    whole = subprocess.run(command(recordings, tmp_path / "whole", f"workers={workers}"), capture_output=True)
    assert whole.returncode == 1, whole.stderr.decode()
    whole_sec = time.monotonic() - began
    draw, kills = random.Random(20261122), 0
    for _ in range(6):
        process = subprocess.Popen(
            command(recordings, tmp_path / "killed", f"workers={workers}"), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            process.wait(draw.uniform(0.1, 0.6) * whole_sec)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    assert kills
    done = subprocess.run(command(recordings, tmp_path / "killed", f"workers={workers}"), capture_output=True)
    assert done.returncode == 1, done.stderr.decode()
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    assert (
        sum(
            name.endswith((".wav", ".flac", ".mp3", ".mka", ".mkv", ".opus", ".m4a"))
            for name in contents(tmp_path / "whole")
        )
        == 13
    )


def test_memory_is_flat_from_a_minute_to_two_hours(tmp_path):
    peaks = []
    minute = (2000 * np.random.default_rng(0).standard_normal(60 * 16000)).astype(np.int16)
    for name, minutes in (("short", 1), ("long", 120)):
        with soundfile.SoundFile(tmp_path / f"{name}.wav", "w", 16000, 1, "PCM_16") as file:
            for _ in range(minutes):
                file.write(minute)
        done = subprocess.run(command(tmp_path / f"{name}.wav", tmp_path / f"{name}_out.wav"), capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        assert soundfile.info(tmp_path / f"{name}_out.wav").frames == minutes * 60 * 16000
        peaks.append(float(done.stderr.decode().rsplit("peak ", 1)[1]))
        os.unlink(tmp_path / f"{name}_out.wav")
    assert peaks[1] - peaks[0] < 20.0, peaks
