"""People by their recordings: who is enrolled, who is named, and what is told of what cannot be used."""

import json
from typing import Any

import numpy as np
import pytest
import torch

import avpipe
from avpipe.bundle import load_bundle, read_specs, record_objective
from avpipe.errors import ArgumentError
from avpipe.inference import Job, Predictor, enrol
from avpipe.media import find_media, write_audio
from avpipe.objectives import Verification
from tests.synthetic import tone, write_coloured_video, write_text_named_wav
from tests.tiny import save_speaker_bundle, save_tiny_bundle, voice


@pytest.fixture(scope="module")
def bundle_folder(tmp_path_factory):
    return save_speaker_bundle(tmp_path_factory.mktemp("bundle") / "speaker")


@pytest.fixture(scope="module")
def bundle(bundle_folder):
    return load_bundle(bundle_folder)


@pytest.fixture
def gallery(tmp_path):
    """Ann with two recordings, one of them deeper down, and bob with one that is shorter than a window."""
    folder = tmp_path / "people"
    for name, sound in (
        ("ann/one.wav", voice("ann", 2.0, 1)),
        ("ann/more/two.flac", voice("ann", 1.3, 2)),
        ("bob/b.wav", voice("bob", 0.6, 3)),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_audio(folder / name, sound, 16000)
    return folder


def written(path, *parts, rate_hz=16000):
    write_audio(path, np.concatenate(parts, axis=1), rate_hz)
    return path


def warnings_of(capsys):
    return [line for line in capsys.readouterr().err.splitlines() if line]


def test_a_person_is_the_mean_direction_of_the_recordings(bundle, gallery, capsys):
    enrolled = enrol([bundle], gallery)
    assert warnings_of(capsys) == []
    assert enrolled.people == ("ann", "bob")
    vectors = [Predictor([bundle])(path).tasks["speaker"].embedding for path in find_media(gallery / "ann")]
    mean = np.mean(vectors, axis=0)
    np.testing.assert_allclose(enrolled.vectors["speaker"][0], mean / np.linalg.norm(mean), atol=1e-6)
    assert len(vectors) == 2


def test_who_is_enrolled_is_known_again_and_a_stranger_is_unknown(bundle_folder, gallery, tmp_path):
    who = avpipe.load(bundle_folder, "cpu", gallery=gallery)
    for name, label in (("ann", "ann"), ("bob", "bob"), ("zoe", "unknown")):
        answer = who(written(tmp_path / "x.wav", voice(name, 2.2, 9)))
        told = answer.tasks["speaker"]
        assert (answer.status, told.label) == ("ok", label)
        assert set(told.scores) == {"ann", "bob"}
        assert told.score == max(told.scores.values())
        assert (told.score >= 0.5) == (label != "unknown")
        assert np.linalg.norm(told.embedding) == pytest.approx(1.0)
        assert [window.label for window in told.windows] == [label] * len(told.windows)


def test_the_windows_tell_who_speaks_when(bundle_folder, gallery, tmp_path):
    path = written(tmp_path / "x.wav", voice("ann", 3.0, 8), voice("bob", 3.0, 9))
    told = avpipe.load(bundle_folder, "cpu", gallery=gallery)(path).tasks["speaker"]
    assert {window.label for window in told.windows if window.end_sec <= 3.0} == {"ann"}
    assert {window.label for window in told.windows if window.start_sec >= 3.0} == {"bob"}


def test_another_rate_and_a_film_are_answered_too(bundle_folder, gallery, tmp_path):
    who = avpipe.load(bundle_folder, "cpu", gallery=gallery)
    seconds = np.arange(44100) / 44100
    loud = (0.3 * np.sin(2 * np.pi * 800 * seconds) + 0.003 * np.random.default_rng(0).standard_normal(44100))[None]
    assert who(written(tmp_path / "x.wav", loud.astype(np.float32), rate_hz=44100)).tasks["speaker"].label == "bob"
    film = write_coloured_video(tmp_path / "x.mkv", 25, waveform=voice("ann", 1.0, 5))
    assert who(film).tasks["speaker"].label == "ann"


def test_enrolment_does_not_depend_on_workers(bundle, gallery):
    alone, together = enrol([bundle], gallery), enrol([bundle], gallery, workers=2)
    np.testing.assert_array_equal(alone.vectors["speaker"], together.vectors["speaker"])
    assert alone.sha256 == together.sha256


def test_the_digest_is_of_names_and_content(bundle, gallery):
    before = enrol([bundle], gallery).sha256
    (gallery / "ann" / "one.wav").rename(gallery / "ann" / "other.wav")
    assert enrol([bundle], gallery).sha256 == before
    write_audio(gallery / "ann" / "other.wav", voice("ann", 2.0, 7), 16000)
    changed = enrol([bundle], gallery).sha256
    assert changed != before
    (gallery / "bob").rename(gallery / "rob")
    assert enrol([bundle], gallery).sha256 not in (before, changed)


def test_one_person_is_told_from_all_others(bundle_folder, gallery, tmp_path):
    for path in find_media(gallery / "bob"):
        path.unlink()
    (gallery / "bob").rmdir()
    who = avpipe.load(bundle_folder, "cpu", gallery=gallery)
    assert who(written(tmp_path / "x.wav", voice("ann", 1.0, 5))).tasks["speaker"].label == "ann"
    assert who(written(tmp_path / "x.wav", voice("bob", 1.0, 5))).tasks["speaker"].label == "unknown"


def test_what_cannot_be_used_is_a_line_each_and_the_others_go_on(bundle, gallery, capsys):
    write_text_named_wav(gallery / "ann" / "text.wav")
    (gallery / "empty person").mkdir()
    (gallery / "only notes").mkdir()
    (gallery / "only notes" / "notes.txt").write_text("nothing")
    (gallery / "broken").mkdir()
    write_text_named_wav(gallery / "broken" / "no sound.wav")
    (gallery / "dumb").mkdir()
    write_coloured_video(gallery / "dumb" / "silent.mkv", 10)
    write_audio(gallery / "stray.wav", tone(0.5), 16000)
    write_audio(gallery / "stray too.wav", tone(0.5), 16000)
    (gallery / ".hidden").mkdir()
    (gallery / "clicks").mkdir()
    clicks = np.concatenate([np.zeros((1, 16000), np.float32), tone(0.05), np.zeros((1, 16000), np.float32)], axis=1)
    write_audio(gallery / "clicks" / "x.wav", clicks, 16000)
    (gallery / "brief").mkdir()
    write_audio(gallery / "brief" / "x.wav", voice("zoe", 0.3), 16000)
    write_audio(gallery / "brief" / "y.wav", voice("zoe", 20 / 16000), 16000)
    (gallery / "silent").mkdir()
    write_audio(gallery / "silent" / "x.wav", np.zeros((1, 32000), np.float32), 16000)
    assert enrol([bundle], gallery).people == ("ann", "bob")
    lines = warnings_of(capsys)
    assert all(line.startswith(f"warning: gallery={gallery}: ") for line in lines)
    told = [line.removeprefix(f"warning: gallery={gallery}: ") for line in lines]
    assert told[0] == "stray too.wav and 1 more in no person's folder: left out"
    for begin in (
        "ann/text.wav is left out: ",
        "no recording of empty person: left out",
        "no recording of only notes: left out",
        "broken/no sound.wav is left out: ",
        "no recording of broken can be heard: left out",
        "dumb/silent.mkv is left out: ",
        "no recording of dumb can be heard: left out",
        "silent/x.wav is left out: speaker: nothing in it can be judged",
        "no recording of silent can be heard: left out",
        "clicks/x.wav is left out: nobody speaks in it",
        "no recording of clicks can be heard: left out",
        "brief/x.wav is left out: 0.3 s of speech, of 0.5 s that it takes",
        "brief/y.wav is left out: 0.05 s of speech, of 0.5 s that it takes",
        "no recording of brief can be heard: left out",
    ):
        assert sum(line.startswith(begin) for line in told) == 1, told
    assert len(told) == 15


def test_one_voice_under_two_names_is_told_with_both(bundle, gallery, capsys):
    (gallery / "anna").mkdir()
    write_audio(gallery / "anna" / "again.wav", voice("ann", 1.5, 6), 16000)
    assert enrol([bundle], gallery).people == ("ann", "anna", "bob")
    (line,) = warnings_of(capsys)
    assert "ann and anna sound like one voice to speaker" in line


def unusable(gallery, tmp_path):
    """(folder, what is told of it)."""
    yield tmp_path / "absent", "no such file or directory"
    yield gallery / "ann" / "one.wav", "not a directory"
    (tmp_path / "empty").mkdir()
    yield tmp_path / "empty", "no folder of a person"
    (tmp_path / "flat").mkdir()
    write_audio(tmp_path / "flat" / "x.wav", tone(0.5), 16000)
    yield tmp_path / "flat", "no folder of a person"
    (tmp_path / "broken" / "ann").mkdir(parents=True)
    write_text_named_wav(tmp_path / "broken" / "ann" / "x.wav")
    yield tmp_path / "broken", "nobody in it can be heard"
    (tmp_path / "brief" / "ann").mkdir(parents=True)
    write_audio(tmp_path / "brief" / "ann" / "x.wav", voice("ann", 0.3), 16000)
    yield tmp_path / "brief", "nobody in it can be heard"
    (tmp_path / "nothing" / "ann").mkdir(parents=True)
    yield tmp_path / "nothing", "nobody in it can be heard"
    (gallery / "unknown").mkdir()
    yield gallery, "nobody can be called unknown"


def test_a_gallery_of_nobody_is_refused(bundle, gallery, tmp_path):
    for folder, reason in unusable(gallery, tmp_path):
        with pytest.raises(ArgumentError, match=reason) as refused:
            enrol([bundle], folder)
        assert str(refused.value).startswith(f"gallery={folder}: ")
        assert refused.value.exit_status == 2


def test_a_folder_that_cannot_be_listed_is_told(bundle, gallery, monkeypatch, capsys):
    genuine = type(gallery).iterdir

    def forbidden(path):
        if path.name == "bob":
            raise PermissionError(13, "Permission denied")
        return genuine(path)

    monkeypatch.setattr(type(gallery), "iterdir", forbidden)
    assert enrol([bundle], gallery).people == ("ann",)
    assert "bob: cannot be listed" in warnings_of(capsys)[0]


def test_a_gallery_needs_a_bundle_that_compares_voices_and_knows_from_when_on_they_are_one(gallery, tmp_path):
    tones = load_bundle(save_tiny_bundle(tmp_path / "tones"))
    with pytest.raises(ArgumentError, match="no bundle of tones compares voices"):
        enrol([tones], gallery)
    undecided = load_bundle(save_speaker_bundle(tmp_path / "undecided", threshold=None))
    with pytest.raises(ArgumentError, match="bundle undecided does not know"):
        enrol([undecided], gallery)


def test_beside_other_bundles_only_those_of_voices_name_people(bundle, gallery, tmp_path):
    tones = load_bundle(save_tiny_bundle(tmp_path / "tones"))
    other = load_bundle(save_speaker_bundle(tmp_path / "other", cohort=2, threshold=1.0))
    bundles = [tones, bundle, other]
    known = enrol(bundles, gallery).known_to(bundles)
    path = written(tmp_path / "x.wav", voice("bob", 2.0, 5))
    told = Predictor(known)(path).tasks
    assert told["speaker"].label == "bob"
    assert set(told["other"].scores) == {"ann", "bob"}
    assert told["tones"] == Predictor([tones])(path).tasks["tones"]


class Collected(dict[str, Any]):
    def add(self, prediction):
        self[prediction.path] = prediction.to_record()


def test_names_do_not_depend_on_neighbours_or_workers(bundle, gallery, tmp_path):
    known = enrol([bundle], gallery).known_to([bundle])
    jobs = [
        Job(f"{name}{place}", written(tmp_path / f"{name}{place}.wav", voice(name, 0.4 + 0.7 * place, place)))
        for name in ("ann", "bob", "eve", "zoe")
        for place in range(3)
    ]
    found = []
    for order, workers in ((jobs, 0), (jobs[::-1], 0), (jobs, 2)):
        found.append(Collected())
        Predictor(known, workers=workers).run(order, found[-1])
    assert found[0] == found[1] == found[2]
    assert {name: record["tasks"]["speaker"]["label"] for name, record in found[0].items()} == {
        job.name: job.name[:3] if job.name[:3] in ("ann", "bob") else "unknown" for job in jobs
    }


def test_a_recorded_threshold_is_loaded_and_the_bundle_stays_proved(tmp_path):
    folder = save_speaker_bundle(tmp_path / "speaker", threshold=None)
    before = load_bundle(folder)
    record_objective(folder, {**read_specs(folder)["objective"], "threshold": 0.625, "spread": 0.125})
    after = load_bundle(folder)  # proves golden input and hashes anew
    one, other = before.objective, after.objective
    assert isinstance(one, Verification)
    assert isinstance(other, Verification)
    assert (one.threshold, other.threshold, other.spread) == (None, 0.625, 0.125)
    assert after.digest != before.digest
    assert torch.equal(one.prototypes, other.prototypes)
    assert "Tells voices apart" in (folder / "card.md").read_text()
    assert json.loads((folder / "bundle.json").read_text())["specs"]["objective"]["threshold"] == 0.625


def test_a_recording_of_a_lower_rate_is_used_and_told(bundle, gallery, capsys):
    write_audio(gallery / "bob" / "narrow.wav", voice("bob", 1.0)[:, ::4], 4000)
    assert enrol([bundle], gallery).people == ("ann", "bob")
    (line,) = warnings_of(capsys)
    assert "bob/narrow.wav is used, and to be doubted: speaker: recorded at 4000 Hz, and learned from" in line


def test_what_is_much_shorter_than_a_window_is_answered_with_a_note(bundle, tmp_path):
    window_sec = bundle.preprocessor.window_sec
    short, long = (
        Predictor([bundle])(written(tmp_path / "x.wav", voice("ann", share * window_sec))) for share in (0.4, 0.6)
    )
    assert (short.status, long.status, long.reason) == ("ok", "ok", "")
    assert short.reason == f"speaker: {0.4 * window_sec:.2g} s of sound: too short to tell voices apart surely"
