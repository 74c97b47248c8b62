"""Whether onnxruntime gives the answers that torch gives, on the recordings that no bundle has learned from.

    AVPIPE_CORPORA=DIR python -m scripts.check_runtimes [--most 300] [--manifest FILMS/manifest.csv] [BUNDLE ...]

Labels files of each bundle's own test part (about so many; all of a corpus that is learned from by groups) with the
bundle and with its graph, and compares the records whole. ``sentiment_demo`` needs the films that
``scripts/make_sentiment_corpus.py`` writes. Prints how many labels differ, and how far apart two numbers lie at most;
exit status 1 where a label differs, or a number by more than 1e-4.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from avpipe.bundle import find_bundle, load_bundle, shipped_bundles
from avpipe.graphs import load_graph
from avpipe.inference import Job, Model, Prediction, Predictor
from avpipe.inference.exported import own_examples
from avpipe.inference.runtime import graph_of

FILTER, FILMS = "denoise", "sentiment_demo"
MOST_APART = 1e-4
UNLIKE = float("inf")
"""How far apart two texts are, or two lists of other lengths."""


class Kept:
    """A sink that keeps what each file's tasks were answered."""

    def __init__(self) -> None:
        self.tasks: dict[str, dict[str, Any]] = {}

    def add(self, prediction: Prediction) -> None:
        self.tasks[prediction.path] = prediction.to_record()["tasks"]


def answered(model: Model, jobs: list[Job]) -> dict[str, dict[str, Any]]:
    """The tasks of each file."""
    kept = Kept()
    Predictor([model], workers=2).run(jobs, kept)
    return kept.tasks


def apart(one: Any, other: Any) -> float:
    """The greatest difference of two numbers that stand in the same place."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return max((apart(one[key], other[key]) for key in one), default=0.0)
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return max(map(apart, one, other), default=0.0)
    if type(one) is type(other) and isinstance(one, int | float) and not isinstance(one, bool):
        return abs(one - other)
    return 0.0 if one == other else UNLIKE


def labels(tasks: dict[str, dict[str, Any]]) -> list[Any]:
    return [answer.get("label") for answer in tasks.values()]


def compared(name: str, most: int, settings: dict[str, Any]) -> bool:
    """Print what a bundle and its graph say; whether it is the same."""
    bundle = load_bundle(find_bundle(name))
    part = "all" if "learned_groups" in bundle.origin.split else "test"
    paths = list(dict.fromkeys(example.path for example in own_examples(bundle, settings, part).test))
    jobs = [Job(str(path), path) for path in paths[:: max(1, len(paths) // most)]]
    by_torch, by_graph = (answered(model, jobs) for model in (bundle, load_graph(graph_of(name))))
    others = sum(labels(by_torch[path]) != labels(by_graph[path]) for path in by_torch)
    greatest = max(apart(by_torch[path], by_graph[path]) for path in by_torch)
    print(f"{name:15} {len(jobs):4} files, {others} labels differ, {greatest:.1g} apart at most", flush=True)
    return not others and greatest <= MOST_APART


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="*", default=[name for name in shipped_bundles() if name != FILTER])
    parser.add_argument("--most", type=int, default=300)
    parser.add_argument("--manifest", type=Path)
    asked = parser.parse_args()
    same = True
    for name in asked.bundles:
        if name == FILMS and asked.manifest is None:
            print(f"{name:15} left out: no --manifest")
            continue
        same &= compared(name, asked.most, {"path": str(asked.manifest)} if name == FILMS else {})
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
