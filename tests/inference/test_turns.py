"""Who speaks when: pauses by energy, voices by clustering, names by the gallery."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import avpipe
from avpipe.bundle import load_bundle
from avpipe.errors import ArgumentError
from avpipe.inference import Job, Predictor, turns
from avpipe.inference.speech import LEVEL_SEC, levels_db, speech
from avpipe.inference.turns import TurnFinder
from avpipe.media import Clip, Coverage, write_audio
from avpipe.objectives import Verification
from tests.synthetic import noise, tone
from tests.tiny import save_speaker_bundle, save_tiny_bundle, voice


def pause(seconds, level=0.0005, seed=0):
    return (level * np.random.default_rng(seed).standard_normal((1, round(16000 * seconds)))).astype(np.float32)


def clip(waveform, sample_rate=16000):
    return Clip(Path("x.wav"), 0.0, waveform, sample_rate, None, None, Coverage())


def spoken(*parts):
    """(start, end) in seconds of what is found to be speech in parts that follow one another."""
    found = speech(levels_db(clip(np.concatenate(parts, axis=1))))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], found, [False]])))
    return [(round(start * LEVEL_SEC, 2), round(end * LEVEL_SEC, 2)) for start, end in edges.reshape(-1, 2)]


def test_levels_are_the_power_of_each_stretch_also_of_the_last_short_one():
    wave = np.concatenate([tone(0.05, 1000.0, amplitude=1.0), tone(0.05, 1000.0, amplitude=0.1), noise(0.02)], axis=1)
    levels = levels_db(clip(np.concatenate([wave, wave])))
    assert levels.dtype == np.float32
    assert levels == pytest.approx([-3.01, -23.01, 10 * np.log10(np.mean(np.square(noise(0.02))))], abs=0.05)
    assert len(levels_db(clip(None, None))) == 0


def test_speech_is_what_stands_out_of_the_recordings_own_quiet():
    assert spoken(pause(1.0), voice("ann", 2.0), pause(0.5), voice("bob", 1.0), pause(1.0)) == [(1.0, 3.0), (3.5, 4.5)]
    loud_room = [pause(1.0, 0.03), voice("ann", 2.0), pause(1.0, 0.03)]
    assert spoken(*loud_room) == [(1.0, 3.0)]
    assert spoken(*(0.01 * part for part in loud_room)) == [(1.0, 3.0)]  # how loud it was recorded is of no effect


def test_digital_silence_does_not_make_the_room_speak():
    assert spoken(np.zeros((1, 32000), np.float32), pause(1.0), voice("ann", 2.0), pause(1.0)) == [(3.0, 5.0)]


def test_what_never_pauses_is_speech_throughout_and_silence_is_none():
    assert spoken(voice("ann", 3.0)) == [(0.0, 3.0)]
    assert spoken(voice("ann", 6.0), pause(0.5), voice("ann", 6.0)) == [(0.0, 6.0), (6.5, 12.5)]
    assert spoken(voice("ann", 0.12)) == [(0.0, 0.15)]
    assert spoken(np.zeros((1, 48000), np.float32)) == []
    assert len(speech(np.zeros(0, np.float32))) == 0


def test_short_pauses_are_bridged_and_clicks_are_no_speech():
    parts = pause(1.0), voice("ann", 1.0), pause(0.2), voice("ann", 1.0), pause(1.0), voice("bob", 0.1), pause(1.0)
    assert spoken(*parts) == [(1.0, 3.2)]


@pytest.fixture(scope="module")
def bundle_folder(tmp_path_factory):
    return save_speaker_bundle(tmp_path_factory.mktemp("bundle") / "speaker")


@pytest.fixture(scope="module")
def bundle(bundle_folder):
    return load_bundle(bundle_folder)


@pytest.fixture
def meeting(tmp_path):
    path = tmp_path / "meeting.wav"
    sounds = (
        pause(0.8), voice("bob", 4.0, 1), pause(0.7), voice("zoe", 3.0, 2), voice("bob", 3.0, 3), pause(1.0),
        voice("ann", 5.0, 4), pause(0.9),
    )  # fmt: skip
    write_audio(path, np.concatenate(sounds, axis=1), 16000)
    return path


MEETING = [("bob", 0.8, 4.8), ("zoe", 5.5, 8.5), ("bob", 8.5, 11.5), ("ann", 12.5, 17.5)]


def check_meeting(found, names):
    assert [turn.label for turn in found] == [names[name] for name, _, _ in MEETING]
    for turn, (_, start_sec, end_sec) in zip(found, MEETING, strict=True):
        assert turn.start_sec == pytest.approx(start_sec, abs=0.3)
        assert turn.end_sec == pytest.approx(end_sec, abs=0.3)


def test_voices_are_found_without_being_told_how_many(bundle_folder, meeting):
    told = avpipe.load(bundle_folder, "cpu", turns=True)(meeting).tasks["speaker"]
    check_meeting(told.turns, {"bob": "speaker_1", "zoe": "speaker_2", "ann": "speaker_3"})
    assert avpipe.load(bundle_folder, "cpu")(meeting).tasks["speaker"].turns == ()


def test_who_is_in_the_gallery_is_named_and_the_others_are_numbered(bundle_folder, meeting, tmp_path):
    for name in ("zoe", "eve"):
        (tmp_path / "people" / name).mkdir(parents=True)
        write_audio(tmp_path / "people" / name / "x.wav", voice(name, 1.5, 9), 16000)
    told = avpipe.load(bundle_folder, "cpu", gallery=tmp_path / "people", turns=True)(meeting).tasks["speaker"]
    check_meeting(told.turns, {"bob": "speaker_1", "zoe": "zoe", "ann": "speaker_2"})


class Collected(dict[str, Any]):
    def add(self, prediction):
        self[prediction.path] = prediction.to_record()


def test_turns_do_not_depend_on_neighbours_workers_or_batches(bundle, meeting, tmp_path):
    jobs = [Job("meeting", meeting), Job("part", meeting, 5.0, 12.0)]
    for place, name in enumerate(("ann", "eve", "zoe")):
        write_audio(tmp_path / f"{place}.wav", voice(name, 0.5 + place, place), 16000)
        jobs.append(Job(str(place), tmp_path / f"{place}.wav"))
    found = []
    for order, workers, batch_size in ((jobs, 0, 16), (jobs[::-1], 2, 16), (jobs, 0, 3)):
        found.append(Collected())
        Predictor([bundle], batch_size, workers, turns=True).run(order, found[-1])
    said = [{name: record["tasks"]["speaker"]["turns"] for name, record in each.items()} for each in found]
    assert said[0] == said[1] == said[2]
    assert found[0] == found[1]
    assert set(said[0]["meeting"][0]) == {"start_sec", "end_sec", "label"}
    (only,) = said[0]["2"]
    assert only == {"start_sec": 0.0, "end_sec": 2.5, "label": "speaker_1"}
    # Of a stretch, times are those of the file.
    assert [(turn["start_sec"], turn["label"]) for turn in said[0]["part"]] == [
        (pytest.approx(5.5, abs=0.1), "speaker_1"),
        (pytest.approx(8.5, abs=0.3), "speaker_2"),
    ]


def test_silence_is_nobodys_voice(bundle, tmp_path):
    silence = np.zeros((1, 40000), np.float32)
    tones = load_bundle(save_tiny_bundle(tmp_path / "tones"))
    write_audio(tmp_path / "x.wav", silence, 16000)
    answer = Predictor([bundle], turns=True)(tmp_path / "x.wav")
    assert (answer.status, answer.reason) == ("abstained", "speaker: nothing in it can be judged")
    both = Predictor([bundle, tones])(tmp_path / "x.wav")
    assert (both.status, set(both.tasks)) == ("ok", {"tones"})
    write_audio(tmp_path / "voice.wav", voice("ann", 3.0), 16000)
    write_audio(tmp_path / "late.wav", np.concatenate([silence, voice("ann", 3.0), silence], axis=1), 16000)
    alone, late = (
        Predictor([bundle], turns=True)(tmp_path / name).tasks["speaker"] for name in ("voice.wav", "late.wav")
    )
    assert np.dot(alone.embedding, late.embedding) > 0.98
    (turn,) = late.turns
    assert [turn.start_sec, turn.end_sec] == pytest.approx([2.5, 5.5])


def test_turns_need_a_bundle_with_a_threshold(tmp_path):
    for folder in (save_tiny_bundle(tmp_path / "tones"), save_speaker_bundle(tmp_path / "speaker", threshold=None)):
        with pytest.raises(ArgumentError, match="turns: "):
            avpipe.load(folder, "cpu", turns=True)


HOP_SEC, WINDOW_SEC = 0.5, 2.0


def finder_of(voices, dim=16, threshold=0.5, spread=0.25, hop_sec=HOP_SEC, **options):
    """A finder that was given windows of voices by number, each near its own direction."""
    draw = np.random.default_rng(0)
    finder = TurnFinder(Verification(["a", "b", "c"], dim=dim, threshold=threshold, **options))
    for place, number in enumerate(voices):
        vector = np.eye(dim)[number] + spread * draw.standard_normal(dim) / np.sqrt(dim)
        finder.add(place * hop_sec, place * hop_sec + WINDOW_SEC, vector / np.linalg.norm(vector))
    return finder


def told_by(finder, speech=((0.0, 1e4),)):
    return [(turn.label, turn.start_sec, turn.end_sec) for turn in finder.turns(speech)]


def test_a_moment_belongs_to_the_nearest_window():
    assert told_by(finder_of([0] * 8 + [1] * 8)) == [
        ("speaker_1", 0.0, pytest.approx(4.75)),
        ("speaker_2", pytest.approx(4.75), 9.5),
    ]


def test_no_turn_is_the_rest_of_a_window_beside_a_pause():
    for first in range(60, 110):
        speech = (0.0, first * LEVEL_SEC), ((first + 12) * LEVEL_SEC, 9.5)
        found = told_by(finder_of([0] * 8 + [1] * 8), speech)
        assert min(end_sec - start_sec for _, start_sec, end_sec in found) >= 0.2 - 1e-6
        assert sum(end_sec - start_sec for _, start_sec, end_sec in found) == pytest.approx(9.5 - 0.6)


def test_a_voice_of_a_moment_is_one_of_the_others_but_not_where_it_is_alone():
    assert [label for label, _, _ in told_by(finder_of([0] * 8 + [2] + [1] * 8))] == ["speaker_1", "speaker_2"]
    assert [label for label, _, _ in told_by(finder_of([0] * 8 + [2] * 3 + [1] * 8))] == [
        "speaker_1",
        "speaker_2",
        "speaker_3",
    ]
    assert told_by(finder_of([2])) == [("speaker_1", 0.0, 2.0)]


def test_a_threshold_that_nothing_reaches_or_everything_does():
    assert len({label for label, _, _ in told_by(finder_of([0] * 4, threshold=1.5, hop_sec=WINDOW_SEC))}) == 4
    assert {label for label, _, _ in told_by(finder_of([0, 1, 2] * 4, threshold=-1.5))} == {"speaker_1"}


def test_similarities_of_any_scale_are_clustered():
    labels = [label for label, _, _ in told_by(finder_of([0] * 8 + [1] * 8, cohort=3, threshold=2.0))]
    assert labels == ["speaker_1", "speaker_2"]


def test_of_a_long_recording_some_windows_are_sorted_and_the_others_find_the_nearest_voice(monkeypatch):
    voices = ([0] * 30 + [1] * 20 + [2] * 10) * 5
    everything = told_by(finder_of(voices))
    asked = []
    genuine = TurnFinder._clustered

    def counted(self, vectors):
        asked.append(len(vectors))
        return genuine(self, vectors)

    monkeypatch.setattr(TurnFinder, "_clustered", counted)
    monkeypatch.setattr(turns, "MOST_SORTED", 40)
    assert told_by(finder_of(voices)) == everything
    assert asked == [40]
    assert len(everything) == 15


def test_a_window_of_a_pause_tells_no_voice():
    finder = finder_of([0] * 8)
    for place in range(8, 16):
        finder.add(place * HOP_SEC, place * HOP_SEC + WINDOW_SEC, np.eye(16)[5])
    assert told_by(finder, [(0.0, 4.0)]) == [("speaker_1", 0.0, 4.0)]


def test_a_number_that_is_somebodys_name_is_left_out():
    finder = finder_of([0] * 8 + [1] * 8)
    finder.objective = finder.objective.with_people(["speaker_1"], np.eye(16)[None, 9])
    assert [label for label, _, _ in told_by(finder)] == ["speaker_2", "speaker_3"]


def test_two_clusters_of_one_person_are_one_turn():
    finder = finder_of([0] * 8 + [1] * 8, spread=0.0)
    both = (np.eye(16)[0] + np.eye(16)[1]) / np.sqrt(2)
    finder.objective = finder.objective.with_people(["ann"], both[None])
    assert told_by(finder) == [("ann", 0.0, 9.5)]


def finder_of_turns(*turns, dim=16):
    """A finder that was given windows which sound as what they hold: voices by number, and silence, in their shares."""
    finder = TurnFinder(Verification(["a", "b", "c"], dim=dim, threshold=0.6))
    for place in range(int(turns[-1][2] / HOP_SEC)):
        start_sec, end_sec = place * HOP_SEC, place * HOP_SEC + WINDOW_SEC
        vector = np.zeros(dim)
        for voice_number, first_sec, last_sec in turns:
            vector[voice_number] += max(0.0, min(end_sec, last_sec) - max(start_sec, first_sec))
        vector[dim - 1] = WINDOW_SEC - vector.sum()
        finder.add(start_sec, end_sec, vector / np.linalg.norm(vector))
    return finder


def heard_in(turns):
    """The same turns, as they should be told."""
    numbers = list(dict.fromkeys(number for number, _, _ in turns))
    return [
        (f"speaker_{numbers.index(number) + 1}", pytest.approx(start_sec), pytest.approx(end_sec))
        for number, start_sec, end_sec in turns
    ]


@pytest.mark.parametrize(
    "turns",
    [
        [(0, 0.8, 4.8), (1, 5.6, 11.6), (2, 12.4, 20.0), (0, 20.8, 25.8), (1, 26.6, 29.5), (2, 30.3, 35.3)],
        [(0, 0.0, 5.0), (1, 5.5, 11.0), (0, 11.5, 17.0)],
        [(0, 0.0, 5.0), (1, 5.8, 11.0), (0, 11.8, 12.6), (1, 13.4, 14.1), (0, 14.9, 17.0)],  # two of less than a window
        [(0, 0.8, 1.9), (1, 2.7, 3.9), (0, 4.7, 5.8), (1, 6.6, 7.6)],  # no turn is as long as a window
        [(0, 0.3, 0.6)],
    ],
)
def test_the_edges_of_turns_are_nobodys_voice(turns):
    assert told_by(finder_of_turns(*turns), [turn[1:] for turn in turns]) == heard_in(turns)


def test_of_turns_without_a_pause_the_windows_across_two_are_no_third_voice():
    turns = [(0, 0.0, 6.0), (1, 6.0, 13.0), (0, 13.0, 18.0)]
    found = told_by(finder_of_turns(*turns), [(0.0, 18.0)])
    assert [label for label, _, _ in found] == ["speaker_1", "speaker_2", "speaker_1"]
    assert [start_sec for _, start_sec, _ in found] == pytest.approx([0.0, 6.0, 13.0], abs=HOP_SEC)
