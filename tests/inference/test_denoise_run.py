"""Files through a filter: what is written, what the rows say, what is done again."""

import errno
import json
import os
import time

import numpy as np
import pytest

from avpipe.errors import RunStopped
from avpipe.inference.denoise import (
    Cleaner,
    DenoiseSettings,
    OutputJournal,
    clean_file,
    clean_files,
    cleaning,
    find_jobs,
)
from avpipe.media import read_clip, write_audio
from avpipe.progress import SoundProgress
from tests.gate import Gate, words
from tests.synthetic import truncate, write_coloured_video, write_text_named_wav

RATE_HZ = 16000


def write(path, sound, rate_hz=RATE_HZ):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_audio(path, sound, rate_hz, subtype="FLOAT" if path.suffix == ".wav" else "PCM_16")
    return path


@pytest.fixture
def recordings(tmp_path):
    folder = tmp_path / "recordings"
    for index, name in enumerate(("a/x.wav", "b/x.wav", "y.flac")):
        write(folder / name, words(1.5, seed=index))
    return folder


def run(recordings, output, *, overwrite=False, workers=0, denoiser=None, told=None, **settings):
    """(names that were done, records) of a run over a folder."""
    asked = DenoiseSettings(**settings)
    jobs = find_jobs(recordings, output)
    done = []

    class Counted(Cleaner):
        def __call__(self, job, part, tell=print):
            done.append(job.name)
            return super().__call__(job, part, tell)

    with OutputJournal(output, told or {"strength": asked.strength}) as journal:
        cleaner = Counted(denoiser or Gate(), asked)
        clean_files(jobs, journal, cleaner, workers, overwrite, SoundProgress(len(jobs)))
        return done, list(journal.records(jobs))


def one(source, target, denoiser=None, overwrite=False, **settings):
    cleaner = Cleaner(denoiser or Gate(), DenoiseSettings(**settings))
    (job,) = find_jobs(source, target)
    return clean_file(job, cleaner, overwrite, SoundProgress(1))


def sound_of(path):
    return read_clip(path).waveform


def test_a_file_is_cleaned_and_measured(tmp_path):
    source = write(tmp_path / "in.wav", words(3.0))
    row = one(source, tmp_path / "out.wav")
    assert (row.status, row.action) == ("ok", "cleaned")
    record = row.to_record()
    assert json.loads(json.dumps(record)) == record
    assert record["snr_before_db"] == pytest.approx(20.0, abs=1.0)
    assert record["snr_after_db"] == pytest.approx(40.0, abs=1.5)
    assert record["level_change_db"] == pytest.approx(0.0, abs=0.1)
    assert record["duration_sec"] == 3.0
    before, after = sound_of(source), sound_of(tmp_path / "out.wav")
    assert before.shape == after.shape
    assert np.array_equal(before[:, 1024:4096], after[:, 1024:4096])
    assert os.listdir(tmp_path) == ["in.wav", "out.wav"] or sorted(os.listdir(tmp_path)) == ["in.wav", "out.wav"]


def test_an_existing_file_stays_unless_it_may_go(tmp_path):
    source = write(tmp_path / "in.wav", words(1.0))
    (tmp_path / "out.wav").write_text("mine")
    row = one(source, tmp_path / "out.wav")
    assert row.status == "error"
    assert "overwrite=true" in row.reason
    assert (tmp_path / "out.wav").read_text() == "mine"
    assert one(source, tmp_path / "out.wav", overwrite=True).status == "ok"
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "folder.wav" / "in.wav").mkdir()
    assert "is a folder" in one(source, tmp_path / "folder.wav", overwrite=True).reason


def test_nothing_to_change_is_a_copy_without_any_filter(tmp_path):
    source = write(tmp_path / "in.wav", words(1.0))
    cleaner = Cleaner(None, DenoiseSettings(strength=0.0))
    (job,) = find_jobs(source, tmp_path / "out.wav")
    row = clean_file(job, cleaner, False, SoundProgress(1))
    assert (row.status, row.action) == ("ok", "copied")
    assert (tmp_path / "out.wav").read_bytes() == source.read_bytes()


def test_a_clean_file_passes_unchanged_unless_all_are_wanted(tmp_path):
    source = write(tmp_path / "in.wav", words(3.0, noise=1e-4))
    row = one(source, tmp_path / "out.wav")
    assert row.action == "passed unchanged"
    record = row.to_record()
    assert record["snr_before_db"] == record["snr_after_db"] > 55
    assert (record["level_change_db"], record["removed_db"]) == (0.0, None)
    assert (tmp_path / "out.wav").read_bytes() == source.read_bytes()
    assert one(source, tmp_path / "all.wav", clean_above_db=None).action == "cleaned"
    assert (tmp_path / "all.wav").read_bytes() != source.read_bytes()


def test_silence_stays_silence_and_is_told(tmp_path):
    source = write(tmp_path / "in.wav", np.zeros((2, RATE_HZ), np.float32))
    row = one(source, tmp_path / "out.wav")
    assert row.warnings == ("is silent",)
    assert not sound_of(tmp_path / "out.wav").any()


def test_a_file_of_which_all_is_lost_has_no_output(tmp_path):
    source = write(tmp_path / "in.wav", np.full((1, RATE_HZ), np.nan, np.float32))
    row = one(source, tmp_path / "out.wav")
    assert row.status == "error"
    assert "none of its sound can be read" in row.reason
    assert os.listdir(tmp_path) == ["in.wav"]


def test_what_the_journal_cannot_take_leaves_no_part(recordings, tmp_path, monkeypatch):
    def full(*arguments):
        raise RunStopped("journal", "its disk is full")

    out = tmp_path / "out"
    genuine = OutputJournal._enter_begun
    monkeypatch.setattr(OutputJournal, "_enter_begun", full)
    with pytest.raises(RunStopped):
        run(recordings, out)
    monkeypatch.setattr(OutputJournal, "_enter_begun", genuine)
    assert not [path for path in out.rglob("*") if path.is_file() and ".part" in path.name]
    assert len(run(recordings, out)[0]) == 3


def test_a_film_without_sound_is_copied(tmp_path):
    source = write_coloured_video(tmp_path / "film.mp4", 10)
    row = one(source, tmp_path / "out.mp4")
    assert (row.status, row.action) == ("abstained", "copied")
    assert "no sound" in row.reason
    assert (tmp_path / "out.mp4").read_bytes() == source.read_bytes()


def test_sound_without_speech_is_warned_about(tmp_path):
    noise = words(3.0) - words(3.0, noise=0.0)
    row = one(write(tmp_path / "in.wav", noise), tmp_path / "out.wav")
    assert row.status == "ok"
    assert "may have been wanted" in row.warnings[0]
    assert row.to_record()["snr_before_db"] is None


def test_sound_that_was_mostly_taken_is_warned_about(tmp_path):
    steady = words(3.0, noise=0.1) - words(3.0, noise=0.0)
    row = one(write(tmp_path / "in.wav", steady), tmp_path / "out.wav", Gate(threshold=0.0, gain=0.46))
    assert "most of the sound was removed" in row.warnings[0]
    assert one(write(tmp_path / "words.wav", words(3.0)), tmp_path / "words_out.wav").warnings == ()


@pytest.mark.parametrize("gain", [0.6, 1.5])
def test_speech_keeps_its_level(tmp_path, gain):
    source = write(tmp_path / "in.wav", words(3.0, noise=0.005))
    denoiser = Gate(gain=gain)
    row = one(source, tmp_path / "out.wav", denoiser)
    assert denoiser.num_streams == 2
    assert abs(row.to_record()["level_change_db"]) < 0.15
    assert row.sounds[0].gain_db == pytest.approx(-20 * np.log10(gain), abs=0.15)
    loud = slice(512, 4096)
    before, after = sound_of(source)[:, loud], sound_of(tmp_path / "out.wav")[:, loud]
    assert abs(10 * np.log10((after**2).mean() / (before**2).mean())) < 0.2
    as_it_is = one(source, tmp_path / "as_it_is.wav", Gate(gain=gain), keep_level=False)
    assert as_it_is.to_record()["level_change_db"] == pytest.approx(20 * np.log10(gain), abs=0.2)


def test_what_did_not_clip_does_not_clip(tmp_path):
    sound = words(3.0, noise=0.002)
    sound[0, 30000:30005] = 0.9
    row = one(write(tmp_path / "in.wav", sound), tmp_path / "out.wav", Gate(gain=0.6, threshold=0.01))
    assert row.sounds[0].gain_db > 0
    assert np.abs(sound_of(tmp_path / "out.wav")).max() <= 1.0


@pytest.mark.parametrize(
    ("name", "sound", "rate_hz", "status"),
    [
        ("tiny.wav", words(0.001), 16000, "ok"),
        ("telephone.wav", words(2.0, 8000), 8000, "ok"),
        ("fast.wav", words(1.0, 192000), 192000, "ok"),
        ("clipped.wav", np.clip(8 * words(2.0), -1, 1), 16000, "ok"),
        ("not_a_number.wav", np.where(np.arange(32000) == 9, np.nan, words(2.0)).astype(np.float32), 16000, "partial"),
        ("infinite.wav", np.where(np.arange(32000) == 9, np.inf, words(2.0)).astype(np.float32), 16000, "partial"),
    ],
)
def test_odd_sound_comes_back_as_long(tmp_path, name, sound, rate_hz, status):
    source = write(tmp_path / name, sound, rate_hz)
    row = one(source, tmp_path / "out.wav")
    assert row.status == status, row
    back = read_clip(tmp_path / "out.wav")
    assert back.waveform.shape == sound.shape
    assert back.sample_rate == rate_hz
    assert np.isfinite(back.waveform).all()
    if name == "clipped.wav":
        assert "clipped" in row.warnings[0]


def test_no_samples_at_all_is_one_line(tmp_path):
    source = write(tmp_path / "in.wav", np.zeros((1, 0), np.float32))
    row = one(source, tmp_path / "out.wav")
    assert row.status in ("ok", "error")
    assert row.reason or row.warnings


def test_a_folder_is_done_once(recordings, tmp_path):
    out = tmp_path / "out"
    done, records = run(recordings, out)
    assert done == ["a/x.wav", "b/x.wav", "y.flac"]
    assert [record["output"] for record in records] == done
    assert run(recordings, out) == ([], records)
    write(recordings / "b/x.wav", words(1.0, seed=9))
    write(recordings / "new.wav", words(1.0))
    assert run(recordings, out)[0] == ["b/x.wav", "new.wav"]
    assert sound_of(out / "b/x.wav").shape == (1, RATE_HZ)
    (out / "y.flac").unlink()
    assert run(recordings, out)[0] == ["y.flac"]
    assert run(recordings, out, strength=0.5)[0] == ["a/x.wav", "b/x.wav", "new.wav", "y.flac"]


def test_files_of_others_stay(recordings, tmp_path):
    out = tmp_path / "out"
    (out / "a").mkdir(parents=True)
    (out / "a/x.wav").write_text("mine")
    _, records = run(recordings, out)
    assert [record["status"] for record in records] == ["error", "ok", "ok"]
    assert "overwrite=true" in records[0]["reason"]
    assert (out / "a/x.wav").read_text() == "mine"
    assert run(recordings, out)[0] == []
    done, records = run(recordings, out, overwrite=True)
    assert done == ["a/x.wav"]
    assert [record["status"] for record in records] == ["ok"] * 3


def test_an_output_that_was_changed_is_not_ours_any_more(recordings, tmp_path):
    out = tmp_path / "out"
    run(recordings, out)
    (out / "y.flac").write_text("edited")
    for strength in (1.0, 0.5):
        _, records = run(recordings, out, strength=strength)
        assert [record["status"] for record in records] == ["ok", "ok", "error"]
        assert "not as avpipe left it" in records[2]["reason"]
        assert (out / "y.flac").read_text() == "edited"
    assert run(recordings, out, strength=0.5, overwrite=True)[0] == ["y.flac"]
    assert sound_of(out / "y.flac").shape == sound_of(recordings / "y.flac").shape


def test_files_of_another_folder_do_not_replace_those_of_the_first(recordings, tmp_path):
    out = tmp_path / "out"
    run(recordings, out)
    before = (out / "y.flac").read_bytes()
    other = tmp_path / "other"
    write(other / "y.flac", words(1.5, seed=9))
    done, records = run(other, out)
    assert done == []
    assert "of a file elsewhere" in records[0]["reason"]
    assert (out / "y.flac").read_bytes() == before
    assert run(other, out, overwrite=True)[0] == ["y.flac"]


def test_a_folder_in_a_list_is_a_row(recordings, tmp_path):
    (recordings / "list.txt").write_text("a\ny.flac\n")
    _, records = run(recordings / "list.txt", tmp_path / "out")
    assert [record["status"] for record in records] == ["error", "ok"]
    assert f"{recordings / 'a'}: is a folder" in records[0]["reason"]


def test_a_recording_with_quiet_pauses_that_loses_much_is_warned_about(tmp_path):
    """Between soft words stand loud ones, which the filter takes for noise."""
    sound = words(6.0, noise=0.0005)
    sound[:, 3 * RATE_HZ :] *= 0.3
    row = one(write(tmp_path / "in.wav", sound), tmp_path / "out.wav", Ceiling())
    assert "though its pauses are all but silent" in row.warnings[0]


class Ceiling(Gate):
    """Takes what is loud for noise."""

    def stream(self, sample_rate, channels):
        stream = super().stream(sample_rate, channels)
        stream.push = lambda block: block * np.where(np.abs(block) > 0.1, np.float32(0.7), np.float32(1.0))
        stream.finish = lambda: np.zeros((channels, 0), np.float32)
        return stream


def test_a_bad_file_is_a_row_and_is_tried_again(recordings, tmp_path):
    write_text_named_wav(recordings / "text.wav")
    (recordings / "empty.flac").touch()
    truncate(write(recordings / "cut.wav", words(2.0)), 0.5)
    out = tmp_path / "out"
    _, records = run(recordings, out)
    statuses = {record["path"]: record["status"] for record in records}
    assert statuses == {
        "a/x.wav": "ok", "b/x.wav": "ok", "cut.wav": "partial", "empty.flac": "error", "text.wav": "error",
        "y.flac": "ok",
    }  # fmt: skip
    assert all(record["reason"] for record in records if record["status"] != "ok")
    assert not (out / "text.wav").exists()
    assert run(recordings, out)[0] == ["empty.flac", "text.wav"]
    assert not [path for path in out.rglob(".*") if "part" in path.name]


def test_processes_give_the_same_bytes(recordings, tmp_path):
    _, alone = run(recordings, tmp_path / "one")
    _, together = run(recordings, tmp_path / "two", workers=2)
    assert alone == together
    for record in alone:
        assert (tmp_path / "one" / record["output"]).read_bytes() == (tmp_path / "two" / record["output"]).read_bytes()


class Crashing(Gate):
    def stream(self, sample_rate, channels):
        if sample_rate == 8000:
            os._exit(7)
        return super().stream(sample_rate, channels)


class Confused(Gate):
    def stream(self, sample_rate, channels):
        if sample_rate == 8000:
            raise RuntimeError("shapes\ndo not match")
        return super().stream(sample_rate, channels)


@pytest.mark.parametrize(("denoiser", "workers", "said"), [(Crashing(), 2, "crashed"), (Confused(), 0, "shapes do")])
def test_a_fault_costs_one_file(recordings, tmp_path, denoiser, workers, said):
    write(recordings / "b/x.wav", words(1.0, 8000), 8000)
    _, records = run(recordings, tmp_path / "out", denoiser=denoiser, workers=workers)
    assert [record["status"] for record in records] == ["ok", "error", "ok"]
    assert said in records[1]["reason"]
    assert not [path for path in (tmp_path / "out").rglob(".*") if "part" in path.name]


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_a_full_disk_stops_and_the_run_goes_on_later(recordings, tmp_path, monkeypatch, workers):
    out = tmp_path / "out"
    whole = run(recordings, tmp_path / "whole")[1]
    genuine = cleaning.rewrite_sound  # type: ignore[attr-defined]

    def full(source, destination, *rest):
        if source.name == "y.flac":
            destination.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device", str(destination))
        return genuine(source, destination, *rest)

    monkeypatch.setattr(cleaning, "rewrite_sound", full)
    with pytest.raises(RunStopped, match="full"):
        run(recordings, out, workers=workers)
    assert not (out / "y.flac").exists()
    assert not [path for path in out.rglob(".*") if "part" in path.name]
    monkeypatch.setattr(cleaning, "rewrite_sound", genuine)
    done, records = run(recordings, out)
    assert "y.flac" in done
    assert records == whole


@pytest.mark.parametrize("moment", ["before", "after"])
def test_stopped_around_the_renaming_nothing_is_lost(recordings, tmp_path, monkeypatch, moment):
    out = tmp_path / "out"
    genuine = os.replace

    def stopped(source, target):
        if moment == "after":
            genuine(source, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(recordings, out)
    monkeypatch.setattr(os, "replace", genuine)
    done, records = run(recordings, out)
    assert done == ["b/x.wav", "y.flac"]
    assert (out / "a/x.wav").is_file()
    assert [record["status"] for record in records] == ["ok"] * 3
    assert not [path for path in out.rglob(".*") if "part" in path.name]


def test_progress_tells_seconds_and_speed(capsys, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    with SoundProgress(2) as progress:
        clock[0] = 30.0
        progress.advance(300.0)
        assert capsys.readouterr().err == ""
        clock[0] = 61.0
        progress.finish_file()
        progress.advance(310.0)
    assert capsys.readouterr().err == "1 of 2 files, 300 s of sound, 4.9 x real time\n"
