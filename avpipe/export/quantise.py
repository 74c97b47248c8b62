"""A graph in 8 bits."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from avpipe.graphs import KEY, load_graph
from avpipe.windowing import Arrays

_FRONT_END = "front_end"


class _Windows:
    """What onnxruntime's quantisation calls a reader of data."""

    def __init__(self, fed: Iterator[Mapping[str, np.ndarray]]) -> None:
        self._fed = fed

    def get_next(self) -> Mapping[str, np.ndarray] | None:
        return next(self._fed, None)


def quantise(path: Path, windows: Iterable[Arrays]) -> None:
    """Bring the convolutions and products of a graph to 8 bits, in its own file; features stay as they are.

    Weights are quantised channel by channel; the ranges of what passes between layers are those of the windows.

    Args:
        path: of the graph.
        windows: of recordings like those that it will be asked about.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    graph = load_graph(path)
    told = {prop.key: prop.value for prop in onnx.load(str(path)).metadata_props}
    ready = path.with_name(f".{path.name}.ready")
    logging.getLogger().setLevel(logging.ERROR)
    try:
        quant_pre_process(str(path), str(ready), skip_symbolic_shape=True)
        model = onnx.load(str(ready))
        quantize_static(
            str(ready),
            str(path),
            _Windows(graph.fed(graph.made(arrays)) for arrays in windows),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "MatMul", "Gemm"],
            nodes_to_exclude=_features_of(model),
            per_channel=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
    finally:
        ready.unlink(missing_ok=True)
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, {**told, KEY: told[KEY].replace('"quantize": null', '"quantize": "int8"')})
    path.write_bytes(model.SerializeToString())


def _features_of(model: object) -> list[str]:
    """Names of the nodes that make features: their scope says so."""
    return [node.name for node in model.graph.node if _FRONT_END in node.name]  # type: ignore[attr-defined]
