"""The denoising filter on files: streaming, measured, one file or many."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avpipe.device import worker_count
from avpipe.inference.denoise.cleaning import Cleaner, Denoises, MeasuredFilter
from avpipe.inference.denoise.journal import OutputJournal
from avpipe.inference.denoise.measure import Measurement, Meter
from avpipe.inference.denoise.places import find_jobs, is_single
from avpipe.inference.denoise.record import CleanedFile, CleanedSound, DenoiseSettings, Job
from avpipe.inference.denoise.run import clean_file, clean_files

if TYPE_CHECKING:
    from avpipe.inference.denoise.denoiser import Denoiser as Denoiser

__all__ = [
    "CleanedFile",
    "CleanedSound",
    "Cleaner",
    "DenoiseSettings",
    "Denoiser",
    "Denoises",
    "Job",
    "MeasuredFilter",
    "Measurement",
    "Meter",
    "OutputJournal",
    "clean_file",
    "clean_files",
    "find_jobs",
    "is_single",
    "load_denoiser",
    "num_processes",
]


def __getattr__(name: str) -> Any:
    if name == "Denoiser":
        from avpipe.inference.denoise.denoiser import Denoiser

        return Denoiser
    raise AttributeError(f"module 'avpipe.inference.denoise' has no attribute {name!r}")


def load_denoiser(
    bundle: str | Path, settings: DenoiseSettings, device: str, runtime: str = "auto"
) -> tuple[Denoises | None, str]:
    """The filter of a bundle, and the SHA-256 of what determines its output; nothing is loaded where nothing is
    to be changed (``strength=0``).

    Raises:
        AvpipeError: if there is no such bundle, it is damaged or no filter, or the device is missing.
    """
    if settings.least_gain == 1.0:
        return None, ""
    from avpipe.inference.denoise.denoiser import Denoiser

    denoiser = Denoiser(bundle, settings.strength, settings.max_attenuation_db, device, runtime)
    if denoiser.notice:
        print(denoiser.notice, file=sys.stderr)
    return denoiser, denoiser.digest


def num_processes(workers: int | str, device: str, num_files: int) -> int:
    """How many processes filter files at a time; 0: this one does, without limits.

    Raises:
        ArgumentError: for ``workers`` that are neither ``auto`` nor a number from 0.
    """
    asked = worker_count(workers, spared=0)
    # What has begun to use a GPU cannot be forked.
    return 0 if device != "cpu" else min(asked, num_files)
