"""Mixed batches are exactly the sums and the cuts that they say they are."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from avpipe.augment import CutMix, MixUp
from avpipe.features import collate
from tests.clips import generator_of

STEPS = {"audio": 30, "video": 8}


def batch_of(lengths):
    """Features of items whose lengths (audio, video) are given in steps; 0: it lacks the sense."""
    generator = torch.Generator().manual_seed(len(lengths))
    items = []
    for audio, video in lengths:
        item = {}
        if audio:
            item["audio"] = torch.randn(1, 5, audio, generator=generator)
        if video:
            item["video"] = torch.randn(3, video, 4, 4, generator=generator)
        items.append(item)
    return collate(items, STEPS)


LENGTHS = [(30, 8), (12, 8), (30, 3), (7, 0), (0, 5)]


@pytest.mark.parametrize("mix", [MixUp(0.4), CutMix(1.0)], ids=["mixup", "cutmix"])
def test_a_mixture_repeats_differs_and_leaves_its_input(mix):
    features, lengths = batch_of(LENGTHS)
    before = {sense: value.clone() for sense, value in features.items()}
    first, again, other = (mix(features, lengths, generator_of(index)) for index in (0, 0, 1))
    for sense in features:
        assert torch.equal(first.features[sense], again.features[sense])
        assert not torch.equal(first.features[sense], other.features[sense])
        assert torch.equal(features[sense], before[sense])
    assert torch.equal(first.partner, again.partner)
    assert sorted(first.partner.tolist()) == list(range(5))
    assert first.partner.dtype == torch.int64
    assert first.weight.dtype == torch.float32
    assert bool(((first.weight >= 0) & (first.weight <= 1)).all())


def test_mixup_is_the_convex_sum_and_as_long_as_the_longer():
    features, lengths = batch_of(LENGTHS)
    for index in range(20):
        mixture = MixUp(0.4)(features, lengths, generator_of(index))
        for place, (partner, weight) in enumerate(zip(mixture.partner.tolist(), mixture.weight.tolist(), strict=True)):
            for sense, value in features.items():
                expected = (1 - weight) * value[place].double() + weight * value[partner].double()
                torch.testing.assert_close(mixture.features[sense][place].double(), expected, atol=1e-6, rtol=0)
                longer = max(int(lengths[sense][place]), int(lengths[sense][partner]))
                assert int(mixture.lengths[sense][place]) == longer


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 30), st.just(0)), min_size=1, max_size=6), st.integers(0, 1000))
def test_cutmix_says_which_share_it_pasted(lengths_sec, index):
    if not any(audio for audio, _ in lengths_sec):
        return
    features, lengths = batch_of(lengths_sec)
    mixture = CutMix(1.0)(features, lengths, generator_of(index))
    assert torch.equal(mixture.lengths["audio"], lengths["audio"])
    for place, partner in enumerate(mixture.partner.tolist()):
        own, other, mixed = (features["audio"][place], features["audio"][partner], mixture.features["audio"][place])
        length = int(lengths["audio"][place])
        if partner == place or not length:
            assert torch.equal(mixed, own)
            continue
        pasted = (mixed != own).all(0).all(0)
        assert int(pasted.sum()) / length == pytest.approx(float(mixture.weight[place]), abs=1e-6)
        assert torch.equal(mixed[..., pasted], other[..., pasted])
        assert torch.equal(mixed[..., ~pasted], own[..., ~pasted])
        places = pasted.nonzero()[:, 0]
        assert not len(places) or int(places[-1] - places[0]) == len(places) - 1
        assert not len(places) or int(places[-1]) < min(length, int(lengths["audio"][partner]))


def test_sound_and_picture_are_cut_at_the_same_time():
    ramp = torch.arange(4.0)[:, None, None]
    features = {
        "audio": ramp[:, :, :, None].expand(4, 1, 5, 80).clone(),
        "video": ramp[..., None, None].expand(4, 3, 8, 4, 4).clone(),
    }
    lengths = {"audio": torch.full((4,), 80), "video": torch.full((4,), 8)}
    for index in range(20):
        mixture = CutMix(1.0)(features, lengths, generator_of(index))
        for place in range(4):
            heard = (mixture.features["audio"][place, 0, 0] != place).float().mean()
            seen = (mixture.features["video"][place, 0, :, 0, 0] != place).float().mean()
            assert float(abs(heard - seen)) <= 1 / 16 + 1 / 160 + 1e-6
            if int(mixture.partner[place]) != place:
                assert float(mixture.weight[place]) == pytest.approx(float(heard + seen) / 2, abs=1e-6)


def test_weights_follow_their_distribution():
    features, lengths = batch_of([(30, 8)] * 5)
    weights = np.concatenate(
        [MixUp(0.4)(features, lengths, generator_of(index)).weight.numpy() for index in range(400)]
    )
    assert weights.mean() == pytest.approx(0.5, abs=0.03)
    assert weights.var() == pytest.approx(0.25 / (2 * 0.4 + 1), abs=0.01)
