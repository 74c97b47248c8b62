"""What encoders make of films that are cut together."""

import numpy as np
import pytest
import torch

from avpipe.corpora.editing import coded
from avpipe.corpora.editing.pictures import drawn_picture


@pytest.fixture(scope="module")
def film():
    """A drawing that drifts by, and then another one, (40, 3, 48, 80)."""
    draw = np.random.default_rng(0)
    first, second = (drawn_picture(draw, (48, 120)) for _ in range(2))
    moved = [first[:, :, place : place + 80] for place in range(20)]
    return torch.stack([*moved, *(second[:, :, place : place + 80] for place in range(20))])


def test_a_film_keeps_its_frames_and_is_another_with_every_encoder(film):
    plain = torch.nn.functional.interpolate(film, (16, 27), mode="area").permute(0, 2, 3, 1).numpy() * 255.0
    lost = []
    for seed in range(30):
        frames = coded(film, (16, 27), np.random.default_rng(seed))
        assert frames.shape == (40, 16, 27, 3)
        assert frames.dtype == np.uint8
        lost.append(float(np.abs(frames - plain).mean()))
        step = np.abs(np.diff(frames.astype(float), axis=0)).mean((1, 2, 3))
        assert step.argmax() == 19
    assert min(lost) < 4.0  # levels of 256
    assert max(lost) > 1.5 * min(lost)


def test_what_is_drawn_decides_all(film):
    once, again = (coded(film, (16, 27), np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(once, again)
