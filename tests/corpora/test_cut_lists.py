"""A folder of films with lists of their transitions, in every form that is read."""

import json

import numpy as np
import pytest

from avpipe.corpora import CorpusError, CutLists, Transition, frame_labels, make_split, read_transitions, understood
from avpipe.inference.shot_files import write_shot_table
from avpipe.media import write_video


def write_film(path, length=30):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, [np.full((16, 16, 3), 7 * place, np.uint8) for place in range(length)], fps=25)
    return path


def test_lists_by_times_stand_beside_films(tmp_path):
    write_film(tmp_path / "a.mkv")
    write_film(tmp_path / "b.mkv")
    write_film(tmp_path / "c.mkv")
    (tmp_path / "a.mkv.csv").write_text("start_sec,end_sec,kind\n0.2,0.2,cut\n0.4,0.6,gradual\n")
    (tmp_path / "b.csv").write_text("start_sec\n0.8\n")
    assert {each.path.name: each.target for each in CutLists(tmp_path).examples()} == {
        "a.mkv": "0.2 0.4-0.6",
        "b.mkv": "0.8",
    }


def test_a_table_of_shots_is_a_list_too(tmp_path):
    write_film(tmp_path / "a.mkv")
    answer = {
        "shots": [{"start_sec": sec, "end_sec": sec + 0.4, "num_frames": 10} for sec in (0.0, 0.4, 0.8)],
        "boundaries": [
            {"time_sec": 0.4, "kind": "cut", "start_sec": 0.4, "end_sec": 0.4, "score": 1.0},
            {"time_sec": 0.8, "kind": "gradual", "start_sec": 0.6, "end_sec": 1.0, "score": 0.9},
        ],
    }
    write_shot_table(tmp_path, {"path": "a.mkv", "tasks": {"scenes": answer}})
    (found,) = CutLists(tmp_path).examples()
    assert found.target == "0.4 0.6-1"


def test_a_folder_without_lists_says_what_is_wanted(tmp_path):
    write_film(tmp_path / "a.mkv")
    with pytest.raises(CorpusError, match=r"cut_lists; write FILM\.csv beside each film, a line a transition"):
        CutLists(tmp_path).examples()


def test_lists_by_frames_are_looked_up_in_the_film(tmp_path):
    write_film(tmp_path / "rai.mkv")
    (tmp_path / "rai.txt").write_text("0\t9\n10\t14\n20\t29\n")
    write_film(tmp_path / "clip.mkv")
    (tmp_path / "gt.json").write_text(json.dumps({"clip.mkv": {"transitions": [[4, 5], [10, 14]], "frame_num": 30}}))
    told = {each.path.name: each.target for each in CutLists(tmp_path).examples()}
    assert told == {"rai.mkv": "0.4 0.6-0.8", "clip.mkv": "0.2 0.44-0.56"}


def test_folders_are_sides(tmp_path):
    for side in ("train", "val", "test"):
        write_film(tmp_path / side / "a.mkv", 10 + len(side))
        (tmp_path / side / "a.csv").write_text("start_sec\n0.2\n")
    split = make_split(CutLists(tmp_path))
    assert [len(part) for part in (split.train, split.val, split.test)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.csv", "start_sec\nsoon\n", "no times of a transition"),
        ("a.csv", "start_sec,end_sec\n2,1\n", "no times of a transition"),
        ("a.csv", "start_sec\n2\n1\n", "begins before the one above"),
        ("a.csv", "time\n2\n", "no column 'start_sec'"),
        ("a.txt", "0 9\nten 19\n", "no shot"),
        ("a.txt", "-1 9\n10 19\n", "line 1: no shot"),
        ("a.txt", "0.5 9\n10 19\n", "line 1: no shot"),
        ("a.txt", "0 9\n8 19\n", "begins before the shot above"),
        ("a.txt", "0 9\n10 90\n91 99\n", "has 30 frames"),
        ("x.json", '{"a.mkv": {"transitions": [1]}}', "as ClipShots has them"),
        ("x.json", "[", "as ClipShots has them"),
    ],
)
def test_a_list_that_cannot_be_is_told_in_one_line(tmp_path, name, text, reason):
    write_film(tmp_path / "a.mkv")
    (tmp_path / name).write_text(text)
    with pytest.raises(CorpusError, match=reason) as caught:
        CutLists(tmp_path).examples()
    assert "\n" not in str(caught.value)


def test_labels_are_those_of_the_frames_in_a_transition():
    times = np.array([0.0, 0.01, 0.05, 0.15, 0.19, 0.23])
    labels = frame_labels([Transition(0.05, 0.05), Transition(0.15, 0.23)], times)
    assert labels.tolist() == [[0, 0, 1, 0, 0, 0], [0, 0, 0, 1, 1, 0]]
    assert frame_labels([Transition(0.05, 0.05)], times[3:]).sum() == 0, "a window that begins behind it"
    assert frame_labels([Transition(0.0, 0.05)], times[1:]).tolist() == [[0] * 5, [1, 0, 0, 0, 0]]


def test_lists_that_are_written_are_read(tmp_path):
    from avpipe.corpora.transitions import write_transitions

    transitions = understood("0.333333 1.5-2.000001")
    write_transitions(tmp_path / "a.csv", transitions)
    assert read_transitions(tmp_path / "a.csv") == transitions
