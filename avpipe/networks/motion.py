"""How things move, measured before anything is learned."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from avpipe.networks.masking import time_mask

_LUMA = (0.299, 0.587, 0.114)
"""Of red, green and blue, as in ITU-R BT.601."""

_FASTEST = 3.0
"""Pixels of the halved picture from one frame to the next; what is faster is taken to be so fast."""


class MotionMaps(nn.Module):
    """Nine maps a frame of what moves since the frame before, on a grid of a quarter of the resolution; no weights.

    From the halved grey picture: the speed, by least squares in a window around each place; at three sizes of
    neighbourhood, by how much the speeds there cancel each other out, which things that go one way do not; how much the
    motion changes from frame to frame; by how much the picture changes, and by how much it would still if what moves
    were moved back; the distance of the frame from the mean of all; and how much texture there is, without which no
    motion is seen. What a scene looks like is left out: few films of few places cannot teach it.

    Args:
        window_px: side of the least squares' window, odd, in pixels of the halved picture.
        neighbourhoods: sides of the neighbourhoods in which motion is compared, odd, in places of the grid.
        noise: standard deviation of a difference that is taken for noise, in standardised grey levels.

    Reference:
        B. D. Lucas, T. Kanade, "An Iterative Image Registration Technique with an Application to Stereo Vision", IJCAI
        1981, one step of it, with ``noise`` added to the diagonal. That violence is told by how motion changes and
        disagrees, and less by how much there is, is the finding of T. Hassner, Y. Itcher, O. Kliper-Gross, "Violent
        Flows", CVPR Workshops 2012.
    """

    NUM_MAPS = 6

    def __init__(self, window_px: int = 7, neighbourhoods: Sequence[int] = (3, 5, 9), noise: float = 0.14) -> None:
        super().__init__()
        if any(side % 2 == 0 for side in (window_px, *neighbourhoods)):
            raise ValueError(f"window_px={window_px} and neighbourhoods={list(neighbourhoods)} must be odd")
        self.window_px = window_px
        self.neighbourhoods = tuple(neighbourhoods)
        self.noise = noise
        self.num_maps = self.NUM_MAPS + len(self.neighbourhoods)

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """
        Shape:
            frames: (B, 3, T, H, W); mask: (B, T), 0 in the padding.
            returns (B, num_maps, T, ceil(H / 4), ceil(W / 4)), at or above 0; 0 in the padding.
        """
        # Differences of nearly equal numbers: bfloat16 would leave nothing of them.
        with torch.autocast(frames.device.type, enabled=False):
            mask = mask[:, :, None, None]
            red, green, blue = (share * colour for share, colour in zip(_LUMA, frames.float().unbind(1), strict=True))
            halved = nn.functional.avg_pool2d(red + green + blue, 2, ceil_mode=True)
            # Behind its end a film stands still at its first frame, so that a single frame does not move.
            maps = self._maps(torch.where(mask, halved, halved[:, :1]), mask.float())
            # The first frame moves as the second does: of what was before it nothing is known.
            return torch.cat([maps[:, :, :1], maps], dim=2)[:, :, : frames.shape[2]] * mask[:, None]

    def _maps(self, grey: Tensor, mask: Tensor) -> Tensor:
        """The maps of each frame but the first, or of the only one.

        Shape:
            grey: (B, T, H, W); mask: (B, T, 1, 1); returns (B, num_maps, max(T - 1, 1), ceil(H / 2), ceil(W / 2)).
        """
        now, before = (grey[:, 1:], grey[:, :-1]) if grey.shape[1] > 1 else (grey, grey)
        change = now - before
        across, down = _slopes((now + before) / 2)
        right, below, texture = self._shift(across, down, change)
        speed = (right.square() + below.square() + 1e-6).sqrt()
        limit = _FASTEST / speed.clamp_min(_FASTEST)
        right, below, speed = right * limit, below * limit, speed * limit
        # Each grid place stands for two by two pixels.
        wide = (slice(0, now.shape[2]), slice(0, now.shape[3]))
        moved = (flow.repeat_interleave(2, 2).repeat_interleave(2, 3)[:, :, *wide] for flow in (right, below))
        left_over = change + across * next(moved) + down * next(moved)
        mean = (grey * mask).sum(1, keepdim=True) / mask.sum(1, keepdim=True).clamp_min(1.0)
        faster = [(flow - torch.cat([flow[:, :1], flow[:, :-1]], dim=1)).square() for flow in (right, below)]
        maps = [
            speed,
            *(self._disagreement(right, below, speed, side) for side in self.neighbourhoods),
            (faster[0] + faster[1] + 1e-6).sqrt(),
            self._over_window(change.abs()),
            self._over_window(left_over.abs()),
            self._over_window((now - mean).abs()),
            texture,
        ]
        # The root of each, as a few great values would drown the many small ones.
        return torch.stack([(one.clamp_min(0.0) + 1e-6).sqrt() for one in maps], dim=1)

    def _shift(self, across: Tensor, down: Tensor, change: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Motion to the right and downwards, in pixels, and texture, on the grid."""
        xx, xy, yy = (self._over_window(one) for one in (across * across, across * down, down * down))
        xt, yt = (self._over_window(slope * change) for slope in (across, down))
        xx_sure, yy_sure = xx + self.noise**2, yy + self.noise**2
        determinant = xx_sure * yy_sure - xy * xy
        right = (xy * yt - yy_sure * xt) / determinant
        below = (xy * xt - xx_sure * yt) / determinant
        return right, below, (xx + yy + 1e-6).sqrt()

    def _over_window(self, x: Tensor) -> Tensor:
        """Means over the window around every other pixel of either axis."""
        return _mean_around(x, self.window_px, stride=2)

    def _disagreement(self, right: Tensor, below: Tensor, speed: Tensor, side: int) -> Tensor:
        """The neighbourhood's mean speed less the speed of its mean motion: 0 where all goes one way."""
        together = _mean_around(right, side).square() + _mean_around(below, side).square()
        return _mean_around(speed, side) - (together + 1e-6).sqrt()


def _slopes(picture: Tensor) -> tuple[Tensor, Tensor]:
    """By how much a picture rises to the right and downwards, a pixel."""
    wide = nn.functional.pad(picture, (1, 1, 1, 1), mode="replicate")
    across = (wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]) / 2
    down = (wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1]) / 2
    return across, down


def _mean_around(x: Tensor, side: int, stride: int = 1) -> Tensor:
    """Mean over the square around each place, of what of it lies within the picture; one axis after the other."""
    if torch.onnx.is_in_onnx_export():
        # In a graph pooling is one operator, and slices would be a thousand.
        half = side // 2
        x = nn.functional.avg_pool2d(x, (side, 1), (stride, 1), (half, 0), count_include_pad=False)
        return nn.functional.avg_pool2d(x, (1, side), (1, stride), (0, half), count_include_pad=False)
    for axis in (2, 3):
        x = _sum_around(x, axis, side, stride) / _sum_around(torch.ones_like(x[:1, :1]), axis, side, stride)
    return x


def _sum_around(x: Tensor, axis: int, side: int, stride: int) -> Tensor:
    """Sum over what lies around each place along an axis; on a CPU twice as fast as pooling, and bit-equal to it."""
    half = side // 2
    wide = nn.functional.pad(x, (half, half) if axis == 3 else (0, 0, half, half))
    every = (slice(None),) * axis + (slice(None, None, stride),)
    first, *others = (wide.narrow(axis, shift, x.shape[axis])[every] for shift in range(side))
    total = first.clone()
    for other in others:
        total += other
    return total


class MotionEncoder(nn.Module):
    """Maps of motion, and of each map in a step its mean and how high it stands in the places where it is highest.

    Nothing but a normalisation is learned: of some hundred films a 3D CNN over the maps learns no more than this tells.

    Args:
        shares: of the places, over whose highest values means are taken besides that over all.
        window_px: of :class:`MotionMaps`.
        neighbourhoods: of the same.
        noise: of the same.
    """

    ignores_padding = True

    def __init__(
        self,
        shares: Sequence[float] = (0.05, 0.01),
        window_px: int = 7,
        neighbourhoods: Sequence[int] = (3, 5, 9),
        noise: float = 0.14,
    ) -> None:
        super().__init__()
        if not all(0.0 < share < 1.0 for share in shares):
            raise ValueError(f"shares={list(shares)} must lie in (0, 1)")
        self.shares = tuple(shares)
        self.maps = MotionMaps(window_px, neighbourhoods, noise)
        self.out_dim = self.maps.num_maps * (1 + len(self.shares))
        self.norm = nn.BatchNorm1d(self.out_dim)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """
        Shape:
            features: (B, 3, T, H, W); lengths: (B,) in frames; returns (B, out_dim, T) and lengths (B,).
        """
        places = self.maps(features, time_mask(lengths, features.shape[2])).flatten(3)
        counts = [max(1, round(share * int(places.shape[3]))) for share in self.shares]
        highest = places.topk(max(counts, default=1), dim=3).values
        steps = [places.mean(3), *(highest[..., :count].mean(3) for count in counts)]
        return self.norm(torch.cat(steps, dim=1)), lengths
