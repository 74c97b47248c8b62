"""Strings of spoken English digits, made of FSDD."""

import hashlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from avpipe.corpora.corpus import SIDES, Corpus, choose_label, find_root
from avpipe.corpora.errors import CorpusError
from avpipe.corpora.example import Example
from avpipe.corpora.fsdd import Fsdd
from avpipe.corpora.joining import SAMPLE_RATE, Background, DigitString, plan_strings, write_strings
from avpipe.errors import ArgumentError
from avpipe.files import cache_folder, sha256_of

VERSION = 1
"""Of the recipe: another one writes other files, under another name."""


class DigitStrings(Corpus):
    """Strings of 3 to 7 digits of one speaker each; the target is the text, such as ``seven three one``.

    Made of single digits of FSDD and written once into the cache, 8 kHz, 16 bits, mono; ``strings.csv`` beside the
    files tells what each is made of. What stands in a string hangs on the names of the takes alone, and the folder's
    name on the recipe, the arguments and the content of the takes.

    The speakers have turns. Each one's takes are gone through in shuffled packs, so that all come about equally often;
    a digit may follow itself. Pauses are 0.1 to 0.5 s at both ends and 0.05 to 0.6 s between digits. In every second
    string they are digital silence; under the others, from end to end, lies white noise at -75 to -50 dB of full scale.
    The digits of a string have one level, -35 to -15 dB of full scale (less where they would clip), give or take 3 dB
    each: takes of one speaker differ by up to 36 dB, as no one does in one breath. No take is left out: none of FSDD is
    silent or shorter than 0.14 s. The constant offset that every recording of ``nicolas`` has is taken off.

    The group is the speaker. The official split is that of :class:`Fsdd`: test strings are made of takes 0-4,
    validation strings of takes 5-9, and no take stands on two sides; it knows every speaker. ``split.by=group`` and
    ``cv=leave_one_group_out`` set speakers apart, with all strings of each; ``split.by=random`` shares takes.

    Args:
        root: the folder of FSDD; None: ``$AVPIPE_CORPORA/fsdd``.
        label: text.
        num_train: strings that train.
        num_val: strings that validate.
        num_test: strings that test.
        seed: of what is drawn.
        noise: a recording that is to be heard behind all strings; None: none is.
        snr_db: mean power of each string from that of the noise behind it.
    """

    name = "digit_strings"
    licence = "CC BY-SA 4.0"
    has_classes = False

    def __init__(
        self,
        root: str | Path | None = None,
        label: str = "text",
        num_train: int = 2000,
        num_val: int = 200,
        num_test: int = 500,
        seed: int = 0,
        noise: str | Path | None = None,
        snr_db: float = 10.0,
    ) -> None:
        self.label = choose_label(self.name, label, ("text",))
        self._counts = dict(zip(SIDES, (num_train, num_val, num_test), strict=True))
        for side, number in self._counts.items():
            if type(number) is not int or number < 1:
                raise ArgumentError(f"corpus.num_{side}={number}", "is no number of strings", "give 1 or more")
        self._seed = seed
        self._background: Background | None = None
        if noise is not None:
            if not Path(noise).is_file():
                raise ArgumentError(f"corpus.noise={noise}", "is no file", "give a recording of noise")
            if type(snr_db) not in (int, float) or not -50 <= snr_db <= 100:
                raise ArgumentError(f"corpus.snr_db={snr_db}", "is no ratio", "give decibels from -50 to 100")
            self._background = Background(Example(Path(noise), "noise"), float(snr_db))
        self.root = find_root(self.name, root, "fsdd", "the Free Spoken Digit Dataset from its GitHub page")
        self._cache = cache_folder() / self.name
        self.other_roots = (self._cache,)

    def scan(self) -> Iterator[Example]:
        yield from self._sides

    def official_split(self) -> dict[Example, str]:
        return dict(self._sides)

    @cached_property
    def strings(self) -> tuple[tuple[DigitString, Example], ...]:
        """Every string and its example, in the table's order; they are written if they are not there yet."""
        planned = self._plan()
        folder = self._cache / self._digest(planned)
        write_strings(folder, planned, self._background)
        return tuple((each, Example(folder / each.name, each.text, group=each.speaker)) for each in planned)

    @cached_property
    def _sides(self) -> dict[Example, str]:
        return {example: string.side for string, example in self.strings}

    def _plan(self) -> list[DigitString]:
        takes = Fsdd(self.root).official_split()
        planned = []
        for side, number in self._counts.items():
            mine = [take for take, on_side in takes.items() if on_side == side]
            if not mine:
                raise CorpusError(self.root, f"holds no takes that {side} strings are made of", "complete the corpus")
            planned += plan_strings(mine, side, number, self._seed)
        return planned

    def _digest(self, planned: list[DigitString]) -> str:
        """What the strings are made of and how, in 16 hexadecimal digits."""
        used = {take.path for string in planned for take in string.takes}
        lines = [f"recipe {VERSION}, {SAMPLE_RATE} Hz, seed {self._seed}, {self._counts}"]
        # By name without folder: the root may be the folder of the recordings, or one above.
        lines += sorted(f"{path.stem}\t{sha256_of(path)}" for path in used)
        for string in planned:
            takes = (take.path.stem for take in string.takes)
            drawn = (string.levels_db, string.pauses, string.level_db, string.noise_db)
            lines.append("\t".join((string.name, *takes, *map(repr, drawn))))
        if self._background is not None:
            lines.append(f"behind them {sha256_of(self._background.noise.path)} at {self._background.snr_db!r} dB")
        return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()[:16]
