"""Exported graphs: what they carry besides the network, and how onnxruntime computes them; no torch."""

from avpipe.graphs.errors import ExportError, GraphError
from avpipe.graphs.graph import TIME_OF, Graph, check_onnxruntime, load_graph, open_session
from avpipe.graphs.metadata import FORMAT, KEY, Card

__all__ = [
    "FORMAT",
    "KEY",
    "TIME_OF",
    "Card",
    "ExportError",
    "Graph",
    "GraphError",
    "check_onnxruntime",
    "load_graph",
    "open_session",
]
