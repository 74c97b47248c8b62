"""What an encoder makes of a film: blocks, rings, pictures that come late or sharp all at once."""

import math
import tempfile
from pathlib import Path

import numpy as np
from torch import Tensor

from avpipe.corpora.editing.pictures import Shape
from avpipe.media import read_clip, write_video

_PRESETS = ("ultrafast", "superfast", "veryfast")


def coded(frames: Tensor, shape: Shape, draw: np.random.Generator) -> np.ndarray:
    """Write a film by a drawn encoder, well or badly, and read it as a decoder gives it at another size.

    Args:
        frames: of the film.
        shape: (height, width) in pixels to be read at.
        draw: what is drawn.

    Shape:
        frames: (T, 3, height, width) in [0, 1], of even sides; returns (T, *shape, 3), uint8.
    """
    pictures = (frames * 255.0).round_().byte().permute(0, 2, 3, 1).numpy()
    codec, options = _encoder(draw)
    with tempfile.TemporaryDirectory(prefix="avpipe-film-") as folder:
        path = Path(folder) / "film.mkv"
        write_video(path, pictures, codec=codec, options={**options, "threads": "1"})
        read = read_clip(path, audio=False, video=True, size_px=shape).frames
    assert read is not None  # read_clip raises where there is none
    return read


def _encoder(draw: np.random.Generator) -> tuple[str, dict[str, str]]:
    """Its name and options; half of all films begin anew at cuts and every ten seconds only."""
    group = 250 if draw.random() < 0.5 else int(draw.integers(8, 60))
    if draw.random() < 0.3:
        codec = "mpeg4" if draw.random() < 0.5 else "mpeg2video"
        return codec, {"g": str(group), "b": str(round(math.exp(draw.uniform(math.log(5e4), math.log(1e6)))))}
    preset = _PRESETS[int(draw.integers(len(_PRESETS)))]
    options = {"g": str(group), "crf": str(int(draw.integers(18, 39))), "preset": preset}
    return "libx264", options if draw.random() < 0.7 else {**options, "sc_threshold": "0"}
