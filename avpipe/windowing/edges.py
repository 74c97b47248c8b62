"""What a recording is heard between."""

from dataclasses import replace
from math import ceil

import numpy as np

from avpipe.media import Clip
from avpipe.windowing.windowing import Windowing


def between_silence(clip: Clip, before_sec: float, behind_sec: float) -> Clip:
    """The clip with so much silence in front of its sound and behind it; as it is, where it has no sound."""
    if clip.waveform is None or not clip.sample_rate or not (before_sec or behind_sec):
        return clip
    before, behind = (round(seconds * clip.sample_rate) for seconds in (before_sec, behind_sec))
    return replace(clip, waveform=np.pad(clip.waveform, ((0, 0), (before, behind))))


def quiet_sec(windowing: Windowing, silence_sec: float, step_sec: float) -> float:
    """Of silence at the edges of a recording, in whole steps, so that the steps of all its windows lie on one grid.

    Args:
        windowing: of the network.
        silence_sec: at the least.
        step_sec: from one answer of the network to the next.
    """
    asked_sec = windowing.edge_sec(silence_sec)
    return ceil(asked_sec / step_sec - 1e-6) * step_sec if asked_sec else 0.0
