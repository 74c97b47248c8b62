"""From a bundle to a graph: drawn, described, compared with the bundle, and only then written."""

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from avpipe.bundle import Bundle
from avpipe.errors import ArgumentError
from avpipe.export.front_end import INPUT_OF
from avpipe.export.model import ExportedModel
from avpipe.files import muted
from avpipe.graphs import KEY, TIME_OF, Card, ExportError
from avpipe.networks import DenoisingNetwork, ignores_padding

OPSETS = range(17, 21)
"""Versions of ONNX's operators that a graph may be written in."""
OPSET = 17


def check_exporter(opset: int = OPSET) -> None:
    """
    Raises:
        ArgumentError: if a package is missing, or for a version of the operators that cannot be written.
    """
    for package in ("onnx", "onnxruntime"):
        if find_spec(package) is None:
            raise ArgumentError("avpipe export", f"{package} is not installed", 'pip install "avpipe[onnx]"')
    if opset not in OPSETS:
        raise ArgumentError(f"opset={opset}", "cannot be written", f"choose from {OPSETS[0]} to {OPSETS[-1]}")


def draw_graph(bundle: Bundle, path: Path, opset: int = OPSET) -> None:
    """Write the graph of a bundle, with all that answers need in its metadata.

    Raises:
        ExportError: if the network has an operation for which ONNX has no operator.
    """
    model = ExportedModel(bundle).eval()
    example = model.example(bundle)
    axes = {name: {0: "batch", TIME_OF[name]: f"{name}_steps"} for name in model.arrays}
    axes |= {name: {0: "batch"} for name in (*model.input_names[len(model.arrays) :], *model.output_names)}
    write_graph(path, model, example, (model.input_names, model.output_names), axes, card_of(bundle), opset)


def write_graph(
    path: Path,
    model: torch.nn.Module,
    example: tuple[Any, ...],
    names: tuple[list[str], list[str]],
    axes: Mapping[str, Mapping[int, str]],
    card: Card,
    opset: int,
) -> None:
    """
    Args:
        path: to write.
        model: to draw.
        example: inputs, by which it is drawn.
        names: of inputs and of outputs.
        axes: whose lengths may be any, by the names.
        card: that goes into the file.
        opset: version of ONNX's operators.

    Raises:
        ExportError: if the network has an operation for which ONNX has no operator.
    """
    drawn = io.BytesIO()
    try:
        with _quiet(), torch.inference_mode():
            # By tracing: what decomposes each operation anew takes ten times as long, and draws the same graph.
            torch.onnx.export(
                model,
                example,
                drawn,  # type: ignore[arg-type]
                input_names=names[0],
                output_names=names[1],
                dynamic_axes={name: dict(each) for name, each in axes.items()},
                opset_version=opset,
                dynamo=False,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
        raise ExportError(path, f"cannot be exported: {_told(error)}", "export a bundle of another network") from error
    import onnx

    graph = onnx.load_from_string(drawn.getvalue())
    told = {KEY: card.to_text(), "task": card.task, "bundle_sha256": card.digest, "licence": card.licence}
    settings = card.answers.settings
    if labels := settings.get("labels") or settings.get("units"):
        told["labels"] = "\n".join(labels)
    if rate := card.windowing.format.sample_rate:
        told["sample_rate"] = str(rate)
    onnx.helper.set_model_props(graph, told)
    path.write_bytes(graph.SerializeToString())


def card_of(bundle: Bundle) -> Card:
    """What a bundle says of itself to those that answer with its graph."""
    model = ExportedModel(bundle)
    return Card(
        bundle.name,
        bundle.origin.task,
        bundle.digest,
        bundle.notice,
        bundle.origin.licence,
        bundle.senses,
        {sense: INPUT_OF[sense] for sense in bundle.preprocessor.senses},
        model.output_names[0],
        bundle.step_sec,
        bundle.windowing,
        bundle.objective,
        _least_of(bundle, model),
    )


def _least_of(bundle: Bundle, model: ExportedModel) -> dict[str, int]:
    """Steps of each input that a graph is given at the least: an eighth of a window, as torch is; a whole one, where
    the network looks at padding, as it was trained with it.
    """
    parts = 8 if _is_free(bundle) else 1
    example = dict(zip(model.arrays, model.example(bundle), strict=False))
    return {name: -(-array.shape[TIME_OF[name]] // parts) for name, array in example.items()}


def _is_free(bundle: Bundle) -> bool:
    """Whether it says the same whatever stands behind an item."""
    is_filter = isinstance(bundle.network, DenoisingNetwork)
    return is_filter or bundle.windowing.counts_frames or ignores_padding(bundle.network)


def _told(error: BaseException) -> str:
    """What of an exporter's long message a user can use: the operation, or the last cause."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if "aten" in line or "onsupported" in line]
    return (named or lines or [type(error).__name__])[0][:300]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to themselves what torch tells of its own work: warnings, and the whole graph where something is amiss."""
    with muted(1, 2), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
