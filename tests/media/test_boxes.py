"""Boxes over time: read strictly, moved evenly, in fractions or in pixels."""

import numpy as np
import pytest

from avpipe.media import UnreadableMedia, boxes_file, find_boxes, read_boxes
from tests.mouths import write_boxes


def test_boxes_move_evenly_between_their_times_and_stay_before_and_after(tmp_path):
    track = read_boxes(write_boxes(tmp_path / "b.csv", [(1, 0.0, 0.2, 0.4, 0.6), (2, 0.2, 0.4, 0.6, 0.8)]))
    found = track.at(np.array([0.0, 1.0, 1.5, 9.0]), (100, 200))
    np.testing.assert_allclose(found[:, 0], [0.0, 0.0, 0.1, 0.2])
    np.testing.assert_allclose(found[2], [0.1, 0.3, 0.5, 0.7])


def test_pixels_are_those_of_the_upright_picture(tmp_path):
    columns = "time_sec,left_px,top_px,right_px,bottom_px"
    track = read_boxes(write_boxes(tmp_path / "b.csv", [(0, 20, 10, 100, 90)], columns))
    np.testing.assert_allclose(track.at(np.zeros(1), (100, 200)), [[0.1, 0.1, 0.5, 0.9]])


def test_columns_stand_in_any_order_and_others_are_not_looked_at(tmp_path):
    (tmp_path / "b.csv").write_text(
        "\ufeffbottom,who, top ,right,left,time_sec\r\n0.9,x,0.1,0.8,0.2,0\r\n\r\n", "utf-8"
    )
    np.testing.assert_allclose(read_boxes(tmp_path / "b.csv").at(np.zeros(1), (1, 1)), [[0.2, 0.1, 0.8, 0.9]])


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("", "no columns of boxes (found: nothing)"),
        ("a,b\n1,2\n", "no columns of boxes (found: a, b)"),
        ("time_sec,left,top,right,bottom\n", "holds no box"),
        ("time_sec,left,top,right,bottom\n0,0,0,1\n", "line 2 is no box"),
        ("time_sec,left,top,right,bottom\n0,0,0,1,nan\n", "line 2 is no box"),
        ("time_sec,left,top,right,bottom\n0,.5,0,.5,1\n", "line 2: right must lie beyond left"),
        ("time_sec,left,top,right,bottom\n1,0,0,1,1\n1,0,0,1,1\n", "line 3: its time does not rise"),
    ],
)
def test_what_is_no_table_of_boxes_is_one_line(tmp_path, content, part):
    (tmp_path / "b.csv").write_text(content)
    with pytest.raises(UnreadableMedia) as caught:
        read_boxes(tmp_path / "b.csv")
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_picture_is_no_table(tmp_path):
    (tmp_path / "b.csv").write_bytes(bytes(range(256)))
    with pytest.raises(UnreadableMedia, match="cannot be read"):
        read_boxes(tmp_path / "b.csv")
    with pytest.raises(UnreadableMedia, match="No such file"):
        read_boxes(tmp_path / "c.csv")


def test_a_box_outside_the_picture_is_refused_and_one_that_reaches_beyond_is_told(tmp_path):
    track = read_boxes(write_boxes(tmp_path / "b.csv", [(0, -0.1, 0, 0.5, 0.5), (1, 0, 0, 0.5, 0.5)]))
    assert track.note((10, 10)) == "1 of 2 boxes reach beyond the picture: moved into it"
    assert track.at(np.zeros(1), (10, 10))[0, 0] == pytest.approx(-0.1)
    away = read_boxes(write_boxes(tmp_path / "c.csv", [(0, 0, 0, 1, 1), (3, 1.2, 0, 1.4, 0.5)]))
    with pytest.raises(UnreadableMedia, match="the box at 3 s lies outside the picture"):
        away.at(np.zeros(1), (10, 10))


def test_boxes_lie_beside_a_film_or_where_they_are_said_to(tmp_path):
    film = tmp_path / "a.mp4"
    assert find_boxes(film) is None
    beside = write_boxes(tmp_path / "a.mp4.boxes.csv", [(0, 0, 0, 1, 1)])
    other = write_boxes(tmp_path / "other.csv", [(0, 0, 0, 1, 0.5)])
    assert boxes_file(film) == beside
    assert find_boxes(film).path == beside
    assert find_boxes(film, other).path == other


def test_boxes_of_other_times_than_the_film_has_are_told(tmp_path):
    rows = [(40.0, 0.4, 0.4, 0.6, 0.6), (80.0, 0.4, 0.4, 0.6, 0.6)]
    track = read_boxes(write_boxes(tmp_path / "x.csv", rows))
    told = "its boxes are of 40 s to 80 s, and the film of 0 s to 3 s: the nearest is used"
    assert track.note_of_times(3.0) == told
    assert track.note_of_times(40.5) == ""
