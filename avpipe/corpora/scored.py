"""Which examples of a corpus score a trained bundle."""

from collections.abc import Mapping, Sequence
from typing import Any

from avpipe.corpora.acted_emotion import ActedEmotion
from avpipe.corpora.corpus import SIDES, Corpus
from avpipe.corpora.errors import CorpusError
from avpipe.corpora.example import Example
from avpipe.corpora.folds import make_folds
from avpipe.corpora.split import Split, make_split


def whole(corpus: Corpus, side: str, examples: Sequence[Example] | None = None) -> Split:
    """All examples on one side; ``examples``: these alone."""
    found = tuple(corpus.examples() if examples is None else examples)
    train, val, test = (found if each == side else () for each in SIDES)
    return Split(train, val, test, root=corpus.root, method="all", seed=0, other_roots=corpus.other_roots)


def scored_split(corpus: Corpus, settings: Mapping[str, Any], part: str, learned: str = "") -> Split:
    """The split of which ``part`` scores a bundle that was trained with ``settings``.

    Args:
        corpus: to score on; the one trained on, or another.
        settings: of the training's split: the arguments of :func:`make_split`; or ``cv``, ``fold`` and their
            ``learned_corpus``, on which the fold is meant; or, where every
            fold trained a network of the bundle, ``learned_corpus``, and ``learned_groups``, whose examples never score
            (of a corpus without groups ``learned_sha256``, of the whole corpus).
        part: ``train``, ``val``, ``test``, or ``all``, which takes every example for ``test``.
        learned: name of the corpus that the bundle was trained on.

    Raises:
        CorpusError: if nothing is left to score.
    """
    if part == "all":
        return whole(corpus, "test")
    if learned == ActedEmotion.name and corpus.name in ActedEmotion.parts:
        reason = f"the bundle has learned from it as a part of {learned}"
        raise CorpusError(
            f"corpus={corpus.name}", reason, f"give corpus={learned}; split=all scores what it has learned"
        )
    if "learned_groups" in settings:
        return _unlearned(corpus, settings)
    if "cv" in settings:
        if corpus.name != settings["learned_corpus"]:
            return whole(corpus, "test", _official_part(corpus, "test") or None)
        return make_folds(corpus, settings["cv"])[settings["fold"]]
    official = _official_part(corpus, part) if settings["by"] in ("auto", "official") else []
    if official and set((corpus.official_split() or {}).values()) == {part}:
        # There is nothing to train on, and nothing to be trained: a list of test recordings, say.
        return whole(corpus, part, official)
    return make_split(corpus, **settings)


def _unlearned(corpus: Corpus, settings: Mapping[str, Any]) -> Split:
    if corpus.name != settings["learned_corpus"]:
        return whole(corpus, "test", _official_part(corpus, "test") or None)
    groups = set(settings["learned_groups"])
    # Of a corpus with groups, what has none was trained on in every fold.
    rest = [example for example in corpus.examples() if example.group not in (groups | {""} if groups else groups)]
    if not rest or whole(corpus, "train").sha256 == settings["learned_sha256"]:
        reason = "the bundle has learned from all of it"
        remedy = "its scores on held-out folds stand in its card.md; split=all scores what it has learned"
        raise CorpusError(f"corpus={corpus.name}", reason, remedy)
    return whole(corpus, "test", rest)


def _official_part(corpus: Corpus, part: str) -> list[Example]:
    return [example for example, side in (corpus.official_split() or {}).items() if side == part]
