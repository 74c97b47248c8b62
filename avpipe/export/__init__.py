"""A bundle as an ONNX graph: what it is drawn of, compared with, and made smaller by."""

from collections.abc import Sequence
from pathlib import Path

from avpipe.bundle import Bundle
from avpipe.export.graph import OPSET, check_exporter, draw_graph
from avpipe.export.model import ExportedModel
from avpipe.export.parity import MOST_FILES, TOLERANCE, Parity, compare, windows_of
from avpipe.export.quantise import quantise
from avpipe.export.step import export_step
from avpipe.graphs import load_graph

__all__ = [
    "MOST_FILES",
    "ExportedModel",
    "Parity",
    "check_exporter",
    "compare",
    "export_bundle",
    "export_step",
    "quantise",
    "windows_of",
]


def export_bundle(bundle: Bundle, folder: Path, path: Path, files: Sequence[Path] = (), opset: int = OPSET) -> Parity:
    """Write the graph of a bundle, and compare it.

    Args:
        bundle: on the CPU.
        folder: of the bundle.
        path: to write.
        files: to compare on besides the golden input.
        opset: version of ONNX's operators.

    Raises:
        ExportError: if the network cannot be exported, or the graph says something else.
    """
    draw_graph(bundle, path, opset)
    return compare(bundle, load_graph(path), folder, files, TOLERANCE)
