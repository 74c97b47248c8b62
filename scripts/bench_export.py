"""How fast exported bundles are under onnxruntime, beside the same bundle in eager torch; one window, one thread.

    python -m scripts.bench_export [BUNDLE ...]

Both are given what the graph is given: a window of sound at the bundle's rate, of frames, or of both. Both make the
features and run the network.
"""

import importlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from avpipe.bundle import Bundle, find_bundle, full_window, load_bundle, shipped_bundles
from avpipe.features import collate
from avpipe.media import Clip, Coverage
from scripts.measure import REPEATS, Comparison, Row, at_the_matrix_peak, multiply_adds, process_sec


def bench_exports(repeats: int = REPEATS, names: Sequence[str] = ()) -> Iterator[Row]:
    """A row a bundle; one that cannot be exported or fed is told and left out."""
    runtime = importlib.import_module("onnxruntime")
    torch.set_num_threads(1)
    for name in names or shipped_bundles():
        bundle = load_bundle(find_bundle(name), torch.device("cpu"))
        with tempfile.TemporaryDirectory() as folder:
            graph = Path(folder) / f"{name}.onnx"
            try:
                process_sec(["-m", "avpipe", "export", f"bundle={name}", f"output={graph}", "input=golden"])
                options = runtime.SessionOptions()
                options.intra_op_num_threads = 1
                session = runtime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
                yield compared(name, bundle, session, repeats)
            except (RuntimeError, ValueError, KeyError) as error:
                print(f"{name}: left out: {str(error).splitlines()[0]}", file=sys.stderr)


def compared(name: str, bundle: Bundle, session: Any, repeats: int) -> Row:
    """One window through both."""
    clip = window(bundle)
    feed: dict[str, np.ndarray] = {}
    if clip.waveform is not None:
        feed |= {"waveform": clip.waveform[np.newaxis], "waveform_length": np.array([clip.waveform.shape[1]])}
    if clip.frames is not None:
        feed |= {"frames": clip.frames[np.newaxis], "frames_length": np.array([len(clip.frames)])}
    feed = {each.name: feed[each.name] for each in session.get_inputs()}

    @torch.inference_mode()
    def eager() -> None:
        bundle.network(*collate([bundle.preprocessor(clip)], bundle.preprocessor.window_steps))

    jobs = {"avpipe": lambda: session.run(None, feed), "avpipe in eager torch": eager}
    features, lengths = full_window(bundle.preprocessor)
    bound = at_the_matrix_peak(multiply_adds(lambda: bundle.network(features, lengths)))
    return Comparison("export", f"{name}, a window under onnxruntime, one thread", jobs, bound=bound).run(repeats)


def window(bundle: Bundle) -> Clip:
    """Noise as long as the bundle's window."""
    preprocessor = bundle.preprocessor
    wanted, seconds, draw = preprocessor.clip_format, preprocessor.window_sec, np.random.default_rng(0)
    waveform = frames = None
    if wanted.sample_rate:
        waveform = (0.1 * draw.standard_normal((1, round(seconds * wanted.sample_rate)))).astype(np.float32)
    if preprocessor.video is not None:
        shape = preprocessor.video.num_steps(seconds), *preprocessor.video.shape_px, 3
        frames = draw.integers(0, 256, shape, dtype=np.uint8)
    return Clip(Path("a window"), 0.0, waveform, wanted.sample_rate, frames, None, Coverage())


if __name__ == "__main__":
    for row in bench_exports(names=sys.argv[1:]):
        print(row, flush=True)
