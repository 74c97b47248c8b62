"""What a recording is heard between."""

from dataclasses import replace

import numpy as np

from avpipe.media import Clip


def between_silence(clip: Clip, before_sec: float, behind_sec: float) -> Clip:
    """The clip with so much silence in front of its sound and behind it; as it is, where it has no sound."""
    if clip.waveform is None or not clip.sample_rate or not (before_sec or behind_sec):
        return clip
    before, behind = (round(seconds * clip.sample_rate) for seconds in (before_sec, behind_sec))
    return replace(clip, waveform=np.pad(clip.waveform, ((0, 0), (before, behind))))
