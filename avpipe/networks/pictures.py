"""Spectrograms and frames as pictures for 2D networks, and what these say as a sequence over time."""

from torch import Tensor, channels_last

from avpipe.errors import ArgumentError
from avpipe.networks.masking import time_mask


def as_pictures(features: Tensor, lengths: Tensor) -> Tensor:
    """A spectrogram is one picture, a film one for each frame; what stands behind an item's length is zeros.

    Shape:
        features: (B, 1, n_mels, frames) or (B, 3, T, H, W); lengths: (B,) in frames.
        returns (B, 1, n_mels, frames) or (B * T, 3, H, W).
    """
    if is_film(features):
        mask = time_mask(lengths, features.shape[2])[:, None, :, None, None].to(features.dtype)
        pictures = (features * mask).transpose(1, 2).flatten(0, 1)
    else:
        pictures = features * time_mask(lengths, features.shape[3])[:, None, None].to(features.dtype)
    # In this layout of memory convolutions on a CPU take half the time.
    return pictures.contiguous(memory_format=channels_last)


def as_sequence(maps: Tensor, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """What a network has made of pictures, as vectors over time.

    Of a spectrogram the mean over frequency is taken, and the width stays time; of frames the mean over the picture.

    Shape:
        maps: (B, channels, height, steps) or (B * T, channels, height, width), of :func:`as_pictures`; features and
        lengths: what went into it. Returns (B, channels, steps or T) and lengths (B,) in these: a step counts if any
        of it lies within the item's length, and each item has one at least.
    """
    if is_film(features):
        return maps.mean((2, 3)).view(features.shape[0], -1, maps.shape[1]).transpose(1, 2), lengths
    steps, frames = maps.shape[3], features.shape[3]
    return maps.mean(2), ((lengths * steps + frames - 1) // frames).clamp(1, steps)


def is_film(features: Tensor) -> bool:
    """Whether features are frames, (B, 3, T, H, W), and no spectrogram."""
    return features.ndim == 5


def check_size(name: str, pictures: Tensor, least_px: int) -> None:
    """Refuse pictures in which nothing would be left of a network's maps.

    Shape:
        pictures: (N, channels, height, width).

    Raises:
        ArgumentError: naming the least size, which holds for height and width.
    """
    if min(pictures.shape[2:]) < least_px:
        raise too_small(name, pictures, f"{least_px}x{least_px}")


def too_small(name: str, pictures: Tensor, least: str) -> ArgumentError:
    """
    Args:
        name: of the network.
        pictures: that it was given.
        least: the size that it needs, height first.
    """
    height, width = pictures.shape[2:]
    if pictures.shape[1] == 1:
        given = f"a window of {height} bands and {width} frames"
        remedy = "give more bands (preprocess.audio.n_mels) or longer windows (preprocess.window_sec)"
    else:
        given, remedy = f"frames of {height}x{width}", "give larger frames (preprocess.video.crop_px and size_px)"
    return ArgumentError(f"encoder {name}", f"sees {least} at least, and not {given}", f"{remedy}, or another encoder")
