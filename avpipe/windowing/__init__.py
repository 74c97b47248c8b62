"""From clips to the windows that a network is given; numpy only, whatever computes the network."""

from avpipe.windowing.crops import Crops
from avpipe.windowing.edges import between_silence, quiet_sec
from avpipe.windowing.frame_windows import FrameWindows
from avpipe.windowing.mouth import MouthCut, first_step
from avpipe.windowing.spectrum import NUM_BINS, WINDOW_SEC, Spectrum
from avpipe.windowing.windowing import Arrays, Windowing, cut_anew

__all__ = [
    "NUM_BINS",
    "WINDOW_SEC",
    "Arrays",
    "Crops",
    "FrameWindows",
    "MouthCut",
    "Spectrum",
    "Windowing",
    "between_silence",
    "cut_anew",
    "first_step",
    "quiet_sec",
]
