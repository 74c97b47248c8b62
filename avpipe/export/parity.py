"""Whether a graph says what its bundle says."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avpipe.bundle import Bundle, golden_clip
from avpipe.errors import AvpipeError
from avpipe.graphs import ExportError, Graph
from avpipe.media import Clip, find_boxes, stream_clips
from avpipe.windowing import Arrays, between_silence, cut_anew

TOLERANCE = 1e-4
"""Greatest difference of any number that the graph says: probabilities (of logarithms these), vectors, samples."""

MOST_FILES = 20
_MOST_WINDOWS = 4
"""Of each file."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How far a graph and its bundle are apart."""

    num_files: int
    num_windows: int
    greatest: float


def compare(bundle: Bundle, graph: Graph, folder: Path, files: Sequence[Path], tolerance: float | None) -> Parity:
    """Compare the answers for the golden input, and for the first windows of some files.

    Args:
        bundle: that was exported.
        graph: of it.
        folder: of the bundle.
        files: that cannot be read are passed over.
        tolerance: None: any difference is only told.

    Raises:
        ExportError: naming the input that differs by more.
    """
    greatest, num_files, num_windows = 0.0, 0, 0
    inputs: Iterator[tuple[str, list[Arrays]]] = (
        (str(path), windows) for path in files if (windows := list(windows_of(bundle, path)))
    )
    golden = bundle.windowing.views(golden_clip(folder, bundle.preprocessor))
    for name, windows in [("the golden input", golden), *inputs]:
        num_files += name != "the golden input"
        for arrays in windows:
            num_windows += 1
            apart = difference(bundle, graph, arrays)
            greatest = max(greatest, apart)
            if tolerance is not None and not apart <= tolerance:
                reason = f"differs from the bundle by {apart:.2g} on {name}, of {tolerance:g} that are allowed"
                raise ExportError(f"graph of {bundle.name}", f"{reason}; not written", "use runtime=torch")
    return Parity(num_files, num_windows, greatest)


def difference(bundle: Bundle, graph: Graph, arrays: Arrays) -> float:
    """The greatest, over all that both say of a window; infinite where their shapes or steps differ."""
    made = bundle.made(arrays)
    expected, found = bundle.computed([made], 1, bundle.share(made)), graph.computed([graph.made(arrays)], 1, 1)
    if expected.keys() != found.keys():
        return np.inf
    return max(_apart(expected[used], found[used]) for used in expected)


def windows_of(bundle: Bundle, path: Path, most: int = _MOST_WINDOWS) -> Iterator[Arrays]:
    """The first windows of a file as a prediction has them; none of what cannot be read."""
    windowing = bundle.windowing
    try:
        boxes = find_boxes(path, None) if windowing.wants_boxes else None
        with stream_clips(path, [windowing.plan]) as clips:
            for count, (_, clip) in enumerate(cut_anew(clips, [windowing])):
                if count == most:
                    return
                yield from (arrays for arrays in windowing.views(_edged(bundle, windowing.cut(clip, boxes))) if arrays)
    except AvpipeError:
        return


def _edged(bundle: Bundle, clip: Clip) -> Clip:
    quiet_sec = bundle.quiet_sec if clip.start_sec == 0.0 else 0.0
    return between_silence(clip, quiet_sec, 0.0)


def _apart(expected: tuple[np.ndarray, np.ndarray | None], found: tuple[np.ndarray, np.ndarray | None]) -> float:
    (true, true_steps), (said, said_steps) = expected, found
    if true_steps is not None:
        # What stands behind an item's steps nobody reads.
        true = true[:, : true_steps[0]]
        said = said[:, : (true_steps if said_steps is None else said_steps)[0]]
    if true[0].shape != said[0].shape:
        return np.inf
    if said_steps is not None and true.max(initial=-1.0) <= 0.0:
        true, said = np.exp(true), np.exp(said)  # logarithms: no rounding is seen in what is all but impossible
    true, said = true[0], said[0]
    return float(np.abs(true - said).max(initial=0.0))
