"""From decoded video frames to upright RGB arrays, scaled in the same pass as the colour conversion."""

from fractions import Fraction

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

Size = int | tuple[int, int] | None
"""As ``ClipFormat.size_px``: length of the shorter side, exact (height, width), or the file's own."""


def display_shape(width: int, height: int, pixel_aspect: Fraction | None, rotation_deg: int) -> tuple[int, int]:
    """(height, width) of the picture as it is to be seen: square pixels, upright."""
    if pixel_aspect:
        width = max(1, round(width * pixel_aspect))
    return (width, height) if rotation_deg % 180 else (height, width)


def scaled_shape(shape: tuple[int, int], size: Size) -> tuple[int, int]:
    """(height, width) at the size asked for."""
    if size is None:
        return shape
    if isinstance(size, tuple):
        return size
    shorter = min(shape)
    height, width = (max(1, round(side * size / shorter)) for side in shape)
    return height, width


INTERPOLATION = Interpolation.BILINEAR | Interpolation.FULL_CHR_H_INT
"""Without the second flag swscale's scaled and 10-bit pictures come out up to two levels too dark; unscaled 8-bit ones
take the same fast way with it."""


class Painter:
    """Makes RGB arrays of one file's frames."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._shape = shape
        self._reformatters: dict[Size, VideoReformatter] = {}

    def paint(self, frame: VideoFrame, size: Size) -> np.ndarray:
        """(H, W, 3) uint8, upright. It may share memory with FFmpeg: copy what is kept for long."""
        height, width = scaled_shape(self._shape, size)
        quarter_turns = round(frame.rotation / 90) % 4
        if quarter_turns % 2:
            height, width = width, height
        if size not in self._reformatters:
            self._reformatters[size] = VideoReformatter()
        # swscale scales into planes more than twice as fast as into triples, to the same numbers; unscaled pictures
        # have a fast way of their own into triples.
        kept = (frame.width, frame.height) == (width, height)
        rgb = self._reformatters[size].reformat(
            frame, width, height, format="rgb24" if kept else "gbrp", interpolation=INTERPOLATION, threads=1
        )
        picture = np.asarray(rgb.to_ndarray())
        return np.rot90(picture, quarter_turns) if quarter_turns else picture
