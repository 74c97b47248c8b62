"""What was said, letter by letter, word by word, or piece by piece."""

import copy
import math
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from avpipe.answers.alignment import BLANK, likeliest_path, runs
from avpipe.answers.answers import Answers
from avpipe.answers.decoded import Decoded, Word

_ROUNDING_SEC = 1e-6


class Search(Protocol):
    """Finds units, or whole words, with times in steps: :class:`avpipe.objectives.BeamSearch`."""

    told: Mapping[str, Any]

    @property
    def says_words(self) -> bool: ...

    def __call__(self, log_probs: np.ndarray) -> list[Word]: ...


class TextAnswers(Answers):
    """The units along the likeliest path, or what a search finds; letters up to a blank are a word.

    Args:
        units: what the outputs stand for, from the second on: the characters that occur, the blank between words too.
    """

    # Without a pause the first word of a cut-out recording is often not heard at all; behind 0.1 s and more of silence,
    # noise that sets in is now and then taken for a word.
    edge_silence_sec = 0.06
    separator: ClassVar[str | None] = " "
    """The unit that stands between two words; None: no unit does."""

    def __init__(self, units: Sequence[str]) -> None:
        self._begin(units)

    def _begin(self, units: Sequence[str]) -> None:
        self.units = tuple(units)
        self._places = {unit: place for place, unit in enumerate(self.units, BLANK + 1)}
        self.search: Search | None = None

    @property
    def settings(self) -> dict[str, Any]:
        return {"units": list(self.units)}

    @staticmethod
    def split(text: str) -> list[str]:
        """The units of a folded transcript."""
        return list(text)

    @property
    def decoding(self) -> Mapping[str, Any]:
        return {"name": "greedy"} if self.search is None else self.search.told

    def searched(self, search: Search) -> Self:
        """The same objective, whose texts ``search`` finds."""
        other = copy.copy(self)
        other.search = search
        return other

    def segmented(self, text: str) -> list[str]:
        """A folded transcript in units; what no output stands for is among them."""
        return self.split(text)

    def foreign(self, target: Any) -> set[str]:
        """What of a transcript no output stands for."""
        return {unit for unit in self.segmented(plain_text(str(target))) if unit not in self._places}

    def spelled(self, word: str) -> list[int] | None:
        """The outputs that a folded word is made of; None: it holds what no output stands for."""
        places = [self._places.get(unit) for unit in self.segmented(word)]
        return [place for place in places if place is not None] if None not in places else None

    def own_words(self) -> tuple[str, ...]:
        """The words that can be said, where they are known."""
        return ()

    def said(self, scores: np.ndarray, lengths: np.ndarray | None) -> list[Decoded]:
        """The units of each item; with a search among words, whole words stand in their place.

        Shape:
            scores: (B, steps, 1 + units), natural logarithms.
        """
        assert lengths is not None
        return [
            Decoded(units=tuple(self._found(path[:steps])))
            for path, steps in zip(scores, lengths.tolist(), strict=True)
        ]

    def _found(self, path: np.ndarray) -> Sequence[Word]:
        if self.search is not None:
            return self.search(path)
        return [run.named(self.units[run.place - 1]) for run in runs(path, likeliest_path(path))]

    def combine(self, windows: Sequence[Decoded], weights: Sequence[float]) -> Decoded:
        """One window after the other, what two of them have heard cut in the middle of their overlap."""
        if self._says_words:
            return Decoded(units=_words_in_turn(windows))
        units = list(windows[0].units)
        for window in windows[1:]:
            # Steps of two windows lie at the same times but for rounding.
            border_sec = window.border_sec - _ROUNDING_SEC
            while units and units[-1].start_sec >= border_sec:
                units.pop()
            units += [unit for unit in window.units if unit.start_sec >= border_sec]
        return Decoded(units=tuple(units))

    def finished(self, combined: Decoded) -> Decoded:
        words = combined.units if self._says_words else tuple(self._words(combined.units))
        score = math.fsum(word.score for word in words) / len(words) if words else None
        return replace(combined, text=" ".join(word.text for word in words), words=words, score=score, units=())

    @property
    def _says_words(self) -> bool:
        return self.search is not None and self.search.says_words

    def _words(self, units: Sequence[Word]) -> Iterator[Word]:
        """Letters up to a blank are a word."""
        for is_blank, letters in groupby(units, lambda unit: unit.text == self.separator):
            if not is_blank:
                yield joined(list(letters))


class WordAnswers(TextAnswers):
    """The same of whole words."""

    separator = None

    @staticmethod
    def split(text: str) -> list[str]:
        return text.split()

    def own_words(self) -> tuple[str, ...]:
        return self.units

    def _words(self, units: Sequence[Word]) -> Iterator[Word]:
        yield from units


def joined(units: Sequence[Word]) -> Word:
    """Units as one word, as sure as the least sure of them."""
    score = min(unit.score for unit in units)
    return Word("".join(unit.text for unit in units), units[0].start_sec, units[-1].end_sec, score)


def _words_in_turn(windows: Sequence[Decoded]) -> tuple[Word, ...]:
    """The words of windows that overlap, each once and whole.

    Two windows may have heard other words at their seam: those that begin in front of the border are of the earlier
    window, and of the later one all whose middle the earlier one's last word leaves free.
    """
    told = list(windows[0].units)
    for window in windows[1:]:
        told = [word for word in told if word.start_sec < window.border_sec - _ROUNDING_SEC]
        end_sec = told[-1].end_sec if told else 0.0
        free_sec = max(window.border_sec, end_sec) - _ROUNDING_SEC
        free = [word for word in window.units if (word.start_sec + word.end_sec) / 2.0 >= free_sec]
        told += [replace(word, start_sec=max(word.start_sec, end_sec)) for word in free]
    return tuple(told)


def plain_text(text: str) -> str:
    """A transcript with nothing but what can be heard: small letters, digits and apostrophes, one blank between words.

    Composed by Unicode's canonical form, so that a letter with its accent is one character.
    """
    return written_text(unicodedata.normalize("NFC", text).lower())


def written_text(text: str) -> str:
    """The same, with its capitals."""
    composed = unicodedata.normalize("NFC", text).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    kept = "".join(char if char == "'" or unicodedata.category(char)[0] in "LNM" else " " for char in composed)
    return " ".join(word for word in (piece.strip("'") for piece in kept.split()) if word)
