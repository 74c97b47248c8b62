"""What is said of the pictures that show what spoke for an answer."""

import numpy as np
import pytest

from avpipe.features import LogMel, Preprocessor
from avpipe.report import ScoredAnswer, explained


@pytest.mark.parametrize(
    ("heat", "said"),
    [
        (np.zeros((40, 100)), "nothing spoke for the answer"),
        (np.full((40, 100), 0.95), "no place stands out"),
        (np.eye(40, 100), "warm: what spoke for the answer"),
    ],
)
def test_a_map_that_singles_out_no_place_is_told(samples, heat, said):
    answer = ScoredAnswer(samples / "one.wav", "one.wav", 0.0, None, "", "low", "low", 0.9, {"low": 0.9, "high": 0.1})
    preprocessor = Preprocessor(1.0, 0.5, audio=LogMel(8000, 256, 80, 40))
    (exhibit,) = explained([answer], preprocessor, lambda features, label: {"audio": heat.astype(np.float32)}, 1)
    assert said in exhibit.pictures[-1][1]
