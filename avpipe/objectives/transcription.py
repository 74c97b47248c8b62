"""What was said, letter by letter or word by word."""

import copy
import math
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor, nn

from avpipe.errors import AvpipeError
from avpipe.networks import Output
from avpipe.objectives.alignment import BLANK, likeliest_path, runs
from avpipe.objectives.edits import edited_pairs, num_edits
from avpipe.objectives.objective import Batch, Decoded, Objective, Word, counted_alone

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

    from avpipe.objectives.beam import BeamSearch

_ROUNDING_SEC = 1e-6

_LISTED_ERRORS = 50

_MOST_CELLS = 10_000_000
"""Words said by words meant of a recording whose errors are listed: with more the table of edits would not fit."""


class Transcription(Objective):
    """Connectionist temporal classification (CTC) over letters; the text is the likeliest path, or what a search finds.

    Transcripts are folded by :func:`plain_text` first, and so is what is said. Windows of a long recording overlap;
    each unit counts in the window in which its beginning is farther from the border.

    A word begins with the first step of its first unit and ends behind the last step of its last unit. A network
    trained so says a unit in few steps, somewhere within its sound: the sound begins earlier and ends later than the
    word by a part of a unit. A unit is as sure as the surest of its steps, a word as its least sure unit. A transcript
    without any unit is one of a recording in which nobody speaks.

    Metrics: ``wer`` and ``cer``, the edits that lead from what was said to the truth, by the number of true words and
    of true characters.

    Args:
        units: what the outputs stand for, from the second on: the characters that occur, the blank between words too.

    Reference:
        A. Graves et al., "Connectionist Temporal Classification: Labelling Unsegmented Sequence Data with Recurrent
        Neural Networks", ICML 2006.
    """

    best_metric = "cer"
    best_is_least = True
    needs_whole = True
    # Without a pause the first word of a cut-out recording is often not heard at all; behind 0.1 s and more of silence,
    # noise that sets in is now and then taken for a word.
    edge_silence_sec = 0.06
    separator: ClassVar[str | None] = " "
    """The unit that stands between two words; None: no unit does."""

    def __init__(self, units: Sequence[str]) -> None:
        super().__init__()
        if not units or len(set(units)) != len(units):
            raise ValueError("units must be different ones, at least one")
        self.units = tuple(units)
        self._places = {unit: place for place, unit in enumerate(self.units, BLANK + 1)}
        self.search: BeamSearch | None = None

    @staticmethod
    def split(text: str) -> list[str]:
        """The units of a folded transcript."""
        return list(text)

    @classmethod
    def vocabulary(cls, targets: Sequence[Any]) -> dict[str, Any]:
        return {"units": sorted({unit for text in told_texts(targets) for unit in cls.split(text)})}

    @property
    def decoding(self) -> Mapping[str, Any]:
        return {"name": "greedy"} if self.search is None else self.search.told

    def searched(self, search: "BeamSearch") -> Self:
        """The same objective, whose texts ``search`` finds."""
        other = copy.copy(self)
        other.search = search
        return other

    @property
    def num_outputs(self) -> int:
        return 1 + len(self.units)

    def encode(self, target: Any) -> Tensor:
        """
        Shape:
            returns (units,), int64: the outputs of its units; those that training never showed are left out.
        """
        found = (self._places.get(unit) for unit in self.segmented(plain_text(str(target))))
        return torch.tensor([place for place in found if place is not None], dtype=torch.long)

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

    @staticmethod
    def least_steps(target: Tensor) -> int:
        """Steps that a path needs: one a unit, and a blank between two that are equal."""
        return len(target) + int((target[1:] == target[:-1]).sum())

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Mean over the batch of each item's cost by its number of units; an item longer than its steps costs nothing.

        Of a mixed item each transcript's cost has the share of its sound.
        """
        assert output.lengths is not None
        steps = output.lengths.clamp_min(1)
        paths = output.value.float().log_softmax(2).transpose(0, 1)

        def cost(targets: Tensor) -> Tensor:
            counts = (targets >= 0).sum(1)
            costs = nn.functional.ctc_loss(
                paths, targets.clamp_min(BLANK), steps, counts, BLANK, reduction="none", zero_infinity=True
            )
            return costs / counts.clamp_min(1)

        if batch.partner_targets is None or batch.partner_weight is None:
            return cost(batch.targets).mean()
        weight = batch.partner_weight
        return ((1.0 - weight) * cost(batch.targets) + weight * cost(batch.partner_targets)).mean()

    def decode(self, output: Output) -> list[Decoded]:
        """The units of each item; with a search among words, whole words stand in their place."""
        assert output.lengths is not None
        paths = output.value.detach().float().cpu().log_softmax(2)
        return [
            Decoded(units=tuple(self._found(path[:steps])))
            for path, steps in zip(paths, output.lengths.tolist(), strict=True)
        ]

    def _found(self, path: Tensor) -> Sequence[Word]:
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

    def metrics(self) -> "MetricCollection":
        from torchmetrics import MetricCollection
        from torchmetrics.text import CharErrorRate, WordErrorRate

        return counted_alone(MetricCollection({"wer": WordErrorRate(), "cer": CharErrorRate()}, compute_groups=False))

    def update(self, metrics: "MetricCollection", answers: Sequence[Decoded], targets: Sequence[Any]) -> None:
        said, true = _texts(answers, targets)
        metrics.update(said, true)

    def scorer(self, answers: Sequence[Decoded], targets: Sequence[Any]) -> Callable[[Sequence[int]], dict[str, float]]:
        # Edits are counted once for all calls: a bootstrap asks a thousand times.
        pairs = list(zip(*_texts(answers, targets), strict=True))
        counts = {
            "wer": [(num_edits(said.split(), true.split()), len(true.split())) for said, true in pairs],
            "cer": [(num_edits(said, true), len(true)) for said, true in pairs],
        }

        def measured(places: Sequence[int]) -> dict[str, float]:
            found = {}
            for name, rows in counts.items():
                edits, length = (sum(rows[place][part] for place in places) for part in (0, 1))
                found[name] = edits / length if length else math.nan
            return found

        return measured

    def tables(self, answers: Sequence[Decoded], targets: Sequence[Any]) -> Mapping[str, list[list[str | int]]]:
        """The commonest errors: a true word (none: it was added), what was said for it (none: left out), how often."""
        said, true = _texts(answers, targets)
        errors = Counter(
            pair
            for heard, meant in zip(map(str.split, said), map(str.split, true), strict=True)
            if len(heard) * len(meant) <= _MOST_CELLS
            for pair in edited_pairs(heard, meant)
            if pair[0] != pair[1]
        )
        rows: list[list[str | int]] = [[*pair, count] for pair, count in errors.most_common(_LISTED_ERRORS)]
        return {"errors": [["true", "said", "count"], *rows]}


class WordTranscription(Transcription):
    """The same over whole words: for a vocabulary so small that each word is heard often."""

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


def told_texts(targets: Sequence[Any]) -> list[str]:
    """Folded transcripts to learn from.

    Raises:
        AvpipeError: if nothing stands in any of them.
    """
    texts = [plain_text(str(target)) for target in targets]
    if not any(texts):
        raise AvpipeError("transcripts", "all that there are to learn from are empty", "see what corpus.label takes")
    return texts


def _texts(answers: Sequence[Decoded], targets: Sequence[Any]) -> tuple[list[str], list[str]]:
    # A search writes words as its list does, with their capitals.
    return [plain_text(answer.text or "") for answer in answers], [plain_text(str(target)) for target in targets]


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
