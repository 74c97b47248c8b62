"""A journal holds answers for a content, bundles and settings; it survives being killed."""

import multiprocessing
import os
import sqlite3

import pytest

from avpipe.errors import RunStopped
from avpipe.inference import Job, Prediction
from avpipe.inference.journal import Journal


@pytest.fixture
def jobs(tmp_path):
    for name in ("a.wav", "b.wav", "c.wav"):
        (tmp_path / name).write_text(name)
    return [Job(name, tmp_path / name) for name in ("a.wav", "b.wav", "c.wav")]


def answer_all(folder, jobs, settings=None):
    """The names that had to be answered."""
    with Journal(folder, settings or {"bundle": "x"}) as journal:
        names = []
        for job in journal.pending(jobs):
            journal.add(Prediction(job.name, "ok"))
            names.append(job.name)
        assert [record["path"] for record in journal.records(jobs)] == [job.name for job in jobs]
        return names


def test_what_is_answered_is_not_answered_again(tmp_path, jobs):
    out = tmp_path / "out"
    assert answer_all(out, jobs) == ["a.wav", "b.wav", "c.wav"]
    assert answer_all(out, jobs) == []


def test_changed_content_is_answered_again_also_with_the_old_size_and_date(tmp_path, jobs):
    out = tmp_path / "out"
    answer_all(out, jobs)
    before = jobs[1].path.stat()
    jobs[1].path.write_text("B.wav")
    os.utime(jobs[1].path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert answer_all(out, jobs) == ["b.wav"]


def test_a_touched_file_of_the_same_content_is_not(tmp_path, jobs):
    out = tmp_path / "out"
    answer_all(out, jobs)
    os.utime(jobs[1].path, ns=(1, 1))
    assert answer_all(out, jobs) == []


def test_other_settings_answer_all_again(tmp_path, jobs):
    out = tmp_path / "out"
    answer_all(out, jobs)
    assert len(answer_all(out, jobs, {"bundle": "y"})) == 3


def test_a_renamed_file_is_known_by_its_content(tmp_path, jobs):
    out = tmp_path / "out"
    answer_all(out, jobs)
    moved = Job("elsewhere/B.wav", jobs[1].path.rename(tmp_path / "B.wav"))
    assert answer_all(out, [jobs[0], moved, jobs[2]]) == []


def test_a_content_whose_answer_tells_its_name_is_answered_under_each(tmp_path, jobs):
    jobs[1].path.write_bytes(jobs[0].path.read_bytes())
    with Journal(tmp_path / "out", {}) as journal:
        for job in journal.pending(jobs[:1]):
            journal.add(Prediction(job.name, "error", f"{job.path}: is not media"))
        assert [job.name for job in journal.pending(jobs[:2])] == ["b.wav"]


def test_a_copy_of_another_suffix_is_answered_anew(tmp_path, jobs):
    answer_all(tmp_path / "out", jobs)
    copy = tmp_path / "a.raw"
    copy.write_bytes(jobs[0].path.read_bytes())
    assert answer_all(tmp_path / "out", [Job("a.raw", copy)]) == ["a.raw"]


def test_what_another_run_has_in_hand_is_left_to_it(tmp_path, jobs):
    out = tmp_path / "out"
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def other():
        with Journal(out, {"bundle": "x"}) as journal:
            job = next(journal.pending(jobs[1:2]))
            theirs.send("taken")
            theirs.recv()
            journal.add(Prediction(job.name, "ok", "by the other"))

    process = context.Process(target=other, daemon=True)
    process.start()
    assert ours.recv() == "taken"
    with Journal(out, {"bundle": "x"}) as journal:
        for job in journal.pending(jobs):
            journal.add(Prediction(job.name, "ok"))
        assert [job.name for job in journal.elsewhere()] == ["b.wav"]
        assert list(journal.pending(jobs[1:2])) == []
        ours.send("go on")
        process.join()
        assert journal.elsewhere() == jobs[1:2]
        assert list(journal.pending(jobs)) == []
        assert journal.elsewhere() == []
        assert [record["reason"] for record in journal.records(jobs)] == ["", "by the other", ""]


def test_what_a_dead_run_had_in_hand_is_taken_over(tmp_path, jobs):
    out = tmp_path / "out"

    def other():
        next(Journal(out, {"bundle": "x"}).pending(jobs))
        os._exit(9)

    process = multiprocessing.get_context("fork").Process(target=other)
    process.start()
    process.join()
    assert answer_all(out, jobs) == ["a.wav", "b.wav", "c.wav"]


def test_a_stopped_run_keeps_what_it_had(tmp_path, jobs):
    journal = Journal(tmp_path / "out", {"bundle": "x"})
    pending = journal.pending(jobs)
    journal.add(Prediction(next(pending).name, "ok"))
    next(pending)  # begun and never answered; nothing is closed either
    assert answer_all(tmp_path / "out", jobs) == ["b.wav", "c.wav"]


def test_a_journal_of_another_version_is_refused(tmp_path, jobs):
    answer_all(tmp_path / "out", jobs)
    with sqlite3.connect(tmp_path / "out" / "journal.sqlite") as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    with pytest.raises(RunStopped, match="version 7"):
        Journal(tmp_path / "out", {})


def test_a_file_that_is_no_journal_is_one_line(tmp_path):
    (tmp_path / "journal.sqlite").write_text("nonsense " * 1000)
    with pytest.raises(RunStopped, match=r"journal.sqlite: .*; name another output folder, or remove this file"):
        Journal(tmp_path, {})


def test_a_missing_file_is_asked_for_each_time(tmp_path, jobs):
    out = tmp_path / "out"
    jobs[0].path.unlink()
    answer_all(out, jobs)
    assert answer_all(out, jobs) == ["a.wav"]
