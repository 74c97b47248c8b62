"""avpipe: train CNNs on folders of recordings and films, label media with them, take the noise out of recordings.

``avpipe.load("digits")("take.wav")`` answers one file, ``avpipe.Denoiser()(waveform, sample_rate)`` cleans samples,
and ``avpipe.Denoiser().stream(sample_rate, channels)`` cleans them block by block as they come. Importing the package
loads no torch: what needs it loads it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from avpipe.inference import BeamSettings as BeamSettings
    from avpipe.inference import Predictor as Predictor
    from avpipe.inference import load as load
    from avpipe.inference.denoise import Denoiser as Denoiser

__all__ = ["BeamSettings", "Denoiser", "Predictor", "__version__", "load"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # takes longer to load than all that the command needs before it begins

        return version("avpipe")
    if name in ("BeamSettings", "Predictor", "load"):
        from avpipe import inference

        return getattr(inference, name)
    if name == "Denoiser":
        from avpipe.inference import denoise

        return denoise.Denoiser
    raise AttributeError(f"module 'avpipe' has no attribute {name!r}")
