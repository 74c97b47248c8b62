"""Voices at other speeds, which are other voices: written once."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from avpipe.corpora.errors import CorpusError
from avpipe.corpora.example import Example
from avpipe.corpora.written import write_folder
from avpipe.files import sha256_of
from avpipe.media import read_clip, write_audio

VERSION = 1
"""Of how they are written: another one writes other files, under another name."""


def at_speeds(
    examples: Sequence[Example],
    speeds: Sequence[float],
    sample_rate: int,
    cache: Path,
    name_of: Callable[[Path], str],
) -> list[Example]:
    """Each recording at each speed, pitch and tempo together; its target and group are those of somebody else.

    The voice ``103`` at the speed 1.1 is the voice ``103x1.1``.

    Args:
        examples: whole recordings, whose targets are voices.
        speeds: 1.1 is a tenth faster.
        sample_rate: of the files, in Hz.
        cache: folder in which a folder is made for them.
        name_of: what names a source.

    Raises:
        CorpusError: the disk is full or read-only.
        MediaError: a recording cannot be read.

    Reference:
        H. Yamamoto et al., "Speaker Augmentation and Bandwidth Extension for Deep Speaker Embedding", Interspeech 2019.
    """
    sources = {f"{place:04d}_{example.path.stem}": example for place, example in enumerate(examples)}
    lines = [f"recipe {VERSION}, {sample_rate} Hz"]
    lines += [f"{name_of(example.path)}\t{sha256_of(example.path)}" for example in examples]
    found = []
    for speed in speeds:
        text = "\n".join([*lines, repr(float(speed))])
        folder = cache / hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]

        def fill(part: Path, speed: float = speed) -> None:
            for name, example in sources.items():
                write_audio(part / f"{name}.flac", _sped(example, speed, sample_rate), sample_rate, subtype="PCM_16")

        write_folder(folder, [f"{name}.flac" for name in sources], fill, "voices at other speeds")
        for name, example in sources.items():
            voice = f"{example.target}x{speed:g}"
            found.append(replace(example, path=folder / f"{name}.flac", target=voice, group=voice))
    return found


def _sped(example: Example, speed: float, sample_rate: int) -> np.ndarray:
    """
    Shape:
        returns (1, samples), int16.
    """
    # What is read at a lower rate, and played at the usual one, is faster.
    waveform = read_clip(example.path, sample_rate=round(sample_rate / speed), mono=True).waveform
    if waveform is None:
        raise CorpusError(example.path, "holds no sound", "remove it")
    return np.rint(np.clip(waveform, -1.0, 1.0) * 32767.0).astype(np.int16)
