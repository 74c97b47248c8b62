"""Maps of motion: how fast, how unevenly, and what the eye would call still."""

import pytest
import torch

from avpipe.networks import MotionEncoder
from avpipe.networks.motion import MotionMaps

SPEED, DISAGREEMENT, CHANGE, MEAN_CHANGE, TEXTURE = 0, 2, 4, 5, 8
EVERY = torch.ones(1, 8, dtype=torch.bool)


def scene(side=160):
    """A smooth texture, (side, side), with a standard deviation of 1."""
    torch.manual_seed(0)
    rough = torch.randn(1, 1, side // 8, side // 8)
    smooth = torch.nn.functional.interpolate(rough, (side, side), mode="bicubic", align_corners=False)[0, 0]
    return (smooth - smooth.mean()) / smooth.std()


def film(shown):
    """Grey frames (side, side) as a batch of one film."""
    return torch.stack(shown)[None, None].expand(1, 3, -1, -1, -1)


def panned(step_px, frames=8, side=64):
    picture = scene()
    return film([picture[40 : 40 + side, 10 + step_px * t : 10 + step_px * t + side] for t in range(frames)])


def middle(maps, place):
    """Of one map, squared as it is a root, what is seen in the middle of later frames."""
    return maps[0, place, 2:, 4:-4, 4:-4].square()


@pytest.mark.parametrize("step_px", [1, 2, 3])
def test_speed_is_that_of_a_pan(step_px):
    speed = middle(MotionMaps()(panned(step_px), EVERY), SPEED)
    assert speed.median() == pytest.approx(step_px / 2, rel=0.2)  # in pixels of the halved picture


def test_what_goes_one_way_agrees_and_what_is_torn_apart_does_not():
    picture = scene()
    one_way = MotionMaps()(panned(2), EVERY)
    halves = []
    for t in range(8):
        upper, lower = picture[40:72, 10 + 2 * t : 74 + 2 * t], picture[72:104, 60 - 2 * t : 124 - 2 * t]
        halves.append(torch.cat([upper, lower]))
    apart = MotionMaps()(film(halves), EVERY)
    seam = apart[0, DISAGREEMENT, 2:, 7:9, 4:-4].square().mean()
    assert seam > 4 * middle(one_way, DISAGREEMENT).mean()


def test_nothing_moves_in_a_still_film_and_in_a_single_frame():
    maps = MotionMaps()(panned(0), EVERY)
    for place in (SPEED, DISAGREEMENT, CHANGE, MEAN_CHANGE):
        assert maps[:, place].max() < 0.05
    assert middle(maps, TEXTURE).mean() > 0.1
    single = MotionMaps()(panned(3, frames=1), EVERY[:, :1])
    assert single.shape == (1, 9, 1, 16, 16)
    assert single[:, SPEED].max() < 0.05


def test_padding_holds_nothing_and_changes_nothing():
    frames = panned(2)
    mask = torch.arange(8)[None] < 5
    padded = torch.cat([frames[:, :, :5], torch.full_like(frames[:, :, 5:], 9.0)], dim=2)
    whole, cut = MotionMaps()(padded, mask), MotionMaps()(frames[:, :, :5], mask[:, :5])
    torch.testing.assert_close(whole[:, :, :5], cut)
    assert not whole[:, :, 5:].any()


def test_the_light_of_a_scene_does_not_matter():
    torch.testing.assert_close(MotionMaps()(panned(2) + 0.7, EVERY), MotionMaps()(panned(2), EVERY), atol=0.02, rtol=0)


def test_even_windows_are_refused():
    with pytest.raises(ValueError, match="must be odd"):
        MotionEncoder(window_px=8)


def test_a_step_tells_means_and_the_heights_of_the_highest_places():
    encoder = MotionEncoder(shares=(0.1,)).eval()
    frames, lengths = panned(2), torch.tensor([8])
    maps = encoder.maps(frames, EVERY).flatten(3)
    steps, out_lengths = encoder(frames, lengths)
    highest = maps.sort(dim=3, descending=True).values[..., :26].mean(3)  # of 16 x 16 places
    assert out_lengths is lengths
    torch.testing.assert_close(steps, torch.cat([maps.mean(3), highest], dim=1) / (1 + 1e-5) ** 0.5)
    assert MotionEncoder(shares=()).out_dim == 9


def test_the_first_frame_moves_as_the_second():
    maps = MotionMaps()(panned(2), EVERY)
    torch.testing.assert_close(maps[:, :, 0], maps[:, :, 1])


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_is_a_part_of_the_places(share):
    with pytest.raises(ValueError, match="must lie in"):
        MotionEncoder(shares=(share,))
