"""How fast the shipped bundles are by onnxruntime, and by torch: one full window.

python -m scripts.bench_onnx [--rounds 5] [--threads 1] [--only BUNDLE ...] [OUTPUT.json]: a row a bundle, in
milliseconds:

- ``eager``: the network alone, by eager torch as it comes;
- ``kept``: the same, as `avpipe predict` has torch compute: memory that was freed is kept for the next window;
- ``batch``: a window of a batch of eight of these, where the bundle takes batches;
- ``onnx``: the network alone, by onnxruntime; ratios of eager and kept to it;
- ``line``: features and network by torch, as `avpipe predict` computes them, and ``graph``: the exported graph, which
  makes the features too, on one thread; their ratio.

``denoise`` gets four seconds of sound; its ``line`` and ``graph`` are `avpipe denoise` as it filters. Each is timed in
a process of its own, so that neither memory nor threads are another's, by rounds that take turns; medians.
"""

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from avpipe.bundle import Bundle, find_bundle, full_window, load_bundle, shipped_bundles
from avpipe.export import ExportedModel, export_bundle, export_step
from avpipe.export.graph import OPSET, card_of, write_graph
from avpipe.features import TIME_AXIS, Features
from avpipe.files import write_text
from avpipe.graphs import load_graph, open_session
from avpipe.inference.denoise.denoiser import Denoiser, DenoiserStream
from avpipe.inference.memory import keep_freed_memory
from avpipe.windowing import Arrays

Job = Callable[[], object]
Times = dict[str, float]
Told = TypeVar("Told")

FILMS = ("scenes", "action_fights")
"""Bundles whose networks work in three dimensions."""
FILTER = "denoise"
KINDS = ("eager", "kept", "batch", "onnx", "line", "graph")
RATIOS = (("eager", "onnx"), ("kept", "onnx"), ("line", "graph"))
BATCH = 8
SOUND_SEC = 4.0
RATE = 16_000
FRAMES, BINS = 250, 257
_WARM, _REPEATS = 5, 15


class NetworkAlone(nn.Module):
    """Of an exported model what comes behind the features."""

    def __init__(self, model: ExportedModel, senses: list[str]) -> None:
        super().__init__()
        self.model, self.senses = model, senses

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        count = len(self.senses)
        features, lengths = (dict(zip(self.senses, each, strict=True)) for each in (inputs[:count], inputs[count:]))
        return self.model.said(features, lengths)


def write_graphs(name: str, folder: Path) -> None:
    """Both graphs of a bundle: all of it, and its network alone."""
    bundle = load_bundle(find_bundle(name))
    if name == FILTER:
        export_step(bundle, folder / f"{name}.graph.onnx", masks=True)
        return
    export_bundle(bundle, find_bundle(name), folder / f"{name}.graph.onnx")
    features, lengths = full_window(bundle.preprocessor)
    model = ExportedModel(bundle).eval()
    network = NetworkAlone(model, list(features))
    inputs = (*features.values(), *(lengths[sense] for sense in features))
    names = [*features, *(f"{sense}_length" for sense in features)], model.output_names
    axes = {sense: {0: "batch", 1 + TIME_AXIS[sense]: f"{sense}_steps"} for sense in features}
    write_graph(folder / f"{name}.onnx.onnx", network, inputs, names, axes, card_of(bundle), OPSET)


def whole_window(bundle: Bundle) -> Arrays:
    """Noise, and frames of it, as long as a window."""
    model = ExportedModel(bundle)
    return {name: both[0].numpy() for name, both in zip(model.arrays, model.example(bundle), strict=False)}


def job_of(kind: str, name: str, folder: Path, threads: int = 1) -> Job:
    """What is timed."""
    torch.set_num_threads(threads)
    graph = folder / f"{name}.graph.onnx"
    if name == FILTER:
        return _filtering(kind, graph, threads)
    if kind == "onnx":
        session = open_session(str(folder / f"{name}.onnx.onnx"), threads)
        features, lengths = full_window(load_bundle(find_bundle(name)).preprocessor)
        given = {**features, **{f"{sense}_length": length for sense, length in lengths.items()}}
        fed = {each.name: given[each.name].numpy() for each in session.get_inputs()}
        return lambda: session.run(None, fed)
    bundle = load_bundle(find_bundle(name))
    arrays = whole_window(bundle)
    if kind == "graph":
        exported = load_graph(graph)
        return lambda: exported.computed([exported.made(arrays)], 1, 1)
    if kind == "line":
        return lambda: bundle.computed([made := bundle.made(arrays)], 1, bundle.share(made))
    features, lengths = full_window(bundle.preprocessor)
    if kind == "batch":
        size = bundle.batch_size or BATCH
        features = {sense: torch.cat([feature] * size) for sense, feature in features.items()}
        lengths = {sense: torch.cat([length] * size) for sense, length in lengths.items()}
    return lambda: _eager(bundle, features, lengths)


def _eager(bundle: Bundle, features: Features, lengths: dict[str, Tensor]) -> None:
    with torch.inference_mode():
        if bundle.senses:
            bundle.network.answers_by_senses(features, lengths)  # type: ignore[operator]
        else:
            bundle.network(features, lengths)


def _filtering(kind: str, graph: Path, threads: int) -> Job:
    if kind in ("line", "graph"):
        denoiser = Denoiser(FILTER if kind == "line" else graph, runtime="torch" if kind == "line" else "onnx")
        sound = (0.05 * np.random.default_rng(0).standard_normal((1, round(SOUND_SEC * RATE)))).astype(np.float32)

        def through() -> None:
            stream = DenoiserStream(denoiser, RATE, 1, live=True)
            stream.push(sound)
            stream.finish()

        return through
    network = load_bundle(find_bundle(FILTER)).network
    streams = BATCH if kind == "batch" else 1
    spectrum, state = torch.randn(streams, 2, FRAMES, BINS), network.initial_state(streams)  # type: ignore[operator]
    if kind == "onnx":
        session = open_session(str(graph), threads)
        names = [each.name for each in session.get_inputs()]
        fed = dict(zip(names, (each.numpy() for each in (spectrum, *state)), strict=True))
        return lambda: session.run(None, fed)

    def estimate() -> None:
        with torch.inference_mode():
            network.estimate(spectrum, state)  # type: ignore[operator]

    return estimate


def timed(kind: str, name: str, folder: Path, threads: int) -> list[float]:
    """Milliseconds of a window, again and again; of a process that has done nothing before."""
    if kind in ("kept", "line", "batch"):
        keep_freed_memory()
    job, taken = job_of(kind, name, folder, threads), []
    for _ in range(_WARM + _REPEATS):
        began = time.perf_counter()
        job()
        taken.append(1e3 * (time.perf_counter() - began))
    windows = 1 if kind != "batch" or (name != FILTER and load_bundle(find_bundle(name)).batch_size) else BATCH
    return [each / windows for each in taken[_WARM:]]


def measured(name: str, rounds: int, threads: int = 1) -> Times:
    """Milliseconds of each kind."""
    taken: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        alone(partial(write_graphs, name, Path(folder)))
        for _ in range(rounds):
            for kind in KINDS:
                taken[kind] += alone(partial(timed, kind, name, Path(folder), threads))
    return {kind: statistics.median(times) for kind, times in taken.items()}


def alone(job: Callable[[], Told]) -> Told:
    """What a job tells, in a process of its own, which has loaded torch and has not used it."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(job)


def lines_of(told: Mapping[str, Times]) -> Iterator[str]:
    """Of both kinds of networks: the median and the least of each ratio."""
    for kind, of in (
        ("2D", [name for name in told if name not in FILMS]),
        ("3D", [name for name in told if name in FILMS]),
    ):
        for above, below in RATIOS if of else ():
            ratios = [told[name][above] / told[name][below] for name in of]
            yield f"{kind}: {above} / {below}: median {statistics.median(ratios):.2f}, least {min(ratios):.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=shipped_bundles())
    asked = parser.parse_args()
    told: dict[str, Times] = {}
    print(
        "bundle         " + "".join(f"{kind:>8}" for kind in KINDS) + "".join(f"{a}/{b}".rjust(12) for a, b in RATIOS)
    )
    for name in asked.only:
        told[name] = times = measured(name, asked.rounds, asked.threads)
        ratios = "".join(f"{times[above] / times[below]:12.2f}" for above, below in RATIOS)
        print(f"{name:15}" + "".join(f"{times[kind]:8.2f}" for kind in KINDS) + ratios, flush=True)
    if FILTER in told:
        sec = 1e-3 / SOUND_SEC
        print(
            f"{FILTER}: {told[FILTER]['graph'] * sec:.4f} s a second of sound, torch {told[FILTER]['line'] * sec:.4f}"
        )
    print(*lines_of(told), sep="\n")
    if asked.output:
        write_text(asked.output, json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
