"""What was said, by pieces that words are often made of."""

from collections.abc import Iterator, Sequence
from typing import Any

from avpipe.answers.decoded import Word
from avpipe.answers.texts import TextAnswers, joined

MARK = "\N{LOWER ONE EIGHTH BLOCK}"
"""With which the first piece of a word begins."""


class PieceAnswers(TextAnswers):
    """Pieces up to the next with which a word begins are a word.

    Args:
        units: the pieces; one with which a word begins has :data:`MARK` in front.
        scores: the natural logarithm of how likely each piece is.
    """

    separator = None

    def __init__(self, units: Sequence[str], scores: Sequence[float]) -> None:
        super().__init__(units)
        self._weigh(scores)

    def _weigh(self, scores: Sequence[float]) -> None:
        self.piece_scores = tuple(scores)
        self._score_of = dict(zip(self.units, self.piece_scores, strict=True))
        self._longest = max(map(len, self.units))

    @property
    def settings(self) -> dict[str, Any]:
        return {**super().settings, "scores": list(self.piece_scores)}

    def segmented(self, text: str) -> list[str]:
        return [piece for word in text.split() for piece in self._pieces(MARK + word)]

    def _pieces(self, word: str) -> list[str]:
        """The pieces that are likeliest together; a letter of which none is known stands for itself."""
        # A foreign letter costs more than all that could be made of the others.
        foreign = len(word) * min(self.piece_scores) - 1.0
        best: list[tuple[float, int]] = [(0.0, 0)]
        for end in range(1, len(word) + 1):
            found = [(best[end - 1][0] + foreign, end - 1)]
            for start in range(max(0, end - self._longest), end):
                score = self._score_of.get(word[start:end])
                if score is not None:
                    found.append((best[start][0] + score, start))
            best.append(max(found))
        pieces, end = [], len(word)
        while end:
            start = best[end][1]
            pieces.append(word[start:end])
            end = start
        return pieces[::-1]

    def _words(self, units: Sequence[Word]) -> Iterator[Word]:
        """Pieces up to the next with which a word begins are a word."""
        words: list[list[Word]] = []
        for unit in units:
            if not words or unit.text.startswith(MARK):
                words.append([])
            words[-1].append(unit)
        for pieces in words:
            word = joined(pieces)
            if word.text != MARK:
                yield Word(word.text.removeprefix(MARK), word.start_sec, word.end_sec, word.score)
