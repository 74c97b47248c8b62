"""Files that are no graphs of ours."""

import pytest

from avpipe.errors import ArgumentError
from avpipe.graphs import GraphError, load_graph


def test_rubbish_is_no_graph(tmp_path):
    path = tmp_path / "x.onnx"
    path.write_bytes(b"rubbish")
    with pytest.raises(GraphError, match="onnxruntime cannot load it") as refused:
        load_graph(path)
    assert "\n" not in str(refused.value)


def test_a_graph_of_others_is_told_from_ours(tmp_path):
    helper = pytest.importorskip("onnx").helper
    values = [helper.make_tensor_value_info(name, 1, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "x.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(GraphError, match="is no graph of avpipe's"):
        load_graph(tmp_path / "x.onnx")


def test_without_onnxruntime_a_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("avpipe.graphs.graph.find_spec", lambda name: None)
    with pytest.raises(ArgumentError, match=r'onnxruntime is not installed; pip install "avpipe\[onnx\]"'):
        load_graph(tmp_path / "x.onnx")
