"""Acted emotion in two languages: RAVDESS and nEMO, of which one is scored."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from avpipe.corpora.corpus import Corpus, choose_label
from avpipe.corpora.example import Example
from avpipe.corpora.nemo import Nemo
from avpipe.corpora.ravdess import Ravdess
from avpipe.corpora.sources import house_root
from avpipe.errors import ArgumentError

_COMMON_NAMES = {"anger": "angry", "fear": "fearful", "happiness": "happy", "sadness": "sad"}
"""RAVDESS's names for nEMO's, where they differ."""


class ActedEmotion(Corpus):
    """RAVDESS (English) and nEMO (Polish) under RAVDESS's names of emotions, one scored and the other a help to it.

    The scored one keeps its groups (the speakers) and its split. The other's recordings have no group: they train in
    every split and in every fold and are never scored, those of emotions that the scored one lacks left out. Few
    speakers are learned by heart; with others beside them emotion is what is left in common.

    Args:
        root: the folder that holds ``ravdess/`` and ``nemo/``; None: ``$AVPIPE_CORPORA``.
        label: emotion.
        scored: ravdess or nemo.
    """

    name = "acted_emotion"
    licence = "CC BY-NC-SA 4.0"
    parts = (Ravdess.name, Nemo.name)

    def __init__(self, root: str | Path | None = None, label: str = "emotion", scored: str = "ravdess") -> None:
        self.label = choose_label(self.name, label, ("emotion",))
        if scored not in self.parts:
            raise ArgumentError(
                f"corpus.scored={scored}", "is none of its parts", f"choose from {', '.join(self.parts)}"
            )
        self.root = house_root(root, self.name)
        corpora = {Ravdess.name: Ravdess(self.root / Ravdess.name), Nemo.name: Nemo(self.root / Nemo.name)}
        self._scored = corpora.pop(scored)
        (self._other,) = corpora.values()

    def scan(self) -> Iterator[Example]:
        yield from self.official_split()

    def official_split(self) -> dict[Example, str]:
        sides = {_named(example): side for example, side in (self._scored.official_split() or {}).items()}
        emotions = {example.target for example in sides}
        others = (replace(_named(example), group="") for example in self._other.examples())
        return sides | {example: "train" for example in others if example.target in emotions}


def _named(example: Example) -> Example:
    return replace(example, target=_COMMON_NAMES.get(str(example.target), example.target))
