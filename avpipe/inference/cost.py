"""What a network's answer costs: weights, multiply-adds and time."""

import json
import statistics
import time
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from avpipe.bundle import Bundle, load_bundle
from avpipe.features import collate
from avpipe.files import write_text
from avpipe.media import Clip, Coverage
from avpipe.threads import single_threaded

_ROUNDS = 20


def write_cost(folder: Path) -> int:
    """Write ``cost.json`` of the bundle in a run's folder, or of its first fold's; returns 0."""
    bundle = next((path for path in (folder / "bundle", *sorted(folder.glob("*/bundle"))) if path.is_dir()), None)
    if bundle is not None:
        write_text(folder / "cost.json", json.dumps(cost_of(load_bundle(bundle))) + "\n")
    return 0


def cost_of(bundle: Bundle) -> dict[str, float]:
    """Of one whole window, on one thread of the CPU: ``parameters``, ``multiply_adds`` and ``latency_ms``.

    Multiply-adds are those of convolutions and matrix products, as torch counts them; the time is the median of some
    rounds, features left out.
    """
    preprocessor, network = bundle.preprocessor, bundle.network
    wanted, seconds = preprocessor.clip_format, preprocessor.window_sec
    draw = torch.Generator().manual_seed(0)
    waveform = frames = None
    if wanted.sample_rate:
        waveform = (0.1 * torch.randn(1, round(seconds * wanted.sample_rate), generator=draw)).numpy()
    if preprocessor.video is not None:
        height, width = preprocessor.video.shape_px
        steps = preprocessor.video.num_steps(seconds)
        frames = torch.randint(0, 256, (steps, height, width, 3), generator=draw, dtype=torch.uint8).numpy()
    clip = Clip(Path("a window"), 0.0, waveform, wanted.sample_rate, frames, None, Coverage())
    with single_threaded(), torch.inference_mode():
        batch = collate([preprocessor(clip)], preprocessor.window_steps)
        with FlopCounterMode(display=False) as counter:
            network(*batch)
        times = []
        for _ in range(_ROUNDS):
            began = time.perf_counter()
            network(*batch)
            times.append(1000 * (time.perf_counter() - began))
    return {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "multiply_adds": counter.get_total_flops() // 2,
        "latency_ms": round(statistics.median(times), 3),
    }
