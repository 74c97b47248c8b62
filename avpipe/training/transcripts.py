"""What is wrong with transcripts to learn from, and with windows that they are to be heard in, a line each."""

from collections.abc import Iterator, Sequence
from math import ceil, floor

from avpipe.answers import plain_text
from avpipe.corpora import Example
from avpipe.errors import ArgumentError
from avpipe.features import Preprocessor
from avpipe.networks import SequenceNetwork
from avpipe.objectives import Transcription
from avpipe.training.recordings import Recording

_SHOWN = 10
"""Letters that are named."""


def doubts(
    objective: Transcription,
    network: SequenceNetwork,
    preprocessor: Preprocessor,
    train: Sequence[Recording],
    others: Sequence[Example],
) -> list[str]:
    """Lines for whoever trains; empty where nothing is in doubt.

    Args:
        objective: with its units.
        network: to be trained.
        preprocessor: of the windows.
        train: recordings to learn from.
        others: examples to validate and test on.

    Raises:
        ArgumentError: if no transcript fits into its recording, so that nothing would be learned.
    """
    return [
        *_empty([recording.example for recording in train]),
        *_too_long(objective, network, preprocessor, train),
        *_foreign(objective, others),
        *_cut_too_close(network, preprocessor),
    ]


def _empty(examples: Sequence[Example]) -> Iterator[str]:
    empty = [example for example in examples if not plain_text(str(example.target))]
    if empty:
        told = f"{len(empty)} of {len(examples)} training transcripts are empty, the first that of {empty[0].path}"
        yield f"{told}: learned as recordings in which nobody speaks"


def _too_long(
    objective: Transcription, network: SequenceNetwork, preprocessor: Preprocessor, train: Sequence[Recording]
) -> Iterator[str]:
    crowded = []
    for recording in train:
        steps = ceil(preprocessor.num_steps(network.sense, recording.duration_sec) / network.time_stride)
        if objective.least_steps(objective.encode(recording.example.target)) > steps:
            crowded.append(recording.example.path)
    if not crowded:
        return
    told = f"{len(crowded)} of {len(train)} training transcripts are longer than their recordings have steps"
    if len(crowded) == len(train):
        remedy = "compare transcripts and recordings, or give the encoder a shorter time stride"
        raise ArgumentError(f"{network.step_sec(preprocessor):.3g} s a step", told, remedy)
    yield f"{told}, the first that of {crowded[0]}: nothing is learned from them"


def _foreign(objective: Transcription, examples: Sequence[Example]) -> Iterator[str]:
    units = [found for example in examples if (found := objective.foreign(example.target))]
    if units:
        named = sorted(set().union(*units))
        shown = ", ".join(named[:_SHOWN]) + (f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else "")
        told = f"{len(units)} of {len(examples)} transcripts to validate and test on hold what training never shows"
        yield f"{told} ({shown}): it counts as errors"


def _cut_too_close(network: SequenceNetwork, preprocessor: Preprocessor) -> Iterator[str]:
    context_steps = network.context_steps
    if context_steps is None:  # nothing is known of what the encoder sees
        return
    context_sec = context_steps * network.step_sec(preprocessor)
    if preprocessor.windowing.overlap_sec < 2 * context_sec - 1e-6:
        most_sec = preprocessor.window_sec - 2 * context_sec
        remedy = f"preprocess.hop_sec={floor(10 * most_sec) / 10}" if most_sec >= 0.1 else "longer windows"
        yield (
            f"windows overlap by {preprocessor.windowing.overlap_sec:.3g} s, and the network sees {context_sec:.3g} s "
            f"to either side: what is written down of long recordings will depend on where they are cut; give {remedy}"
        )
