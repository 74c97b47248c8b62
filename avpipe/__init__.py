"""avpipe: train CNNs on folders of recordings and films, label media with them, take the noise out of recordings.

``avpipe.load("digits")("take.wav")`` answers one file, ``avpipe.Denoiser()(waveform, sample_rate)`` cleans samples,
and ``avpipe.Denoiser().stream(sample_rate, channels)`` cleans them block by block as they come. Importing the package
loads no torch: what needs it loads it.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from avpipe.inference import Predictor as Predictor
    from avpipe.inference import load as load
    from avpipe.inference.denoise import Denoiser as Denoiser

__all__ = ["Denoiser", "Predictor", "__version__", "load"]

__version__ = version("avpipe")


def __getattr__(name: str) -> Any:
    if name in ("Predictor", "load"):
        from avpipe import inference

        return getattr(inference, name)
    if name == "Denoiser":
        from avpipe.inference import denoise

        return denoise.Denoiser
    raise AttributeError(f"module 'avpipe' has no attribute {name!r}")
