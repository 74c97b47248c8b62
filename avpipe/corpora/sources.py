"""Clean speech and noises to be mixed, on three sides that share no speaker and no source of noise."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avpipe.corpora.corpus import SIDES, existing_folder, find_root, relative_to_root
from avpipe.corpora.equality import equal_recordings
from avpipe.corpora.errors import CorpusError
from avpipe.corpora.esc import Esc
from avpipe.corpora.example import Example
from avpipe.corpora.librispeech import LibriSpeech
from avpipe.corpora.stratify import join, share_out
from avpipe.media import MediaError, find_media, probe

VAL_SPEAKERS = 0.1
"""Part of the training speakers of the house layout that validate."""
VAL_NOISES = 0.15
"""Part of each class's source recordings that validate."""
VAL_SECONDS = 0.2
"""Part at the end of each long recording of noise that validates."""
OWN_FRACTIONS = (0.8, 0.1, 0.1)
"""Parts of a user's own folders that train, validate and test."""
TEST_ESC_FOLD = "4"
TEST_NOISES = frozenset(("kitchen", "running_tap"))
"""Recordings in the folder ``noise`` that are never trained on."""
OWN_KIND = "noise"
"""The kind of a user's noises that stand in no folder below the one given."""

_LAYOUT = "librispeech/, esc10/ and noise/ as the README of data lists them"
_REMEDY = f"give corpus.root=DIR with {_LAYOUT}, or corpus.speech=DIR and corpus.noise=DIR of your own"


@dataclass(frozen=True, slots=True)
class Sources:
    """What one side may mix."""

    speech: tuple[Example, ...]
    """Clean recordings; the target is the recording itself, the group its speaker."""
    noise: tuple[Example, ...]
    """Noises, or stretches of them; the target is the kind, the group the source recording."""


def mixture_sources(
    root: str | Path | None = None, speech: str | Path | None = None, noise: str | Path | None = None
) -> dict[str, Sources]:
    """The sources of each of ``SIDES``; what is drawn hangs on names alone.

    House layout. Speech: ``librispeech/train-clean-100``, a tenth of its speakers validates;
    ``librispeech/test-other`` tests. Noise: ``esc10`` folds 1 to 3, about 15 % of each class's source recordings
    validate; fold 4 tests. ``noise``: kitchen and running_tap test; of the others the last fifth in time validates.

    Own folders are shared out 80/10/10: speech by the first folder below the one given (a speaker's, say) or else by
    file, noise by file (its kind is the first folder). Recordings with equal samples stay together.

    Args:
        root: the folder of the house layout; None: ``$AVPIPE_CORPORA``.
        speech: a folder of clean speech, instead of the house's.
        noise: a folder of noises, instead of the house's.

    Raises:
        CorpusError: a folder is missing, or holds too little to be on three sides.
    """
    speeches = own_speech(speech) if speech else house_speech(house_root(root))
    noises = own_noise(noise) if noise else house_noise(house_root(root))
    return {side: Sources(_sorted(speeches[side]), _sorted(noises[side])) for side in SIDES}


def house_root(root: str | Path | None, name: str = "mixtures") -> Path:
    """The folder of the house layout: ``root`` or ``$AVPIPE_CORPORA``.

    Args:
        root: None: not given.
        name: of the corpus that asks.

    Raises:
        CorpusError: there is none.
    """
    return find_root(name, root, ".", _LAYOUT)


def source_roots(
    name: str, root: str | Path | None, speech: str | Path | None, noise: str | Path | None
) -> tuple[Path, Path]:
    """The folders that speech and noise are named relative to.

    Args:
        name: of the corpus that asks.
        root: as in :func:`mixture_sources`.
        speech: as in :func:`mixture_sources`.
        noise: as in :func:`mixture_sources`.

    Raises:
        CorpusError: one is missing.
    """
    speech_root = existing_folder(speech, "give corpus.speech=DIR") if speech else house_root(root, name)
    noise_root = existing_folder(noise, "give corpus.noise=DIR") if noise else house_root(root, name)
    return speech_root, noise_root


def house_speech(root: Path) -> dict[str, list[Example]]:
    """Speech of the house layout, by side."""
    folder = root / "librispeech"
    learnt, tested = (_utterances(folder / subset) for subset in ("train-clean-100", "test-other"))
    held = set(_first_part(sorted({each.group for each in learnt}), VAL_SPEAKERS, "speaker"))
    return {
        "train": [each for each in learnt if each.group not in held],
        "val": [each for each in learnt if each.group in held],
        "test": tested,
    }


def house_noise(root: Path) -> dict[str, list[Example]]:
    """Noise of the house layout, by side."""
    sides: dict[str, list[Example]] = {side: [] for side in SIDES}
    clips = Esc(existing_folder(root / "esc10", _REMEDY)).examples()
    learnt = [clip for clip in clips if not clip.group.startswith(TEST_ESC_FOLD)]
    sides["test"] += [clip for clip in clips if clip.group.startswith(TEST_ESC_FOLD)]
    held: set[str] = set()
    for kind in sorted({str(clip.target) for clip in learnt}):
        # Sources of the class that no class before has held: a source may have given clips of two classes.
        sources = sorted({clip.group for clip in learnt if clip.target == kind} - held)
        held |= set(_first_part(sources, VAL_NOISES, kind))
    for clip in learnt:
        sides["val" if clip.group in held else "train"].append(clip)
    for path in find_media(existing_folder(root / "noise", _REMEDY)):
        for side, stretch in _in_time(path):
            sides[side].append(stretch)
    return sides


def own_speech(folder: str | Path) -> dict[str, list[Example]]:
    """A user's clean speech, by side."""
    root = existing_folder(folder, "give corpus.speech=DIR, a folder of clean speech")
    examples = [Example(path, path, group=_first_folder(path, root) or path.name) for path in find_media(root)]
    return _share_out(root, examples, "recordings of clean speech, or folders of speakers,")


def own_noise(folder: str | Path) -> dict[str, list[Example]]:
    """A user's noises, by side."""
    root = existing_folder(folder, "give corpus.noise=DIR, a folder of noises")
    paths = list(find_media(root))
    examples = [
        Example(path, _first_folder(path, root) or OWN_KIND, group=relative_to_root(path, root)) for path in paths
    ]
    return _share_out(root, examples, "recordings of noise")


def _share_out(root: Path, examples: Sequence[Example], content: str) -> dict[str, list[Example]]:
    units = join(examples, equal_recordings(examples, root), by_group=True)
    if len(units) < len(SIDES):
        remedy = "add others: one at least trains, one validates and one tests"
        raise CorpusError(root, f"holds {len(units)} {content} that differ: too few", remedy)
    counts = np.array([[len(unit)] for unit in units], dtype=np.int64)
    names = [min(relative_to_root(example.path, root) for example in unit) for unit in units]
    drawn = share_out(counts, names, OWN_FRACTIONS, seed=0)
    sides: dict[str, list[Example]] = {side: [] for side in SIDES}
    for unit, side in zip(units, drawn, strict=True):
        sides[side] += unit
    return sides


def _utterances(folder: Path) -> list[Example]:
    found = LibriSpeech(existing_folder(folder, _REMEDY)).examples()
    return [Example(each.path, each.path, group=str(each.target)) for each in found]


def _in_time(path: Path) -> list[tuple[str, Example]]:
    """The sides of a long recording of noise: it tests whole, or trains and then validates."""
    if path.stem in TEST_NOISES:
        return [("test", Example(path, path.stem, group=path.stem))]
    end_sec = probe(path).end_sec
    if end_sec is None:
        raise MediaError(path, "does not tell its length", "convert it to FLAC")
    cut_sec = round((1 - VAL_SECONDS) * end_sec, 3)
    return [
        ("train", Example(path, path.stem, end_sec=cut_sec, group=path.stem)),
        ("val", Example(path, path.stem, start_sec=cut_sec, group=path.stem)),
    ]


def _first_part(names: Sequence[str], fraction: float, seed: str) -> list[str]:
    """A fraction of the names, one at least, drawn by their hashes."""
    drawn = sorted(names, key=lambda name: hashlib.sha256(f"{seed}\t{name}".encode()).digest())
    return drawn[: max(1, round(fraction * len(names)))]


def _first_folder(path: Path, root: Path) -> str:
    first, *rest = path.relative_to(root).parts
    return first if rest else ""


def _sorted(examples: Iterable[Example]) -> tuple[Example, ...]:
    return tuple(sorted(examples, key=lambda each: (each.path, each.start_sec)))
