"""What was said, letter by letter or word by word."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from avpipe.answers import BLANK, Decoded, TextAnswers, WordAnswers, plain_text
from avpipe.errors import AvpipeError
from avpipe.networks import Output
from avpipe.objectives.edits import edited_pairs, num_edits
from avpipe.objectives.objective import Batch, Objective, counted_alone

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

_LISTED_ERRORS = 50

_MOST_CELLS = 10_000_000
"""Words said by words meant of a recording whose errors are listed: with more the table of edits would not fit."""


class Transcription(TextAnswers, Objective):
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

    def __init__(self, units: Sequence[str]) -> None:
        Objective.__init__(self)
        if not units or len(set(units)) != len(units):
            raise ValueError("units must be different ones, at least one")
        self._begin(units)

    @classmethod
    def vocabulary(cls, targets: Sequence[Any]) -> dict[str, Any]:
        return {"units": sorted({unit for text in told_texts(targets) for unit in cls.split(text)})}

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

    @staticmethod
    def least_steps(target: Tensor) -> int:
        """Steps that a path needs: one a unit, and a blank between two that are equal."""
        return len(target) + int((target[1:] == target[:-1]).sum())

    def scores(self, value: Tensor) -> Tensor:
        """Natural logarithms of the outputs' likelihoods."""
        return value.log_softmax(2)

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


class WordTranscription(WordAnswers, Transcription):
    """The same over whole words: for a vocabulary so small that each word is heard often."""


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
