"""Label the recordings of a folder on the CPU and on a GPU with every shipped bundle, and compare answers and speed.

python scripts/check_cuda.py FOLDER [--repeat 8] [--compile]: a row a bundle and device: files a second (the network's
first batches left out), labels that differ from the CPU's, and the greatest difference of a score.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from avpipe.bundle import find_bundle, load_bundle, shipped_bundles
from avpipe.device import worker_count
from avpipe.inference import Job, Prediction, Predictor
from avpipe.media import find_media


class _Kept:
    def __init__(self) -> None:
        self.predictions: dict[str, Prediction] = {}

    def add(self, prediction: Prediction) -> None:
        self.predictions[prediction.path] = prediction


def answered(predictor: Predictor, jobs: Sequence[Job]) -> tuple[dict[str, Prediction], float]:
    """Answers by name, and files a second."""
    predictor.run(jobs[:16], _Kept())
    kept, began = _Kept(), time.perf_counter()
    predictor.run(jobs, kept)
    return kept.predictions, len(jobs) / (time.perf_counter() - began)


def apart(name: str, expected: dict[str, Prediction], found: dict[str, Prediction]) -> tuple[int, int, float]:
    """How many are answered, how many of these have another label or text, and how far scores are apart at most."""
    pairs = [
        (one.tasks[name], found[path].tasks[name])
        for path, one in expected.items()
        if name in one.tasks and name in found[path].tasks
    ]
    differing = sum((one.label, one.text) != (other.label, other.text) for one, other in pairs)
    scores = [
        abs(a - b)
        for one, other in pairs
        for a, b in zip([*one.scores.values(), *one.embedding], [*other.scores.values(), *other.embedding], strict=True)
    ]
    return len(pairs), differing, max(scores, default=0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeat", type=int, default=8, help="times that each file is labelled")
    parser.add_argument("--compile", action="store_true")
    asked = parser.parse_args()
    files = list(find_media(asked.folder))
    jobs = [Job(f"{turn}/{path.name}", path) for turn in range(asked.repeat) for path in files]
    modes = [("cpu", "32-true", False), ("cuda", "32-true", False), ("cuda", "bf16-mixed", False)]
    modes += [("cuda", "bf16-mixed", True)] if asked.compile else []
    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"
    print(f"{len(jobs)} files, {worker_count('auto', 0)} decoding processes, {device}")
    print(f"{'bundle':15} {'device':5} {'precision':10} {'files/s':>8} {'answered':>8} {'differ':>6} {'greatest':>9}")
    for name in shipped_bundles():
        if name == "denoise":
            continue
        expected: dict[str, Prediction] = {}
        for kind, precision, compiled in modes:
            if kind == "cuda" and not torch.cuda.is_available():
                continue
            bundle = load_bundle(find_bundle(name), torch.device(kind), precision, compiled)
            found, rate = answered(Predictor([bundle], 32, worker_count("auto", 0)), jobs)
            expected = expected or found
            count, differing, greatest = apart(name, expected, found)
            what = precision + ("+compile" if compiled else "")
            print(f"{name:15} {kind:5} {what:10} {rate:8.1f} {count:8} {differing:6} {greatest:9.1e}", flush=True)


if __name__ == "__main__":
    main()
