"""Bundles that compare voices."""

from collections.abc import Iterable

from avpipe.answers import VoiceAnswers
from avpipe.errors import ArgumentError
from avpipe.inference.model import Model


def voices_among(bundles: Iterable[Model], asked: str, thresholds: bool = False) -> list[Model]:
    """Those of ``bundles`` that compare voices.

    Args:
        bundles: of any kind.
        asked: the argument that needs them, for the error.
        thresholds: whether it needs to know which recordings are of one voice, and not only how alike they are.

    Raises:
        ArgumentError: if there is none, or one that does not know what is needed.
    """
    bundles = list(bundles)
    found = [bundle for bundle in bundles if isinstance(bundle.objective, VoiceAnswers)]
    if not found:
        names = ", ".join(bundle.name for bundle in bundles)
        raise ArgumentError(asked, f"no bundle of {names} compares voices", "name one of task=speaker, or leave it out")
    for bundle in found:
        if thresholds and isinstance(bundle.objective, VoiceAnswers) and bundle.objective.threshold is None:
            reason = f"bundle {bundle.name} does not know from which similarity on two recordings are of one voice"
            raise ArgumentError(asked, reason, "train it with 20 or more validation examples, of several voices")
    return found
