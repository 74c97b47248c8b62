"""Senses taken away in training."""

import pytest
import torch

from avpipe.augment import SenseDropout
from tests.clips import generator_of

BOTH = {"audio": torch.ones(1, 4, 5), "video": torch.ones(3, 2, 4, 4)}


def test_senses_are_lost_as_often_as_asked():
    dropout = SenseDropout(audio=0.2, video=0.3)
    left = [tuple(dropout(BOTH, generator_of(index))) for index in range(1000)]
    assert left.count(("video",)) == pytest.approx(200, abs=40)
    assert left.count(("audio",)) == pytest.approx(300, abs=45)
    assert left.count(("audio", "video")) == 1000 - left.count(("video",)) - left.count(("audio",))
    assert set(BOTH) == {"audio", "video"}


def test_the_only_sense_is_never_lost():
    dropout = SenseDropout(audio=0.5, video=0.5)
    for sense in BOTH:
        assert all(list(dropout({sense: BOTH[sense]}, generator_of(index))) == [sense] for index in range(20))


def test_parts_that_are_none_are_refused():
    with pytest.raises(ValueError, match=r"audio=0\.7 and video=0\.4"):
        SenseDropout(audio=0.7, video=0.4)
