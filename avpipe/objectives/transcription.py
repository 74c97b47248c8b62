"""What was said, letter by letter or word by word."""

import math
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from avpipe.networks import Output
from avpipe.objectives.edits import edited_pairs, num_edits
from avpipe.objectives.objective import Batch, Decoded, Objective, Word

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

BLANK = 0
"""Output that says: nothing new. Those of the units follow."""

_ROUNDING_SEC = 1e-6

_LISTED_ERRORS = 50

_MOST_CELLS = 10_000_000
"""Words said by words meant of a recording whose errors are listed: with more the table of edits would not fit."""


class Transcription(Objective):
    """Connectionist temporal classification (CTC) over letters; the text is the likeliest path.

    Transcripts are folded by :func:`plain_text` first, and so is what is said. Windows of a long recording overlap;
    each unit counts in the window in which its beginning is farther from the border.

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

    def __init__(self, units: Sequence[str]) -> None:
        super().__init__()
        if not units or len(set(units)) != len(units):
            raise ValueError("units must be different ones, at least one")
        self.units = tuple(units)
        self._places = {unit: place for place, unit in enumerate(self.units, BLANK + 1)}

    @staticmethod
    def split(text: str) -> list[str]:
        """The units of a folded transcript."""
        return list(text)

    @classmethod
    def vocabulary(cls, targets: Sequence[Any]) -> dict[str, Any]:
        return {"units": sorted({unit for target in targets for unit in cls.split(plain_text(str(target)))})}

    @property
    def num_outputs(self) -> int:
        return 1 + len(self.units)

    def encode(self, target: Any) -> Tensor:
        """
        Shape:
            returns (units,), int64: the outputs of its units; those that training never showed are left out.
        """
        found = (self._places.get(unit) for unit in self.split(plain_text(str(target))))
        return torch.tensor([place for place in found if place is not None], dtype=torch.long)

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
        """The units of each item's likeliest path, each as sure as its surest step."""
        assert output.lengths is not None
        scores, places = output.value.detach().float().cpu().softmax(2).max(2)
        return [
            Decoded(units=tuple(self._runs(places[row, :steps].tolist(), scores[row, :steps].tolist())))
            for row, steps in enumerate(output.lengths.tolist())
        ]

    def _runs(self, places: Sequence[int], scores: Sequence[float]) -> Iterator[Word]:
        for place, run in groupby(range(len(places)), places.__getitem__):
            if place != BLANK:
                steps = list(run)
                best = max(scores[step] for step in steps)
                yield Word(self.units[place - 1], float(steps[0]), float(steps[-1] + 1), best)

    def combine(self, windows: Sequence[Decoded], weights: Sequence[float]) -> Decoded:
        """One window after the other, what two of them have heard cut in the middle of their overlap."""
        units = list(windows[0].units)
        for window in windows[1:]:
            # Steps of two windows lie at the same times but for rounding.
            border_sec = window.border_sec - _ROUNDING_SEC
            while units and units[-1].start_sec >= border_sec:
                units.pop()
            units += [unit for unit in window.units if unit.start_sec >= border_sec]
        return Decoded(units=tuple(units))

    def finished(self, combined: Decoded) -> Decoded:
        words = tuple(self._words(combined.units))
        score = math.fsum(word.score for word in words) / len(words) if words else None
        return replace(combined, text=" ".join(word.text for word in words), words=words, score=score, units=())

    def _words(self, units: Sequence[Word]) -> Iterator[Word]:
        """Letters up to a blank are a word, as sure as its least sure letter."""
        for is_blank, run in groupby(units, lambda unit: unit.text == " "):
            if not is_blank:
                letters = list(run)
                text = "".join(letter.text for letter in letters)
                yield Word(text, letters[0].start_sec, letters[-1].end_sec, min(letter.score for letter in letters))

    def metrics(self) -> "MetricCollection":
        from torchmetrics import MetricCollection
        from torchmetrics.text import CharErrorRate, WordErrorRate

        return MetricCollection({"wer": WordErrorRate(), "cer": CharErrorRate()}, compute_groups=False)

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

    @staticmethod
    def split(text: str) -> list[str]:
        return text.split()

    def _words(self, units: Sequence[Word]) -> Iterator[Word]:
        yield from units


def _texts(answers: Sequence[Decoded], targets: Sequence[Any]) -> tuple[list[str], list[str]]:
    return [answer.text or "" for answer in answers], [plain_text(str(target)) for target in targets]


def plain_text(text: str) -> str:
    """A transcript with nothing but what can be heard: small letters, digits and apostrophes, one blank between words.

    Composed by Unicode's canonical form, so that a letter with its accent is one character.
    """
    composed = unicodedata.normalize("NFC", text).lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    kept = "".join(char if char == "'" or unicodedata.category(char)[0] in "LNM" else " " for char in composed)
    return " ".join(word for word in (piece.strip("'") for piece in kept.split()) if word)
