"""What recordings say of a graph: those that it is compared on, and the score that 8 bits cost."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from avpipe.bundle import Bundle
from avpipe.config import compose, instantiate, plain
from avpipe.corpora import Corpus, Example, scored_split
from avpipe.errors import ArgumentError, AvpipeError
from avpipe.export import MOST_FILES, quantise, windows_of
from avpipe.graphs import ExportError, load_graph
from avpipe.inference.evaluate import evaluate
from avpipe.inference.inputs import find_inputs

_MOST_CALIBRATING = 100
"""Recordings by which ranges are found."""


@dataclass(frozen=True, slots=True)
class OwnExamples:
    """A bundle's corpus, and what of it did not teach the bundle."""

    corpus: Corpus
    val: tuple[Example, ...]
    test: tuple[Example, ...]


def own_examples(bundle: Bundle, settings: Mapping[str, Any], part: str = "test") -> OwnExamples:
    """
    Args:
        bundle: whose corpus is looked for.
        settings: ``root`` and ``path``, where they are given.
        part: ``test``, or ``all``, which takes every example for it.

    Raises:
        AvpipeError: if the corpus is not there.
    """
    origin = bundle.origin
    spec = plain(compose("evaluate", [f"corpus={origin.corpus}"]))["corpus"]
    given = {key: value for key, value in settings.items() if value is not None}
    if strange := [key for key in given if key not in spec]:
        raise ArgumentError(f"corpus.{strange[0]}", f"the corpus {origin.corpus} has none", "leave it out")
    if "label" in spec:
        given["label"] = origin.label
    known = {key: value for key, value in origin.corpus_settings.items() if key in spec and key not in given}
    corpus: Corpus = instantiate({**spec, **known, **given})
    split = scored_split(corpus, origin.split, part, learned=origin.corpus)
    return OwnExamples(corpus, tuple(split.val), tuple(split.test))


def told_files(
    bundle: Bundle, given: str, settings: Mapping[str, Any], most: int = MOST_FILES
) -> tuple[list[Path], str]:
    """The files to compare a graph on, and what they are, in words."""
    if given == "golden":
        return [], ""
    if given != "auto":
        return [job.path for job in find_inputs(given) if not job.url][:most], f"of {given}"
    # Of a corpus that was learned from as a whole any recordings will do: what is compared is no score.
    part, what = ("all", "") if "learned_groups" in bundle.origin.split else ("test", "'s test part")
    try:
        examples = own_examples(bundle, settings, part).test
    except AvpipeError as error:
        print(f"warning: compared on the golden input alone: {error}", file=sys.stderr)
        return [], ""
    paths = list(dict.fromkeys(example.path for example in examples))
    step = max(1, len(paths) // most)
    return paths[::step][:most], f"of {bundle.origin.corpus}{what}"


def quantised(bundle: Bundle, path: Path, own: OwnExamples, max_loss: float | None) -> Iterator[str]:
    """Quantise a graph in its file; what it scores before and after, in lines.

    Raises:
        ExportError: if more of the score is lost than may be.
    """
    calibrating: Sequence[Example] = own.val or own.test
    step = max(1, len(calibrating) // _MOST_CALIBRATING)
    before, size = _scores(bundle, path, own), path.stat().st_size
    quantise(path, (each for example in calibrating[::step] for each in windows_of(bundle, example.path, 2)))
    after = _scores(bundle, path, own)
    name = bundle.objective.best_metric
    lost = (before[name] - after[name]) * (-1.0 if bundle.objective.best_is_least else 1.0)
    yield f"int8: {path.stat().st_size / size:.0%} of the size; on {len(own.test)} examples of {own.corpus.name}:"
    for metric in before:
        yield f"  {metric:12} {before[metric]:.4f} -> {after[metric]:.4f}"
    if max_loss is not None and lost > max_loss:
        reason = f"int8 loses {lost:.4f} of {name}, of max_loss={max_loss:g} that may be lost; not written"
        raise ExportError(f"graph of {bundle.name}", reason, "leave quantize out, or give a greater max_loss")
    yield f"  lost of {name}: {lost:+.4f}"


def _scores(bundle: Bundle, path: Path, own: OwnExamples) -> dict[str, float]:
    graph = load_graph(path)
    # Scored as the bundle is, by its own metrics.
    scored = graph.answering(bundle.objective)
    return dict(evaluate(cast(Bundle, scored), own.corpus, own.test, 1, 0).metrics)
