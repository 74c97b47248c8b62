"""``plan=true`` tells what there is to do, and writes nothing."""

import os
import subprocess
import sys
import time

import pytest

from avpipe.inference import Job
from avpipe.inference import plan as planning
from avpipe.inference.journal import Answers, Journal, state_of
from avpipe.media import write_audio
from tests.cli.test_commands import avpipe, predict
from tests.synthetic import noise, tone, write_text_named_wav
from tests.tiny import save_tiny_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return save_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tones")


@pytest.fixture
def media(tmp_path):
    """Four sounds of a second, one of two minutes, and one that is none."""
    folder = tmp_path / "media"
    folder.mkdir()
    for index in range(4):
        write_audio(folder / f"{index}.wav", noise(1.0, seed=index) + tone(1.0, 300.0 + 200 * index), 16000)
    write_audio(folder / "long.wav", noise(120.0, seed=9), 16000)
    write_text_named_wav(folder / "text.wav")
    return folder


def plan(bundle, media, output, *arguments):
    """The table of a plan, as the words of its rows by what they tell of."""
    status, said, told = avpipe("predict", f"bundle={bundle}", media, output, "plan=true", "device=cpu", *arguments)
    assert status == 0, told
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in said.splitlines() if "│" in line]
    return dict(rows), said


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("workers", [0, 1])
def test_a_plan_counts_and_writes_nothing(bundle, media, tmp_path, workers):
    rows, said = plan(bundle, media, tmp_path / "out", f"workers={workers}")
    assert (rows["files"], rows["answered before"], rows["cannot be read"]) == ("6", "0", "1")
    assert rows["to answer"] == "5 (5 wav)"
    assert rows["length"] == "2.1 min"
    assert rows["by a sample of"].startswith("5 files, 34.0 s of media")
    assert "text.wav: is not media" in said
    assert not (tmp_path / "out").exists()


def test_what_is_answered_is_told_apart(bundle, media, tmp_path):
    output = tmp_path / "out"
    predict(bundle, media / "long.wav", output)
    avpipe("predict", f"bundle={bundle}", media, output, "workers=0")
    before = contents(output)
    (media / "3.wav").rename(media / "4.wav")
    os.utime(media / "2.wav")
    write_audio(media / "1.wav", noise(3.0, seed=77), 16000)
    rows, _ = plan(bundle, media, output, "workers=0")
    assert (rows["files"], rows["answered before"], rows["to answer"]) == ("6", "5", "1 (1 wav)")
    assert rows["length"] == "3.0 s"
    assert contents(output) == before
    assert plan(bundle, media, output, "workers=0", "batch_size=4")[0]["answered before"] == "0"


def test_a_plan_beside_a_run_sees_what_it_has_entered(bundle, media, tmp_path):
    jobs = [Job(path.name, path) for path in sorted(media.glob("?.wav"))]
    with Journal(tmp_path, {}) as journal, Answers(tmp_path, {}) as answers:
        journal._enter(jobs[0].name, state_of(jobs[0].path), "", {})
        with Answers(tmp_path, {}) as late:
            assert [late.stands(job) for job in jobs] == [True, False, False, False]
        assert not answers.stands(jobs[1])


def test_lengths_that_no_header_tells_are_reckoned_by_size(tmp_path):
    jobs = [Job(name, tmp_path / name) for name in ("a.ts", "b.ts", "c.wav", "d.mp3")]
    looked = [planning.Looked(100, 10.0), planning.Looked(300), planning.Looked(50, 1.0), planning.Looked(150)]
    lengths = planning._lengths_sec(dict(zip(jobs, looked, strict=True)))
    assert [*lengths.values()] == pytest.approx([10.0, 30.0, 1.0, 11.0])


def test_a_header_that_tells_of_ages_is_not_believed(media):
    with (media / "0.wav").open("r+b") as file:
        file.seek(24)
        file.write((1).to_bytes(4, "little") * 2)  # one sample a second
    assert planning.look_at(Job("0.wav", media / "0.wav")).seconds is None


def test_the_time_of_a_plan_has_its_start_and_all_seconds():
    sampled = planning.Plan(num_files=9, num_answered=0, seconds=60.0, sampled_sec=20.0, took_sec=4.0, start_sec=5.0)
    assert sampled.needed_sec == 17.0
    assert planning.Plan(num_files=0, num_answered=0, start_sec=5.0).needed_sec is None


@pytest.mark.skipif(sys.platform != "linux", reason="told by Linux")
def test_the_age_of_a_process_is_told():
    began = time.monotonic()
    code = "from avpipe.progress import age_of_process_sec; import time; time.sleep(0.2); print(age_of_process_sec())"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert 0.2 <= float(said) <= time.monotonic() - began + 0.02  # told in hundredths


def test_nothing_to_answer_needs_no_sample(bundle, media, tmp_path):
    predict(bundle, media / "0.wav", tmp_path / "out")
    rows, _ = plan(bundle, media / "0.wav", tmp_path / "out", "workers=0")
    assert rows["to answer"] == "0"
    assert "time, about" not in rows
