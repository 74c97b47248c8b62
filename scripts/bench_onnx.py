"""How fast the shipped bundles are by onnxruntime, and by torch: one full window on one thread of the CPU.

python -m scripts.bench_onnx [--rounds 30] [--graphs DIR] [OUTPUT.json]: a row a bundle: milliseconds of the network by
eager torch, and of the whole graph, which also makes the features; their ratio; the same of a batch of eight windows by
torch against eight one by one; megabytes. Rounds of both take turns, so that whatever else the machine does meets both;
medians. ``denoise`` is measured as `avpipe denoise` filters: seconds a second of sound at 16 kHz. Graphs that are not
in DIR are exported there.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from avpipe.bundle import Bundle, find_bundle, load_bundle, shipped_bundles
from avpipe.export import export_bundle
from avpipe.files import cache_folder, write_text
from avpipe.graphs import Graph, load_graph
from avpipe.inference.denoise.denoiser import Denoiser, DenoiserStream
from avpipe.windowing import Arrays

FILMS = ("scenes", "action_fights")
"""Bundles whose networks work in three dimensions."""
BATCH = 8
SOUND_SEC = 20.0
RATE = 16_000


def full_window(bundle: Bundle) -> Arrays:
    """Noise, and moving blocks, as long as a window."""
    windowing, draw = bundle.windowing, np.random.default_rng(0)
    arrays: Arrays = {}
    if rate := windowing.format.sample_rate:
        samples = round(windowing.window_sec * rate)
        arrays["waveform"] = (0.1 * draw.standard_normal((1, samples))).astype(np.float32)
    if (video := bundle.preprocessor.video) is not None:
        height, width = (windowing.crops.crop_px,) * 2 if windowing.crops else video.shape_px
        shape = video.num_steps(windowing.window_sec), height, width, 3
        arrays["frames"] = draw.integers(0, 256, shape, dtype=np.uint8)
    return arrays


def in_turns(rounds: int, *works: Callable[[], object]) -> list[float]:
    """Median seconds of each on its processor, round by round, the first two left out."""
    taken: list[list[float]] = [[] for _ in works]
    for turn in range(rounds + 2):
        for work, times in zip(works, taken, strict=True):
            began = time.thread_time()
            work()
            if turn > 1:
                times.append(time.thread_time() - began)
    return [statistics.median(times) for times in taken]


def measured(bundle: Bundle, graph: Graph, rounds: int) -> dict[str, float]:
    arrays = full_window(bundle)
    features, given = bundle.made(arrays), graph.made(arrays)
    share = bundle.share(features)
    batch = bundle.batch_size or BATCH
    network, whole, many, one_by_one = in_turns(
        rounds,
        lambda: bundle.computed([features], 1, share),
        lambda: graph.computed([given], 1, 1),
        lambda: bundle.computed([features] * batch, batch, share),
        lambda: [graph.computed([given], 1, 1) for _ in range(batch)],
    )
    return {
        "torch_ms": 1e3 * network,
        "onnx_ms": 1e3 * whole,
        "ratio": network / whole,
        "torch_batch_ms": 1e3 * many / batch,
        "batch_ratio": many / one_by_one,
    }


def filtered(rounds: int) -> dict[str, float]:
    """Seconds a second of sound."""
    sound = (0.05 * np.random.default_rng(0).standard_normal((1, round(SOUND_SEC * RATE)))).astype(np.float32)
    denoisers = [Denoiser("denoise", runtime=runtime) for runtime in ("torch", "onnx")]

    def through(denoiser: Denoiser) -> None:
        stream = DenoiserStream(denoiser, RATE, 1)
        stream.push(sound)
        stream.finish()

    torch_sec, onnx_sec = in_turns(rounds, *(lambda each=each: through(each) for each in denoisers))
    return {"torch_rtf": torch_sec / SOUND_SEC, "onnx_rtf": onnx_sec / SOUND_SEC, "ratio": torch_sec / onnx_sec}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--graphs", type=Path, default=cache_folder() / "graphs" / "bench")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    asked.graphs.mkdir(parents=True, exist_ok=True)
    told: dict[str, dict[str, float]] = {}
    print(f"{'bundle':15} {'torch ms':>9} {'onnx ms':>9} {'ratio':>6} {'batch ms':>9} {'ratio':>6} {'MB':>5}")
    for name in shipped_bundles():
        bundle = load_bundle(find_bundle(name))
        path = asked.graphs / f"{name}.onnx"
        if name == "denoise":
            continue
        if not path.is_file():
            export_bundle(bundle, find_bundle(name), path)
        row = measured(bundle, load_graph(path), asked.rounds)
        told[name] = row
        print(
            f"{name:15} {row['torch_ms']:9.2f} {row['onnx_ms']:9.2f} {row['ratio']:6.2f} {row['torch_batch_ms']:9.2f}"
            f" {row['batch_ratio']:6.2f} {path.stat().st_size / 1e6:5.1f}",
            flush=True,
        )
    for kind, of in (("2D", [name for name in told if name not in FILMS]), ("3D", list(FILMS))):
        ratios = [told[name]["ratio"] for name in of]
        print(f"{kind}: median {statistics.median(ratios):.2f}, least {min(ratios):.2f}")
    told["denoise"] = filtered(max(3, asked.rounds // 6))
    print(
        "denoise: torch {torch_rtf:.4f}, onnx {onnx_rtf:.4f} s a second of sound, {ratio:.2f}".format(**told["denoise"])
    )
    if asked.output:
        write_text(asked.output, json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
