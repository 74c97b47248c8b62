"""How bundles that write down what is said find their texts."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from avpipe.answers import TextAnswers
from avpipe.errors import ArgumentError
from avpipe.inference.model import AnyModel

if TYPE_CHECKING:
    from avpipe.objectives import BeamSettings


def beam_settings(decoding: Mapping[str, Any]) -> "BeamSettings | None":
    """The settings that ``conf/decoding/`` has; None: greedy, which has nothing to set.

    Raises:
        ArgumentError: for values that cannot be.
    """
    if len(decoding) == 1:
        return None
    from avpipe.objectives import BeamSettings  # the search is torchaudio's

    return BeamSettings(**{key: value for key, value in decoding.items() if key != "name"})


def searching(bundles: Sequence[AnyModel], settings: "BeamSettings | None") -> list[AnyModel]:
    """The bundles; with a beam search those that transcribe find their texts by it.

    Warns on standard error of words that cannot be said or weighed.

    Args:
        bundles: some of which may do other things.
        settings: of the search; None: there is none.

    Raises:
        ArgumentError: for files that cannot be, or if no bundle transcribes.
    """
    if settings is None:
        return list(bundles)
    from avpipe.objectives import BeamSearch, BeamSettings

    if not isinstance(settings, BeamSettings):
        raise ArgumentError(f"decoding={settings}", "is no search", 'give avpipe.BeamSettings(lexicon="words.txt")')
    if not any(isinstance(bundle.objective, TextAnswers) for bundle in bundles):
        names = ", ".join(bundle.name for bundle in bundles)
        raise ArgumentError("decoding=beam", f"finds transcripts, and {names} makes none", "leave it out")
    found = []
    for bundle in bundles:
        if isinstance(bundle.objective, TextAnswers):
            search = BeamSearch(bundle.objective, settings)
            for warning in search.warnings:
                print(f"warning: {warning}", file=sys.stderr)
            bundle = bundle.answering(bundle.objective.searched(search))
        found.append(bundle)
    return found
