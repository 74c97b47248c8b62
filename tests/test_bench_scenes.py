"""The script that compares with PySceneDetect: what it grants, and what it counts."""

import numpy as np
import pytest

from avpipe.corpora import Example, understood
from avpipe.media import write_video
from scripts import bench_scenes as bench


@pytest.fixture
def film(tmp_path):
    write_video(tmp_path / "film.mkv", [np.zeros((16, 16, 3), np.uint8)] * 100, fps=25)
    return Example(tmp_path / "film.mkv", "1 2-2.4 3.2")


def test_a_boundary_has_the_kind_that_suits_it(film):
    counts = bench.granted([1.0, 2.2, 2.3, 3.0], film)
    assert (counts["cut_right"], counts["cut_found"], counts["cut_true"]) == (1, 2, 2)
    assert (counts["gradual_right"], counts["gradual_found"], counts["gradual_true"]) == (1, 1, 1)
    assert (counts["any_right"], counts["any_found"], counts["any_true"]) == (2, 3, 3)


def test_times_are_moved_to_the_nearest_frame(film):
    assert bench.granted([1.012, 3.19], film)["cut_right"] == 2


def test_kinds_can_be_left_aside():
    true = understood("1 2-3")
    assert bench.any_kind(understood("1 2.5"), true)["any_right"] == 2
    assert bench.any_kind(understood("1 1.04-1.2"), true)["any_right"] == 1
    assert bench.any_kind(understood("2.5 2.6"), true)["any_right"] == 1
