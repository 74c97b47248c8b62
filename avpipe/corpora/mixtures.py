"""Clean speech to be mixed with noise in training, and fixed mixtures to validate and test on."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from avpipe.corpora.corpus import Corpus, relative_to_root
from avpipe.corpora.example import Example
from avpipe.corpora.mixing import SAMPLE_RATE, paths_of, write_mixtures
from avpipe.corpora.recipe import Mixture, plan_test, plan_validation
from avpipe.corpora.sources import Sources, mixture_sources, source_roots
from avpipe.files import cache_folder, sha256_of

VERSION = 1
"""Of the recipe: another one writes other files, under another name."""


class Mixtures(Corpus):
    """Speech in noise, for filters that take the noise out.

    A training example is a clean recording, which is its own target: noise is added as it is drawn. Validation and
    test are fixed mixtures, written once into the cache, 16 kHz, 16 bits, mono; the target of each is the file of the
    speech in it, to the last bit. What is mixed with what hangs on the names of the files alone, and the folder's name
    on the recipe and the content of what it mixes. See :func:`mixture_sources` for who stands on which side.

    The ratio of speech to noise is that of their energies over the whole file. Validation: 76 crops of up to 4 s at
    -5 to 20 dB with every kind of noise, babble and generated noise, and 4 left clean. Test: whole utterances, four
    with every kind of noise (and babble of 4 to 6 other speakers) at each of -5, 0, 5, 10 and 15 dB.

    Args:
        root: the folder that holds ``librispeech/``, ``esc10/`` and ``noise/``; None: ``$AVPIPE_CORPORA``.
        speech: a folder of your own clean speech, best a folder a speaker; None: the house's.
        noise: a folder of your own noises, best a folder a kind; None: the house's.
    """

    name = "mixtures"
    licence = "CC BY 4.0 (LibriSpeech, Speech Commands), CC BY 3.0 / CC0 (ESC-10)"
    has_classes = False
    fixed_split = True

    def __init__(
        self, root: str | Path | None = None, speech: str | Path | None = None, noise: str | Path | None = None
    ) -> None:
        if speech or noise:
            self.licence = "not stated"
        self._where = root, speech, noise
        self._source_roots = source_roots(self.name, root, speech, noise)
        self.root = self._source_roots[0]
        self._cache = cache_folder() / self.name
        self.other_roots = (self._cache,)

    def scan(self) -> Iterator[Example]:
        yield from self._sides

    def official_split(self) -> dict[Example, str]:
        return dict(self._sides)

    @cached_property
    def sources(self) -> dict[str, Sources]:
        """Speech and noise of each side."""
        return mixture_sources(*self._where)

    @cached_property
    def mixtures(self) -> tuple[tuple[Mixture, Example], ...]:
        """Every fixed mixture and its example, in the table's order; they are written if they are not there yet."""
        planned = [*plan_validation(self.sources["val"]), *plan_test(self.sources["test"])]
        folder = self._cache / self._digest(planned)
        write_mixtures(folder, planned, self._source_name)
        return tuple((mixture, _example(folder, mixture)) for mixture in planned)

    @cached_property
    def _sides(self) -> dict[Example, str]:
        train = dict.fromkeys(self.sources["train"].speech, "train")
        return train | {example: mixture.side for mixture, example in self.mixtures}

    def _digest(self, planned: Sequence[Mixture]) -> str:
        """What the mixtures are made of and how, in 16 hexadecimal digits."""
        used = {each.path for mixture in planned for each in (mixture.speech, *mixture.noises)}
        lines = [f"recipe {VERSION}, {SAMPLE_RATE} Hz"]
        lines += sorted(f"{self._source_name(path)}\t{sha256_of(path)}" for path in used)
        for mixture in planned:
            sources = (mixture.speech, *mixture.noises)
            named = (f"{self._source_name(each.path)}@{each.start_sec!r}-{each.end_sec!r}" for each in sources)
            lines.append("\t".join((mixture.side, mixture.name, repr(mixture.level_db), *named)))
        return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()[:16]

    def _source_name(self, path: Path) -> str:
        return relative_to_root(path, *self._source_roots)


def _example(folder: Path, mixture: Mixture) -> Example:
    noisy, clean = paths_of(folder, mixture)
    return Example(noisy, clean, group=mixture.speech.group)
