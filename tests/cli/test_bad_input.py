"""Folders as they are found: names, links, pipes, files that go, disks that fill. A row or a line, and never a hang."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from avpipe.inference import Job
from avpipe.inference.folder_run import FolderRun
from avpipe.media import write_audio
from tests.cli.test_commands import avpipe, one_line
from tests.report.reading import rows_of
from tests.synthetic import noise, tone
from tests.tiny import save_tiny_bundle

NAMES = (
    "-rf.wav",
    "--help.wav",
    "two\nlines.wav",
    "🎤 ünï.wav",
    "a;b$(c)`d`.wav",
    "'q' \"q\".wav",
    "=,[x].wav",
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return save_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tones")


def write_sound(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_audio(path, noise(1.0, seed=seed) + tone(1.0, 300.0 + 200 * seed), 16000)
    return path


def predict(bundle, given, output, *arguments):
    return avpipe(
        "predict", f"bundle={bundle}", f"input={given}", f"output={output}", "workers=0", "device=cpu", *arguments
    )


def records(output):
    lines = (output / "predictions.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    return {record["path"]: record for record in map(json.loads, lines)}


def test_names_of_all_kinds_are_answered_and_stay_in_the_output(bundle, tmp_path):
    for seed, name in enumerate(NAMES):
        write_sound(tmp_path / "media" / name, seed)
    status, _, told = predict(bundle, tmp_path / "media", tmp_path / "out", "format=[jsonl,csv,audacity]")
    assert status == 0, told
    assert sorted(records(tmp_path / "out")) == sorted(NAMES)
    with (tmp_path / "out" / "predictions.csv").open(encoding="utf-8", newline="") as file:
        assert sorted(row["path"] for row in csv.DictReader(file)) == sorted(NAMES)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["media", "out"]
    rows = rows_of(tmp_path / "out" / "report.html")
    assert {found[0].replace("\n", "\\n") for found, _ in rows} >= {name.replace("\n", "\\n") for name in NAMES}


def test_names_as_arguments(bundle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_sound(tmp_path / "-rf.wav")
    status, _, told = avpipe("predict", f"bundle={bundle}", "./-rf.wav", "out", "workers=0", "device=cpu")
    assert status == 0, told
    status, _, told = avpipe("predict", f"bundle={bundle}", "-rf.wav", "out", "workers=0", "device=cpu")
    assert status == 2
    assert "./-name" in one_line(told)


def test_links_in_loops_and_pipes_in_a_folder_end_nothing(bundle, tmp_path):
    media = tmp_path / "media"
    write_sound(media / "deep" / "a.wav")
    (media / "deep" / "up").symlink_to(media)
    (media / "self.wav").symlink_to(media / "self.wav")
    (media / "nowhere.wav").symlink_to(tmp_path / "nowhere")
    os.mkfifo(media / "pipe.wav")
    status, _, told = predict(bundle, media, tmp_path / "out")
    assert status == 1, told
    found = records(tmp_path / "out")
    assert {name: record["status"] for name, record in found.items()} == {
        "deep/a.wav": "ok", "nowhere.wav": "error", "pipe.wav": "error", "self.wav": "error",
    }  # fmt: skip


def test_a_list_of_what_is_no_file_is_a_list_of_errors(bundle, tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "folder").mkdir()
    write_sound(tmp_path / "a.wav")
    (tmp_path / "list.txt").write_text("pipe.wav\nfolder\ngone.wav\n/dev/zero\na.wav\n")
    status, _, told = predict(bundle, tmp_path / "list.txt", tmp_path / "out")
    assert status == 1, told
    found = records(tmp_path / "out")
    assert {name: record["status"] for name, record in found.items()} == {
        "pipe.wav": "error", "folder": "error", "gone.wav": "error", "/dev/zero": "error", "a.wav": "ok",
    }  # fmt: skip
    assert "is no regular file" in found["pipe.wav"]["reason"]


def test_a_folder_that_cannot_be_listed_is_a_row(bundle, tmp_path, monkeypatch):
    write_sound(tmp_path / "media" / "a.wav")
    write_sound(tmp_path / "media" / "closed" / "b.wav")
    listed, may = Path.iterdir, os.access

    def forbidding(folder):
        if folder.name == "closed":
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", forbidding)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "closed" and may(path, mode))
    status, _, told = predict(bundle, tmp_path / "media", tmp_path / "out")
    assert status == 1, told
    found = records(tmp_path / "out")
    assert found["a.wav"]["status"] == "ok"
    assert "cannot be listed" in found["closed"]["reason"]


def test_a_file_that_vanishes_or_changes_meanwhile(bundle, tmp_path, monkeypatch):
    paths = [write_sound(tmp_path / "media" / f"{seed}.wav", seed) for seed in range(3)]
    answer = FolderRun.answer

    def meddling(run, jobs, journal):
        def each():
            for job in jobs:
                if job.name == "1.wav":
                    job.path.unlink()
                yield job

        return answer(run, each(), journal)

    monkeypatch.setattr(FolderRun, "answer", meddling)
    status, _, told = predict(bundle, tmp_path / "media", tmp_path / "out")
    assert status == 1, told
    assert [record["status"] for record in records(tmp_path / "out").values()] == ["ok", "error", "ok"]
    monkeypatch.undo()
    write_sound(paths[1], 7)
    status, said, told = predict(bundle, tmp_path / "media", tmp_path / "out")
    assert status == 0, told
    assert "(2 answered before)" in said


def test_what_changes_while_it_is_read_is_answered_again(tmp_path, bundle):
    from avpipe.inference.journal import Journal
    from avpipe.inference.prediction import Prediction

    path = write_sound(tmp_path / "a.wav")
    job = Job("a.wav", path)
    with Journal(tmp_path / "out", {}) as journal:
        for each in journal.pending([job]):
            write_sound(path, 5)
            journal.add(Prediction(each.name, "ok"))
        assert [each.name for each in journal.pending([job])] == ["a.wav"]


@pytest.fixture
def small_disk(tmp_path):
    """A disk of half a megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this user may mount nothing")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["predict", "denoise"])
def test_a_disk_that_fills_ends_in_a_line_and_the_run_goes_on_when_there_is_room(bundle, tmp_path, small_disk, command):
    media = tmp_path / "media"
    for seed in range(30):
        write_sound(media / f"{seed:02}.wav", seed)
    bundles = [f"bundle={bundle}", "workers=0"] if command == "predict" else ["workers=1"]
    arguments = [sys.executable, "-m", "avpipe", command, str(media), str(small_disk / "out"), "device=cpu", *bundles]
    if command == "predict":
        (small_disk / "filler").write_bytes(b"x" * 400_000)
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    assert any("full" in line or "No space" in line for line in done.stderr.splitlines()), done.stderr
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = (small_disk / "out" / ("predictions.jsonl" if command == "predict" else "denoise.jsonl")).read_text()
    assert rows.count("\n") == 30
    assert not [path for path in (small_disk / "out").rglob("*") if ".part" in path.name]
