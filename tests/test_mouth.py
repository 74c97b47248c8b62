"""Squares around mouths: the same of every rate, size and turn of a film, in step with its presentation times."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from avpipe.config import instantiate
from avpipe.features import MouthStack
from avpipe.media import Clip, Coverage, UnreadableMedia, find_boxes, read_boxes, read_clip
from avpipe.windowing import first_step
from tests.mouths import PLACE, duration_sec, write_boxes, write_talk
from tests.synthetic import tone
from tests.tiny import LIPS

PREPROCESSOR = instantiate(LIPS["preprocessor"])
FORMAT = PREPROCESSOR.clip_format
TEXT = "aoea ao"


def cut(path, start_sec=0.0, boxes=None, audio=False):
    clip = read_clip(path, start_sec, None, audio, True, size_px=FORMAT.size_px, stride_sec=FORMAT.stride_sec)
    return PREPROCESSOR.windowing.cut(clip, boxes)


def features(path, **more):
    return PREPROCESSOR(cut(path, **more))["video"]


def distance(one, other):
    """Mean difference of standardised pixels; that of a film from itself a frame later is above 0.05."""
    steps = min(one.shape[1], other.shape[1])
    return float((one[:, :steps] - other[:, :steps]).abs().mean())


def same(one, other):
    """Whether two films are equal; how long the last frame is on show a container may round by a step."""
    steps = min(one.shape[1], other.shape[1])
    return abs(one.shape[1] - other.shape[1]) <= 1 and torch.equal(one[:, :steps], other[:, :steps])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("talks")
    write_talk(folder / "plain.mkv", TEXT)
    return folder


def test_squares_are_grey_and_hold_the_mouth(folder):
    seen = features(folder / "plain.mkv")
    assert seen.shape == (1, round(duration_sec(TEXT) / 0.04), 20, 20)
    assert seen.dtype == torch.float32
    darkest = seen[0].amin((1, 2))
    assert (darkest < -1.5).all()  # the mouth, in every frame
    assert distance(seen[:, 1:], seen) > 0.05


@pytest.mark.parametrize("fps", [50, 75, 100])
def test_films_of_many_rates_mean_the_same(folder, tmp_path, fps):
    assert same(features(write_talk(tmp_path / "x.mkv", TEXT, fps=fps)), features(folder / "plain.mkv"))


@pytest.mark.parametrize("fps", [15, 30, 60, 1000])
def test_films_of_any_rate_mean_nearly_the_same(folder, tmp_path, fps):
    other = features(write_talk(tmp_path / "x.mkv", TEXT, fps=fps))
    plain = features(folder / "plain.mkv")
    assert abs(other.shape[1] - plain.shape[1]) <= 1
    late = distance(plain[:, 1:], plain)
    # A frame of a film of 15 a second is 67 ms old when the next one comes.
    assert distance(other, plain) < (1.2 if fps == 15 else 0.6) * late


def test_variable_rates_go_by_presentation_times(folder, tmp_path):
    even = np.arange(0.0, duration_sec(TEXT) - 1e-9, 0.04)
    more = np.unique(np.concatenate([even, even[5:12] + 0.013, even[20:] + 0.02]).round(3))
    other = features(write_talk(tmp_path / "x.mkv", TEXT, times_sec=more.tolist()))
    assert same(other, features(folder / "plain.mkv"))


def test_portraits_and_turned_films_are_cut_where_the_mouth_is(folder, tmp_path):
    portrait = write_talk(tmp_path / "portrait.mkv", TEXT, size=(96, 48))
    darkest = features(portrait)[0].amin((1, 2))
    assert (darkest < 0.0).all()
    turned = write_talk(tmp_path / "turned.mkv", TEXT, rotation_deg=90)
    assert distance(features(turned), features(folder / "plain.mkv")) < 0.02


def test_boxes_follow_a_mouth_that_wanders(folder, tmp_path):
    number = round(duration_sec(TEXT) * 25)
    steps = [round(24 * place / number) / 64 for place in range(number)]
    places = [(PLACE[0] - step, PLACE[1], PLACE[2] - step, PLACE[3]) for step in steps]
    film = write_talk(tmp_path / "x.mkv", TEXT, places=places)
    write_boxes(tmp_path / "x.mkv.boxes.csv", [(place / 25, *box) for place, box in enumerate(places)])
    plain, wandering = features(folder / "plain.mkv"), features(film, boxes=find_boxes(film))
    assert distance(wandering, plain) < 0.02 < 0.2 < distance(features(film), plain)
    pixels = [(place / 25, *np.array(box) * (64, 48, 64, 48)) for place, box in enumerate(places)]
    table = write_boxes(tmp_path / "px.csv", pixels, "time_sec,left_px,top_px,right_px,bottom_px")
    assert torch.equal(features(film, boxes=read_boxes(table)), wandering)


def test_pixels_mean_the_film_and_not_the_picture_that_it_was_scaled_to(folder, tmp_path):
    film = write_talk(tmp_path / "large.mkv", TEXT, size=(144, 192))
    box = np.array(PLACE) * (192, 144, 192, 144)
    table = write_boxes(tmp_path / "px.csv", [(0, *box)], "time_sec,left_px,top_px,right_px,bottom_px")
    assert torch.equal(features(film, boxes=read_boxes(table)), features(film))


def test_a_box_is_widened_to_a_square_and_moved_into_the_picture(folder, tmp_path):
    beyond = read_boxes(write_boxes(tmp_path / "b.csv", [(0, 0.9, 0.9, 1.3, 1.1)]))
    whole = read_boxes(write_boxes(tmp_path / "w.csv", [(0, -1, -1, 2, 2)]))
    film = folder / "plain.mkv"
    for track in (beyond, whole):
        assert cut(film, boxes=track).frames.shape[1:] == (24, 24, 3)
    away = read_boxes(write_boxes(tmp_path / "a.csv", [(0, 0, 1.0, 1, 1.2)]))
    with pytest.raises(UnreadableMedia, match="outside the picture"):
        cut(film, boxes=away)


@pytest.mark.parametrize("start_sec", [0.5, 0.52, 1.013])
def test_a_picture_that_begins_late_moves_its_clip(folder, tmp_path, start_sec):
    film = write_talk(tmp_path / "late.mkv", TEXT, start_sec=start_sec, waveform=tone(3.0))
    late, plain = cut(film), cut(folder / "plain.mkv")
    assert plain.start_sec == 0.0
    assert abs(late.start_sec - start_sec) <= 0.02 + 1e-6
    seen, wanted = PREPROCESSOR(late)["video"], PREPROCESSOR(plain)["video"]
    again = seen.shape[1] - wanted.shape[1]  # off the grid of steps the first frame is shown a little early, twice
    assert again == (start_sec != 0.52)
    assert torch.equal(seen[:, again:], wanted)


def test_beside_sound_the_first_frame_stands_for_a_picture_that_begins_late(folder, tmp_path):
    film = write_talk(tmp_path / "late.mkv", TEXT, start_sec=0.4, waveform=tone(3.0))
    late, plain = cut(film, audio=True), cut(folder / "plain.mkv")
    assert late.start_sec == 0.0
    assert (late.frames[:10] == late.frames[10]).all()
    np.testing.assert_array_equal(late.frames[10 : 10 + len(plain.frames)], plain.frames)
    np.testing.assert_allclose(late.frame_times_sec, np.arange(len(late.frames)) * 0.04, atol=1e-3)


@pytest.mark.parametrize("first", [0, 1, 7])
@pytest.mark.parametrize("fps", [15, 24, 25, 30, 60])
def test_the_first_step_is_told_by_all_frames(first, fps):
    times = first * 0.04 + np.arange(60) / fps
    targets = 0.04 * np.arange(first, 40)
    shown = times[np.searchsorted(times, targets + 1e-6, side="right") - 1]
    clip = Clip(None, 0.0, None, None, np.zeros((len(shown), 1, 1, 3), np.uint8), shown, Coverage())
    assert first_step(clip, 0.04) == first
    assert first_step(replace(clip, frames=clip.frames[:1], frame_times_sec=shown[:1]), 0.04) == first


def test_a_film_of_one_frame_is_one_step(tmp_path):
    assert features(write_talk(tmp_path / "x.mkv", TEXT, times_sec=[0.0])).shape[1] == 1


@pytest.mark.parametrize("box", [(0.5, 0, 0.5, 1), (-0.1, 0, 1, 1), (0, 0, 1, 1.1)])
def test_a_fixed_place_lies_within_the_picture(box):
    with pytest.raises(ValueError, match="box="):
        MouthStack(48, 24, 20, 0.04, box)
