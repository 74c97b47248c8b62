"""Rewriting plain recordings (wav and its like) with soundfile: every stored form is kept."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from avpipe.media.containers import readable_head
from avpipe.media.damage import coverage_between
from avpipe.media.rewrite.filtered import FilteredSound
from avpipe.media.rewrite.forms import FilterFactory, Rewritten, RewrittenSound
from avpipe.media.rewrite.output import write_errors
from avpipe.media.rewrite.riff import copy_extras, forget_moment
from avpipe.media.samples import Waveform
from avpipe.media.sound import LOSSLESS_MAGIC, open_sound

FORMATS = {
    ".wav": "WAV",
    ".wave": "WAV",
    ".bwf": "WAV",
    ".rf64": "RF64",
    ".w64": "W64",
    ".aiff": "AIFF",
    ".aif": "AIFF",
    ".au": "AU",
    ".snd": "AU",
    ".caf": "CAF",
}
"""soundfile's name of a format by suffix."""

WAV_FORMATS = ("WAV", "WAVEX", "RF64")

LONGEST_WAV_BYTES = 0xFFFF_FFFF - (16 << 20)
"""Of samples; a wav counts in 32 bits, and the last 16 MiB are left for chunks that are no sound."""

STEPS_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32, "ULAW": 14, "ALAW": 13} | {
    f"ALAC_{bits}": bits for bits in (16, 20, 24, 32)
}
"""Bits of the even steps that a stored form is rounded to before it is written."""

BIT_DEPTHS = STEPS_BITS | {"ULAW": 8, "ALAW": 8, "FLOAT": 32, "DOUBLE": 64}


COARSE_SUBTYPES = ("IMA_ADPCM", "MS_ADPCM", "GSM610", "G721_32")
"""Coded in a plain file; these pad the end to a whole block."""


@dataclass(frozen=True, slots=True)
class PlainForm:
    """How a plain recording is stored, in soundfile's words."""

    format: str
    subtype: str


def plain_form(source: Path, destination: Path) -> PlainForm | None:
    """The form in which soundfile can write a source to a destination as it was; None where FFmpeg has to do it."""
    wanted = FORMATS.get(destination.suffix.lower())
    head = readable_head(source)[:4]
    if wanted is None or head not in LOSSLESS_MAGIC or head == b"fLaC":
        return None
    try:
        info = soundfile.info(source)
    except (soundfile.SoundFileError, TypeError, ValueError):
        return None
    if wanted == "WAV" and info.format in WAV_FORMATS:
        wanted = info.format
    sample_bytes = BIT_DEPTHS.get(info.subtype, 8) // 8
    if wanted in WAV_FORMATS and info.frames * info.channels * sample_bytes > LONGEST_WAV_BYTES:
        wanted = "RF64"
    known = info.subtype in BIT_DEPTHS or info.subtype in COARSE_SUBTYPES
    return PlainForm(wanted, info.subtype) if known and soundfile.check_format(wanted, info.subtype) else None


def rewrite_recording(source: Path, destination: Path, form: PlainForm, make_filter: FilterFactory) -> Rewritten:
    """Filter a plain recording; chunks of a wav that are no sound are copied.

    Raises: see ``rewrite_sound``.
    """
    with closing(FilteredSound(source, open_sound(source), 0, 0, make_filter)) as sound:
        _write_samples(sound, destination, form)
        with write_errors(destination):
            forget_moment(destination)
        if form.format in WAV_FORMATS:
            with write_errors(destination):
                copy_extras(source, destination)
        written = RewrittenSound(
            index=0,
            codec=form.subtype.lower(),
            codec_written=form.subtype.lower(),
            sample_rate=sound.form.sample_rate,
            channels=sound.form.channels,
            sample_format=form.subtype,
            bit_depth=BIT_DEPTHS.get(form.subtype),
            samples=sound.samples,
        )
        return Rewritten((written,), coverage_between([sound], 0.0, float("inf")))


def _write_samples(sound: FilteredSound, destination: Path, form: PlainForm) -> None:
    rate, channels = sound.form.sample_rate, sound.form.channels
    with written_sound(destination, destination, rate, channels, form.subtype, form.format) as file:
        while (block := sound.next_block()) is not None:
            samples = stored_steps(block, STEPS_BITS[form.subtype]) if form.subtype in STEPS_BITS else block
            with write_errors(destination):
                file.write(samples.T)


@contextmanager
def written_sound(
    path: Path, named: Path, rate: int, channels: int, subtype: str, format: str, quality: float | None = None
) -> Iterator[soundfile.SoundFile]:
    """A file opened by soundfile to be written; errors in opening and closing it name ``named``."""
    level = None if quality is None else 1.0 - quality
    with write_errors(named):
        path.open("wb").close()  # which says why where it fails; libsndfile does not
        file = soundfile.SoundFile(path, "w", rate, channels, subtype, format=format, compression_level=level)
    try:
        yield file
    except BaseException:
        with suppress(soundfile.SoundFileError):
            file.close()
        raise
    with write_errors(named):
        file.close()


def stored_steps(waveform: Waveform, bits: int) -> np.ndarray:
    """Samples rounded to the steps of an integer form, in the upper bits of int32; what lies beyond is clipped."""
    # Steps finer than float32 itself need room for the largest one.
    exact = waveform.astype(np.float64) if bits > 24 else waveform
    full_scale = 1 << (bits - 1)
    steps = np.clip(np.rint(exact * full_scale), -full_scale, full_scale - 1)
    return steps.astype(np.int32) << (32 - bits)
