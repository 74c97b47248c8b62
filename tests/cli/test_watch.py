"""``watch=true`` answers files as they come, and ends with everything written."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, nullcontext

import pytest

from avpipe.errors import ArgumentError
from avpipe.inference.folder_run import FolderRun
from avpipe.inference.watch import Interruption, Watch, watch_folder
from avpipe.media import write_audio
from tests.synthetic import noise, tone, write_text_named_wav
from tests.tiny import save_tiny_bundle


@pytest.fixture
def folder(tmp_path):
    media = tmp_path / "media"
    media.mkdir()
    return media


def write_sound(folder, index):
    path = folder / f"{index}.wav"
    write_audio(path, noise(1.0, seed=index) + tone(1.0, 300.0 + 200 * index), 16000)
    return path


def names(jobs):
    return [job.name for job in jobs]


def test_a_file_is_taken_when_it_no_longer_grows(folder):
    old, fresh = write_sound(folder, 0), write_sound(folder, 1)
    os.utime(old, (1, 1))
    watch = Watch(folder, 0.3)
    assert names(watch.look()) == ["0.wav"]
    for _ in range(3):
        time.sleep(0.2)
        with fresh.open("ab") as file:
            file.write(b"more")
        assert names(watch.look()) == ["0.wav"]
    time.sleep(0.31)
    jobs = watch.look()
    assert names(jobs) == ["0.wav", "1.wav"]
    watch.done_with(jobs)
    assert watch.look() == []
    with fresh.open("ab") as file:
        file.write(b"more")
    old.unlink()
    assert watch.look() == []
    time.sleep(0.31)
    assert names(watch.look()) == ["1.wav"]
    assert names(watch.found) == ["0.wav", "1.wav"]


def test_what_is_no_folder_is_refused(folder):
    with pytest.raises(ArgumentError, match="is no folder"):
        Watch(write_sound(folder, 0), 1.0)
    with pytest.raises(ArgumentError, match="settle_sec=-1"):
        Watch(folder, -1.0)


def test_the_first_interruption_is_noted_and_the_second_raised():
    before = signal.getsignal(signal.SIGTERM)
    with Interruption() as interrupted:
        assert [*interrupted.until("ab")] == ["a", "b"]
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupted
        assert [*interrupted.until("ab")] == []
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before


class OneOfTwo(FolderRun):
    """A run beside another, which answers a file after our last look; then both are interrupted."""

    def __init__(self, folder):
        object.__setattr__(self, "root", folder)

    def journal(self):
        return nullcontext(self)

    def elsewhere(self):
        return []

    def answer(self, jobs, journal):
        write_sound(self.root, 1)
        signal.raise_signal(signal.SIGINT)
        return 0

    def write(self, jobs, journal):
        return {"names": names(jobs)}


def test_what_others_answered_last_is_written_at_the_end(folder):
    write_sound(folder, 0)
    assert watch_folder(OneOfTwo(folder), Watch(folder, 0.0)) == ({"names": ["0.wav", "1.wav"]}, 0)


@contextmanager
def watching(bundle, folder, output, number=1):
    """So many processes of the command, in a process group of their own; interrupted at the end as a terminal does."""
    command = [
        sys.executable, "-m", "avpipe", "predict", f"bundle={bundle}", folder, output, "watch=true", "settle_sec=0.2",
        "workers=1", "device=cpu",
    ]  # fmt: skip
    processes = [
        subprocess.Popen([*map(str, command)], stdout=-1, stderr=-1, text=True, start_new_session=True)
        for _ in range(number)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def records(output):
    path = output / "predictions.jsonl"
    if not path.exists():
        return {}
    return {record["path"]: record for record in map(json.loads, path.read_text(encoding="utf-8").splitlines())}


def wait_until(told):
    for _ in range(1200):
        if told():
            return
        time.sleep(0.1)
    raise AssertionError("it never came")


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2])
def test_a_growing_folder_is_answered_until_it_is_interrupted(folder, tmp_path, number):
    bundle, output = save_tiny_bundle(tmp_path / "tones"), tmp_path / "out"
    with watching(bundle, folder, output, number) as processes:
        wait_until(lambda: (output / "predictions.jsonl").exists())  # there is a page before there is a file
        for index in range(4):
            write_sound(folder, index)
        wait_until(lambda: len(records(output)) == 4)
        write_text_named_wav(folder / "text.wav")
        for index in range(4, 12):
            write_sound(folder, index)
        wait_until(lambda: len(records(output)) == 13)
        write_sound(folder, 12)
        for process in processes:
            os.killpg(process.pid, signal.SIGINT)
        for process in processes:
            said, told = process.communicate(timeout=60)
            assert process.returncode == 1, told
            assert "Traceback" not in told
            assert "13 files" in said or "14 files" in said
    found = records(output)
    assert {name for name, record in found.items() if record["status"] == "error"} == {"text.wav"}
    assert json.loads((output / "summary.json").read_text())["num_files"] == len(found)
    assert (output / "report.html").is_file()
