"""Shots in answers: found the same wherever a film is cut, labelled by other bundles, and written to files."""

import csv
import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import avpipe
from avpipe.answers import Boundary, Decoded, Word
from avpipe.bundle import load_bundle
from avpipe.inference import Job, Prediction, Predictor, TaskAnswer
from avpipe.inference.formats import writers
from avpipe.inference.prediction import ShotAnswer
from avpipe.inference.shot_files import TimeCode, write_edl, write_sheets
from avpipe.inference.shots import PlacedAnswer, with_labelled_shots
from avpipe.media import read_clip, write_video
from avpipe.objectives import Classification, Transcription
from tests.synthetic import tone
from tests.tiny import AUDIO, VIDEO, save_scenes_bundle, save_tiny_bundle


def write_film(path, length=130, shots=5, seed=0, **options):
    """Shots of noise, each before another colour, at a rate that varies where it is not given."""
    draw = np.random.default_rng(seed)
    colours = draw.integers(0, 200, (shots, 3), dtype=np.uint8)
    frames = [
        draw.integers(0, 55, (48, 64, 3), dtype=np.uint8) + colours[place * shots // length] for place in range(length)
    ]
    times = np.cumsum(draw.choice([0.01, 0.033, 0.04, 0.1], length)).round(3)
    write_video(path, frames, **({"times_sec": times.tolist()} | options))
    return path


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return write_film(tmp_path_factory.mktemp("film") / "a film.mkv")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Bundles of one network whose windows have different lengths."""
    parent = tmp_path_factory.mktemp("bundles")
    for frames in (48, 49, 400):
        save_scenes_bundle(parent / f"scenes{frames}", frames)
    save_tiny_bundle(parent / "look", VIDEO)
    save_tiny_bundle(parent / "listen", AUDIO)
    return parent


def test_the_answer_does_not_depend_on_where_the_film_is_cut_into_windows(film, folder):
    said = [avpipe.load(folder / f"scenes{frames}")(film).tasks[f"scenes{frames}"] for frames in (48, 49, 400)]
    assert len(said[0].boundaries) > 3
    for other in said[1:]:
        assert [each.start_sec for each in other.boundaries] == [each.start_sec for each in said[0].boundaries]
        assert [each.kind for each in other.boundaries] == [each.kind for each in said[0].boundaries]
        assert other.shots == said[0].shots


def test_times_are_those_of_frames_at_a_rate_that_varies(film, folder):
    times = read_clip(film, audio=False, video=True, size_px=(2, 2)).frame_times_sec
    answer = avpipe.load(folder / "scenes48")(film).tasks["scenes48"]
    told = {time for each in answer.boundaries for time in (each.time_sec, each.start_sec, each.end_sec)}
    assert told <= set(times.tolist())
    assert answer.shots[0].start_sec == times[0]
    assert answer.shots[-1].end_sec > times[-1]
    assert sum(shot.num_frames for shot in answer.shots) == len(times)
    for before, after in zip(answer.shots, answer.shots[1:], strict=False):
        assert before.end_sec == after.start_sec


class Collected:
    def __init__(self) -> None:
        self.found: dict[str, Prediction] = {}

    def add(self, prediction: Prediction) -> None:
        self.found[prediction.path] = prediction


def test_the_answer_is_bit_equal_in_any_order_with_workers_and_beside_other_bundles(film, folder, tmp_path):
    other = write_film(tmp_path / "other.mkv", 70, seed=3)
    bundles = [load_bundle(folder / name) for name in ("scenes48", "look")]
    alone = Predictor(bundles[:1])(film).tasks["scenes48"]
    for workers, jobs in ((0, [other, film]), (1, [film, other])):
        sink = Collected()
        Predictor(bundles, batch_size=3, workers=workers).run([Job(path.name, path) for path in jobs], sink)
        answer = sink.found[film.name].tasks["scenes48"]
        assert answer.boundaries == alone.boundaries
        assert [replace(shot, labels={}) for shot in answer.shots] == list(alone.shots)
        assert all("look" in shot.labels for shot in answer.shots)


@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_film_of_a_few_frames_is_answered(folder, tmp_path, length):
    film = write_film(tmp_path / "short.mkv", length, shots=1, times_sec=None, fps=25)
    prediction = avpipe.load(folder / "scenes48")(film)
    assert prediction.status == "ok"
    assert sum(shot.num_frames for shot in prediction.tasks["scenes48"].shots) == length


def test_sound_without_a_picture_is_abstained(folder, tmp_path):
    from avpipe.media import write_audio

    write_audio(tmp_path / "sound.wav", tone(1.0), 16_000)
    prediction = avpipe.load(folder / "scenes48")(tmp_path / "sound.wav")
    assert prediction.status == "abstained"
    assert "no picture" in prediction.reason


LABELS = ("calm", "loud")


def windows_of(*scores):
    """Windows of 2 s, one a second, by the score of ``loud``."""
    decoded = [
        Decoded("loud" if each > 0.5 else "calm", max(each, 1 - each), {"calm": 1 - each, "loud": each})
        for each in scores
    ]
    return [PlacedAnswer(start, start + 2.0, said) for start, said in enumerate(decoded)]


def shots_of(*times):
    return tuple(ShotAnswer(start, end, 1) for start, end in itertools.pairwise(times))


def film_answer(*times):
    return TaskAnswer(None, None, {}, None, (), shots=shots_of(*times), boundaries=())


def test_a_shot_has_the_mean_of_the_windows_that_overlap_it_by_seconds():
    objective = Classification(list(LABELS), class_counts=[1, 1])
    others = {"mood": (objective, windows_of(0.9, 0.7, 0.2, 0.1))}
    shots = with_labelled_shots({"scenes": film_answer(0.0, 1.5, 4.5, 9.0)}, others)["scenes"].shots
    # [0, 1.5) shares 1.5 s with the first window and 0.5 s with the second.
    expected = (1.5 * 0.9 + 0.5 * 0.7) / 2.0
    assert shots[0].labels["mood"].label == "loud"
    assert shots[0].labels["mood"].score == pytest.approx(expected)
    # [1.5, 4.5) shares 0.5, 1.5, 2 and 1.5 s with them.
    loud = (0.5 * 0.9 + 1.5 * 0.7 + 2.0 * 0.2 + 1.5 * 0.1) / 5.5
    assert shots[1].labels["mood"].label == "calm"
    assert shots[1].labels["mood"].score == pytest.approx(1 - loud)
    assert shots[2].labels["mood"].score == pytest.approx(0.9)


def test_a_shot_behind_the_last_window_has_no_label_of_it():
    objective = Classification(list(LABELS), class_counts=[1, 1])
    shots = with_labelled_shots({"scenes": film_answer(0.0, 2.0, 3.0)}, {"mood": (objective, windows_of(0.9))})
    assert [bool(shot.labels) for shot in shots["scenes"].shots] == [True, False]


def test_a_shot_has_the_words_whose_middle_lies_in_it():
    words = (Word("one", 0.2, 0.6, 1.0), Word("two", 0.8, 1.4, 1.0), Word("three", 2.0, 2.2, 1.0))
    tasks = {"scenes": film_answer(0.0, 1.0, 1.8, 3.0), "words": TaskAnswer(None, 1.0, {}, "one two three", (), words)}
    others = {"words": (Transcription(["a"]), [PlacedAnswer(0.0, 3.0, Decoded())])}
    shots = with_labelled_shots(tasks, others)["scenes"].shots
    assert [shot.labels["words"].text for shot in shots] == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("rate", "number", "code"),
    [
        (25, 1, "00:00:00:01"),
        (25, 90_025, "01:00:01:00"),
        (24, 24 * 60, "00:01:00:00"),
        (60, 59, "00:00:00:59"),
        (30_000 / 1001, 1799, "00:00:59;29"),
        (30_000 / 1001, 1800, "00:01:00;02"),
        (30_000 / 1001, 17_981, "00:09:59;29"),
        (30_000 / 1001, 17_982, "00:10:00;00"),
        (30_000 / 1001, 107_892, "01:00:00;00"),
        (60_000 / 1001, 3600, "00:01:00;04"),
        (60_000 / 1001, 215_784, "01:00:00;00"),
        (24_000 / 1001, 24 * 60, "00:01:00:00"),
    ],
)
def test_time_codes_count_frames_as_broadcast_does(rate, number, code):
    assert TimeCode.of(rate)(number / rate) == code


def test_drop_frame_codes_never_repeat_nor_run_backwards():
    code = TimeCode.of(30_000 / 1001)
    told = [code(number * 1001 / 30_000) for number in range(17_000, 20_000)]
    assert told == sorted(set(told))
    assert not any(each.endswith((";00", ";01")) and each[6:8] == "00" and each[4] != "0" for each in told)


def record_of(rate=25.0, path="films/a b.mp4"):
    frame = 1.0 / rate
    shots = [
        {
            "start_sec": 0.0,
            "end_sec": 50 * frame,
            "num_frames": 50,
            "labels": {"mood": {"label": "calm", "score": 0.9}},
        },
        {"start_sec": 50 * frame, "end_sec": 80 * frame, "num_frames": 30},
        {"start_sec": 80 * frame, "end_sec": 100 * frame, "num_frames": 20},
    ]
    boundaries = [
        {"time_sec": 50 * frame, "kind": "cut", "score": 0.9, "start_sec": 50 * frame, "end_sec": 50 * frame},
        {"time_sec": 80 * frame, "kind": "gradual", "score": 0.8, "start_sec": 75 * frame, "end_sec": 86 * frame},
    ]
    answer = {"label": None, "score": None, "text": None, "shots": shots, "boundaries": boundaries}
    return {"path": path, "status": "ok", "reason": "", "tasks": {"scenes": answer}}


def test_an_edit_decision_list_has_an_event_a_shot(tmp_path):
    write_edl(tmp_path, [record_of()])
    assert (tmp_path / "films/a b.mp4.edl").read_text().splitlines() == [
        "TITLE: a b.mp4",
        "FCM: NON-DROP FRAME",
        "",
        "001  AX       V     C        00:00:00:00 00:00:02:00 00:00:00:00 00:00:02:00",
        "* FROM CLIP NAME: a b.mp4",
        "",
        "002  AX       V     C        00:00:02:00 00:00:03:05 00:00:02:00 00:00:03:05",
        "* FROM CLIP NAME: a b.mp4",
        "",
        "003  AX       V     C        00:00:03:05 00:00:04:00 00:00:03:05 00:00:04:00",
        "* FROM CLIP NAME: a b.mp4",
        "* GRADUAL TRANSITION FROM 00:00:03:00 TO 00:00:03:11",
    ]


def test_an_edit_decision_list_tells_drop_frame_codes_and_a_varying_rate(tmp_path):
    record = record_of(30_000 / 1001, "ntsc.mp4")
    varying = record_of(25.0, "varying.mp4")
    varying["tasks"]["scenes"]["shots"][0]["num_frames"] = 40
    write_edl(tmp_path, [record, varying])
    assert "FCM: DROP FRAME" in (tmp_path / "ntsc.mp4.edl").read_text()
    assert "VARIABLE FRAME RATE" not in (tmp_path / "ntsc.mp4.edl").read_text()
    assert "* VARIABLE FRAME RATE" in (tmp_path / "varying.mp4.edl").read_text()


def test_a_table_has_a_row_a_shot_and_the_labels_of_others(tmp_path):
    (write,) = writers(["csv"])
    write(tmp_path, [record_of(path="one.mp4"), {**record_of(), "path": "two.mp4", "tasks": {}}])
    with (tmp_path / "one.mp4.shots.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["shot"] for row in rows] == ["1", "2", "3"]
    assert [row["begins_with"] for row in rows] == ["", "cut", "gradual"]
    assert [row["mood"] for row in rows] == ["calm", "", ""]
    assert float(rows[2]["transition_start_sec"]) == 3.0
    assert not (tmp_path / "two.mp4.shots.csv").exists()


def test_a_contact_sheet_has_a_picture_a_shot_and_is_made_once(tmp_path):
    write_video(tmp_path / "a.mkv", [np.full((36, 64, 3), 2 * place, np.uint8) for place in range(100)], fps=25)
    record = record_of(path="a.mkv")
    sheets = write_sheets(tmp_path / "out", [record], tmp_path.joinpath)
    with Image.open(sheets["a.mkv"]) as sheet:
        assert sheet.size == (4 + 3 * 164, 4 + 109)
        greys = [int(np.asarray(sheet)[49, 4 + 164 * place + 80, 0]) for place in range(3)]
    assert greys == pytest.approx([2 * 12, 2 * 62, 2 * 92], abs=4), "half a second into each shot, or its middle"
    written = sheets["a.mkv"].stat().st_mtime_ns
    write_sheets(tmp_path / "out", [record], tmp_path.joinpath)
    assert sheets["a.mkv"].stat().st_mtime_ns == written
    record["tasks"]["scenes"]["shots"].pop()
    write_sheets(tmp_path / "out", [record], tmp_path.joinpath)
    assert sheets["a.mkv"].stat().st_mtime_ns > written


def test_a_film_that_is_gone_has_no_sheet(tmp_path):
    assert write_sheets(tmp_path, [record_of()], tmp_path.joinpath) == {}


def test_a_record_has_shots_and_boundaries_and_other_records_have_none(film, folder):
    answers = Predictor([load_bundle(folder / name) for name in ("scenes48", "look")])(film).to_record()["tasks"]
    json.dumps(answers)
    assert set(answers["scenes48"]["boundaries"][0]) == {"time_sec", "kind", "score", "start_sec", "end_sec"}
    assert set(answers["scenes48"]["shots"][0]["labels"]["look"]) == {"label", "score", "text"}
    assert not {"shots", "boundaries"} & set(answers["look"])


def test_a_film_of_one_shot_says_that_it_has_no_boundaries(folder, tmp_path):
    film = write_film(tmp_path / "one.mkv", 2, shots=1)
    answer = avpipe.load(folder / "scenes48")(film).to_record()["tasks"]["scenes48"]
    assert answer["boundaries"] == []
    assert len(answer["shots"]) == 1
    assert "labels" not in answer["shots"][0]


def test_a_boundary_is_what_a_transition_is_told_by():
    from avpipe.corpora import told

    assert told([Boundary(1.0, "cut", 0.9, 1.0, 1.0), Boundary(2.5, "gradual", 0.9, 2.0, 3.0)]) == "1 2-3"
