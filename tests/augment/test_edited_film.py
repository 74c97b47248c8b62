"""Films cut together in place of a clip."""

import numpy as np
import pytest

from avpipe.augment import EditedFilm, item_generator
from avpipe.media import read_clip
from tests.corpora.test_made_films import root  # noqa: F401


@pytest.fixture
def edited(root):  # noqa: F811
    return EditedFilm(root, frames=50, height_px=18, width_px=32)


def test_the_clip_becomes_a_film_with_labels(edited):
    clip = read_clip(edited.recordings[0].path, audio=False, video=True, size_px=(18, 32))
    film = edited(clip, item_generator(0, 0, 3))
    assert film.frames.shape == (50, 18, 32, 3)
    assert film.frames.dtype == np.uint8
    assert film.frame_labels.shape == (2, 50)
    assert len(film.frame_times_sec) == 50


def test_it_is_drawn_from_the_items_generator_alone(edited):
    clip = read_clip(edited.recordings[0].path, audio=False, video=True, size_px=(18, 32))
    films = [edited(clip, item_generator(0, epoch, 3)) for epoch in (0, 1, 0)]
    assert np.array_equal(films[0].frames, films[2].frames)
    assert np.array_equal(films[0].frame_labels, films[2].frame_labels)
    assert not np.array_equal(films[0].frames, films[1].frames)


def test_only_recordings_of_the_training_side_are_drawn_from(edited):
    assert [each.path.stem for each in edited.recordings] == ["fi000", "fi001"]


def test_films_that_are_coded_have_the_same_form_and_seams_where_they_were_made(root):  # noqa: F811
    edited = EditedFilm(root, frames=50, height_px=18, width_px=32, drawn=1.0, coded=1.0)
    clip = read_clip(edited.recordings[0].path, audio=False, video=True, size_px=(18, 32))
    steps, cuts = [], []
    for place in range(8):
        film = edited(clip, item_generator(0, 0, place))
        assert film.frames.shape == (50, 18, 32, 3)
        assert film.frames.flags.c_contiguous
        again = edited(clip, item_generator(0, 0, place))
        assert np.array_equal(film.frames, again.frames)
        steps.append(np.abs(np.diff(film.frames.astype(float), axis=0)).mean((1, 2, 3)))
        cuts.append(film.frame_labels[0, 1:] > 0)
    step, cut = np.concatenate(steps), np.concatenate(cuts)
    assert step[cut].mean() > 5 * step[~cut].mean()
