"""Films that code cuts together: what is in them is what their lists say."""

import csv
import itertools

import numpy as np
import pytest
import torch

from avpipe.corpora import MadeFilms, make_split, read_transitions
from avpipe.corpora import made_films as module
from avpipe.corpora.editing import Material, Style, make_film
from avpipe.corpora.editing.faults import at_pace
from avpipe.corpora.editing.mixes import GRADUAL_KINDS, mixed
from avpipe.corpora.editing.shots import Grade, View, render_shot
from avpipe.errors import ArgumentError
from avpipe.media import read_clip, write_video

SHAPE = (27, 48)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Fights with two recordings a side."""
    root = tmp_path_factory.mktemp("fights")
    rows = []
    for number, side in enumerate(("train", "train", "val", "val", "test", "test")):
        draw = np.random.default_rng(number)
        frames = draw.integers(0, 120, (10, 36, 48, 3), dtype=np.uint8) + np.uint8(20 * number)
        (root / "fight").mkdir(exist_ok=True)
        write_video(root / f"fight/fi{number:03}.mkv", frames, fps=25)
        rows.append([f"fight/fi{number:03}.mkv", "fight", side, f"src{number}"])
    with (root / "split.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file", "label", "split", "source"], *rows])
    return root


@pytest.fixture
def short(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "LENGTH", 40)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_fixed_films_hold_what_their_lists_say(root, short):
    corpus = MadeFilms(root, num_val=2, num_test=3)
    split = make_split(corpus)
    assert [len(part) for part in (split.train, split.val, split.test)] == [2, 2, 3]
    assert {each.target for each in split.train} == {""}
    for example in (*split.val, *split.test):
        times = read_clip(example.path, audio=False, video=True, size_px=(2, 2)).frame_times_sec
        assert len(times) == 40
        for each in read_transitions(example.annotation):
            for told in (each.start_sec, each.end_sec):
                assert np.abs(times - told).min() < 1e-6
                assert told > times[0]


def test_another_process_makes_the_same_films_and_other_counts_other_folders(root, short, tmp_path, monkeypatch):
    def made():
        films = [each for _, each in MadeFilms(root, num_val=1, num_test=2).films]
        clips = [read_clip(each.path, audio=False, video=True) for each in films]
        return films, [clip.frames for clip in clips]

    films, first = made()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    again, second = made()
    assert [each.target for each in again] == [each.target for each in films]
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one, other)
    assert again[0].path.parent.parent.name == films[0].path.parent.parent.name
    other = MadeFilms(root, num_val=1, num_test=1).films[0][1]
    assert other.path.parent.parent.name != films[0].path.parent.parent.name


@pytest.mark.parametrize("number", [0, -1, 1.5, True])
def test_what_is_no_number_of_films_is_refused(root, number):
    with pytest.raises(ArgumentError, match="num_val"):
        MadeFilms(root, num_val=number)


def materials(number=3):
    draw = np.random.default_rng(0)
    return [
        Material(torch.from_numpy(draw.integers(0, 256, (12, 3, 54, 72), dtype=np.uint8)), f"s{place}")
        for place in range(number)
    ]


@pytest.mark.parametrize("seed", range(12))
def test_labels_are_of_the_films_length_and_spans_lie_in_it(seed):
    film = make_film(materials(), Style(SHAPE, 0.5), np.random.default_rng(seed), 100)
    assert film.frames.shape == (100, 3, *SHAPE)
    assert film.frames.min() >= 0.0
    assert film.frames.max() <= 1.0
    labels = film.labels()
    assert labels.shape == (2, 100)
    for first, end in film.spans:
        assert 0 <= first <= end <= 100
    for first, end in film.between_shots():
        assert 0 < first <= end < 100
    assert list(film.spans) == sorted(film.spans)


@pytest.mark.parametrize("seed", range(12))
def test_a_whole_film_has_no_transition_at_its_end_and_none_that_is_short(seed):
    film = make_film(materials(), Style(SHAPE, 0.5, usual=(6.0, 12.0), whole=True), np.random.default_rng(seed), 100)
    places = [0, *(place for span in film.between_shots() for place in span), 100]
    for number, (first, end) in enumerate(itertools.pairwise(places)):
        assert end - first >= 5 if number % 2 == 0 else end == first or end - first >= 5
    assert all(end < 100 for _, end in film.spans)


def test_a_camera_stops_at_the_edges_of_what_it_films():
    """Of a slope of brightness every frame is a slope, and never one and its mirror image."""
    slope = torch.linspace(0.0, 255.0, 72).byte().expand(4, 3, 54, 72)
    plain = Grade(1.0, 1.0, 1.0, (1.0, 1.0, 1.0))
    slopes = 0
    for seed in range(20):
        shot = render_shot(slope, View(0.0, 0.5, 0.4), plain, np.random.default_rng(seed), 60, SHAPE, 0.0)
        slopes += int((shot[:, 0, SHAPE[0] // 2].diff(dim=1) > -1e-3).all())
    assert slopes > 12  # in some, things pass through the picture


def test_a_film_is_drawn_from_its_generator_alone():
    one, two = (make_film(materials(), Style(SHAPE, 0.5), np.random.default_rng(5), 60) for _ in range(2))
    assert torch.equal(one.frames, two.frames)
    assert one.spans == two.spans


def test_cuts_are_where_pictures_change():
    """Of still drawings without anything else, the label is where the greatest difference is."""
    found = 0
    for seed in range(20):
        film = make_film([], Style(SHAPE, 0.0, shortest=10, drawn=1.0, events=0.0), np.random.default_rng(seed), 60)
        difference = film.frames.diff(dim=0).abs().mean((1, 2, 3))
        for first, end in film.between_shots():
            assert first == end
            found += int(difference[first - 1] > 3 * difference.median())
    assert found > 15


@pytest.mark.parametrize("kind", GRADUAL_KINDS)
def test_no_frame_of_a_gradual_transition_is_one_of_the_shots_alone(kind):
    torch.manual_seed(0)
    old, new = torch.rand(2, 1, 3, *SHAPE).expand(-1, 9, -1, -1, -1)
    for seed in range(6):
        frames = mixed(kind, old, new, np.random.default_rng(seed))
        assert frames.shape == old.shape
        for frame in frames:
            assert (frame - old[0]).abs().max() > 0.005
            assert (frame - new[0]).abs().max() > 0.005


def test_transitions_move_with_the_pace():
    places = np.array([0, 0, 2, 3, 3, 4, 6, 7])
    assert at_pace([(1, 1), (3, 5), (6, 6), (9, 9)], places) == [(2, 2), (3, 6), (6, 6)]
    assert at_pace([], places) == []
