"""How bundles that write down what is said find their texts."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from avpipe.bundle import Bundle
from avpipe.errors import ArgumentError
from avpipe.objectives import BeamSearch, BeamSettings, Transcription


def searching(bundles: Sequence[Bundle], decoding: Mapping[str, Any]) -> list[Bundle]:
    """The bundles; with a beam search those that transcribe find their texts by it.

    Warns on standard error of words that cannot be said or weighed.

    Args:
        bundles: some of which may do other things.
        decoding: as ``conf/decoding/`` has it.

    Raises:
        ArgumentError: for files and values that cannot be, or if no bundle transcribes.
    """
    if "beam_size" not in decoding:  # greedy has nothing to set
        return list(bundles)
    if not any(isinstance(bundle.objective, Transcription) for bundle in bundles):
        names = ", ".join(bundle.name for bundle in bundles)
        raise ArgumentError("decoding=beam", f"finds transcripts, and {names} makes none", "leave it out")
    lexicon, lm = (None if decoding[key] is None else Path(decoding[key]) for key in ("lexicon", "lm"))
    settings = BeamSettings(decoding["beam_size"], lexicon, lm, decoding["lm_weight"], decoding["word_score"])
    found = []
    for bundle in bundles:
        if isinstance(bundle.objective, Transcription):
            search = BeamSearch(bundle.objective, settings)
            for warning in search.warnings:
                print(f"warning: {warning}", file=sys.stderr)
            bundle = replace(bundle, objective=bundle.objective.searched(search))
        found.append(bundle)
    return found
