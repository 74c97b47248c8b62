"""What was said, piece by piece of words."""

import io
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from avpipe.answers import PieceAnswers
from avpipe.errors import ArgumentError
from avpipe.objectives.transcription import Transcription, told_texts

_LONGEST_TEXT = 10_000_000
"""Bytes of a transcript; sentencepiece leaves longer ones out in silence, by default from 4192 on."""


class PieceTranscription(PieceAnswers, Transcription):
    """The same over pieces that words are often made of: fewer steps a word than letters need, any word can be said.

    The pieces and how likely each is are learned from the training transcripts by sentencepiece and kept as plain
    data: neither answering nor scoring needs that library.

    Args:
        units: the pieces; one with which a word begins has :data:`avpipe.answers.pieces.MARK` in front.
        scores: the natural logarithm of how likely each piece is.

    Reference:
        T. Kudo, "Subword Regularization: Improving Neural Network Translation Models with Multiple Subword
        Candidates", ACL 2018 (the unigram model; here always the likeliest pieces, none drawn).
    """

    def __init__(self, units: Sequence[str], scores: Sequence[float]) -> None:
        if len(scores) != len(units):
            raise ValueError(f"{len(scores)} scores for {len(units)} pieces")
        Transcription.__init__(self, units)
        self._weigh(scores)

    @classmethod
    def vocabulary(cls, targets: Sequence[Any], num_pieces: int = 200) -> dict[str, Any]:
        """
        Raises:
            ArgumentError: if sentencepiece is not installed, or so few pieces cannot make all letters.
        """
        if find_spec("sentencepiece") is None:
            raise ArgumentError("objective", "sentencepiece is not installed", 'pip install "avpipe[subwords]"')
        texts = [text for text in told_texts(targets) if text]
        num_letters = len(set("".join(texts)) - {" "})
        if num_pieces <= num_letters:
            reason = f"is too few for transcripts of {num_letters} letters"
            raise ArgumentError(f"objective.num_pieces={num_pieces}", reason, f"give more than {num_letters}")
        units, scores = zip(*_learned(texts, num_pieces), strict=True)
        return {"units": list(units), "scores": list(scores)}

    @classmethod
    def specified(cls, spec: Mapping[str, Any], targets: Sequence[Any]) -> dict[str, Any]:
        rest = {key: value for key, value in spec.items() if key != "num_pieces"}
        return {**rest, **cls.vocabulary(targets, spec["num_pieces"])}


def _learned(texts: Sequence[str], num_pieces: int) -> Iterator[tuple[str, float]]:
    """Pieces and their scores; fewer than ``num_pieces``, where so many do not occur."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        model_type="unigram",
        vocab_size=num_pieces + 1,  # the unknown one is none of ours
        hard_vocab_limit=False,
        character_coverage=1.0,
        normalization_rule_name="identity",
        max_sentence_length=_LONGEST_TEXT,
        unk_id=0,
        bos_id=-1,
        eos_id=-1,
        num_threads=1,  # sums of several threads differ from run to run
        minloglevel=2,
    )
    found = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    for place in range(found.get_piece_size()):
        if not found.is_unknown(place):
            yield found.id_to_piece(place), float(found.get_score(place))
