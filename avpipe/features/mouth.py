"""What networks that read lips take."""

from collections.abc import Sequence

from torch import Tensor

from avpipe.features.frames import FrameStack
from avpipe.media import ClipFormat
from avpipe.windowing import MouthCut


class MouthStack(FrameStack):
    """Squares around the mouth at even times, grey and standardised.

    The squares are cut out of the decoded pictures by :attr:`mouth_cut`: along the boxes of the film where these are
    known, else at a fixed place, such as the lower face of somebody who sits before the camera.

    Args:
        picture_px: length of the picture's shorter side, scaled to in the decoder.
        size_px: side that the squares are scaled to.
        crop_px: side of the square that is seen, the middle of them; the rest is room for shifts in training.
        stride_sec: time between two frames, so that films of 15, 25 and 60 frames a second mean the same.
        box: left, top, right and bottom of the fixed place, as fractions of the picture.
        mean: of the grey values in [0, 1].
        std: of the same.

    Reference:
        P. Ma et al., "Auto-AVSR: Audio-Visual Speech Recognition with Automatic Labels", 2023, arXiv:2303.14307 (grey
        squares around the mouth, 96 pixels of which 88 are seen; mean and standard deviation are theirs). They turn
        the face upright by its landmarks first; here the box alone tells where the mouth is.
    """

    def __init__(
        self,
        picture_px: int,
        size_px: int,
        crop_px: int,
        stride_sec: float,
        box: Sequence[float],
        mean: float = 0.421,
        std: float = 0.165,
    ) -> None:
        super().__init__(size_px, crop_px, stride_sec, (mean,) * 3, (std,) * 3)
        left, top, right, bottom = box
        if not (0.0 <= left < right <= 1.0 and 0.0 <= top < bottom <= 1.0):
            raise ValueError(f"box={list(box)}: left, top, right, bottom in fractions of the picture, from 0 to 1")
        self.picture_px = picture_px
        self.box = tuple(box)

    @property
    def clip_format(self) -> ClipFormat:
        return ClipFormat(audio=False, video=True, size_px=self.picture_px, stride_sec=self.stride_sec)

    @property
    def mouth_cut(self) -> MouthCut:
        """What cuts the squares out."""
        return MouthCut(self.size_px, self.stride_sec, self.box)

    def standardised(self, planes: Tensor) -> Tensor:
        return super().standardised(planes).mean(-4, keepdim=True)
