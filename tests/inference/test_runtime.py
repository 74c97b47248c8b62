"""Two runtimes, one answer; and by onnxruntime no torch at all."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from avpipe import Denoiser
from avpipe.bundle import find_bundle, load_bundle, shipped_bundles
from avpipe.errors import ArgumentError
from avpipe.export import export_bundle, export_step
from avpipe.inference import Job, Predictor, load_models
from avpipe.inference.exported import told_files
from avpipe.inference.runtime import CPU, cached_graph, chosen_runtime
from avpipe.media import write_audio
from tests.synthetic import noise
from tests.tiny import save_denoiser_bundle, save_speaker_bundle, save_tiny_bundle, save_transcriber_bundle

LABELLED = """
import runpy, sys
sys.argv = ["avpipe", *{arguments}]
try:
    runpy.run_module("avpipe", run_name="__main__", alter_sys=True)
except SystemExit as end:
    assert not end.code, end.code
assert "torch" not in sys.modules
"""


class _Kept:
    def __init__(self):
        self.predictions = {}

    def add(self, prediction):
        self.predictions[prediction.path] = prediction.to_record()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Recordings of all lengths, and bundles with their graphs."""
    root = tmp_path_factory.mktemp("runtime")
    for number, seconds in enumerate((0.2, 0.9, 2.3, 5.0)):
        write_audio(root / "media" / f"{number}.wav", noise(seconds, rate_hz=8000, seed=number), 8000)
    for name, save in (
        ("labels", save_tiny_bundle),
        ("speech", save_transcriber_bundle),
        ("voices", save_speaker_bundle),
    ):
        bundle = load_bundle(save(root / name))
        export_bundle(bundle, root / name, root / f"{name}.onnx")
    return root


def apart(one, other, place=""):
    """The greatest difference of two records' numbers; what else differs fails."""
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other)
    assert type(one) is type(other), place
    if isinstance(one, dict):
        assert one.keys() == other.keys(), place
        return max((apart(one[key], other[key], f"{place}.{key}") for key in one), default=0.0)
    if isinstance(one, list):
        assert len(one) == len(other), place
        return max((apart(*pair, place) for pair in zip(one, other, strict=True)), default=0.0)
    assert one == other, place
    return 0.0


@pytest.mark.parametrize("name", ["labels", "speech", "voices"])
@pytest.mark.parametrize("workers", [0, 2])
def test_both_runtimes_give_one_answer(folder, name, workers):
    jobs = [Job(path.name, path) for path in sorted((folder / "media").iterdir())]
    records = []
    for model in (load_bundle(folder / name), *load_models([str(folder / f"{name}.onnx")], "auto", CPU)):
        kept = _Kept()
        Predictor([model], workers=workers).run(jobs, kept)
        records.append(json.loads(json.dumps(kept.predictions)))
    assert apart(*records) <= 1e-4


def test_by_onnxruntime_no_torch_is_loaded(folder, tmp_path):
    arguments = [
        "predict",
        f"bundle={folder / 'labels.onnx'}",
        f"input={folder / 'media'}",
        f"output={tmp_path / 'out'}",
    ]
    done = subprocess.run(
        [sys.executable, "-c", LABELLED.format(arguments=arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    totals = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert totals["statuses"] == {"ok": 4}


def test_by_onnxruntime_sound_is_filtered_without_torch(folder, tmp_path):
    bundle = load_bundle(save_denoiser_bundle(tmp_path / "denoise"))
    export_step(bundle, tmp_path / "step.onnx", masks=True)
    arguments = ["denoise", f"bundle={tmp_path / 'step.onnx'}", str(folder / "media"), f"{tmp_path / 'clean'}/"]
    done = subprocess.run(
        [sys.executable, "-c", LABELLED.format(arguments=arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "clean").glob("*.wav"))) == 4
    for rate, channels in ((16_000, 1), (44_100, 2)):
        sound = (0.1 * np.random.default_rng(0).standard_normal((channels, 2 * rate))).astype(np.float32)
        by_graph = Denoiser(tmp_path / "step.onnx")(sound, rate)
        assert np.abs(by_graph - Denoiser(bundle)(sound, rate)).max() <= 1e-4


def test_a_bundle_is_exported_once_where_onnx_is_asked_for(folder, tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    name = str(folder / "labels")
    assert chosen_runtime([name], "auto", "auto") == "torch"
    (graph,) = load_models([name], "onnx", CPU)
    assert graph.digest == load_bundle(folder / "labels").digest
    assert re.search(r"exporting .*labels.* \(once\)", capfd.readouterr().err)
    changed_at = cached_graph(name).stat().st_mtime_ns
    load_models([name], "onnx", CPU)
    assert cached_graph(name).stat().st_mtime_ns == changed_at
    assert "exporting" not in capfd.readouterr().err
    if chosen_runtime([name], "auto", "cpu") == "onnx":
        assert "runtime: onnx" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("runtime", "device", "line"),
    [
        ("tflite", "auto", "runtime=tflite: no such runtime; choose from: auto, torch, onnx"),
        ("onnx", "cuda", "device=cuda: runtime=onnx computes on the CPU; leave one of them out"),
        ("torch", "cpu", "is a graph, which torch does not compute; write runtime=onnx"),
    ],
)
def test_what_does_not_go_together_is_a_line(folder, runtime, device, line):
    with pytest.raises(ArgumentError) as refused:
        load_models([str(folder / "labels.onnx")], runtime, {**CPU, "name": device})
    assert line in str(refused.value)


def test_a_graph_does_not_go_with_a_gpu(folder):
    with pytest.raises(ArgumentError, match="device=cuda: runtime=onnx computes on the CPU"):
        load_models([str(folder / "labels.onnx")], "auto", {**CPU, "name": "cuda"})


def test_a_graph_that_is_not_there_is_a_line(tmp_path):
    with pytest.raises(ArgumentError, match=r"no\.onnx: no such file"):
        load_models([str(tmp_path / "no.onnx")], "auto", CPU)


def test_without_torch_a_bundle_needs_a_graph(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("avpipe.inference.runtime.find_spec", lambda name: None if name == "torch" else name)
    with pytest.raises(ArgumentError, match="torch is not installed"):
        load_models([str(folder / "labels")], "auto", CPU)


@pytest.mark.slow
@pytest.mark.corpora
@pytest.mark.parametrize("name", [name for name in shipped_bundles() if name not in ("denoise", "sentiment_demo")])
def test_shipped_bundles_label_their_test_parts_alike(name, tmp_path):
    """Up to a hundred recordings of each: every label and text, and each number within 1e-4."""
    bundle = load_bundle(find_bundle(name))
    export_bundle(bundle, find_bundle(name), tmp_path / f"{name}.onnx")
    files, _ = told_files(bundle, "auto", {}, most=100)
    assert len(files) >= 10
    jobs = [Job(str(number), path) for number, path in enumerate(files)]
    records = []
    for model in (bundle, *load_models([str(tmp_path / f"{name}.onnx")], "onnx", CPU)):
        kept = _Kept()
        Predictor([model]).run(jobs, kept)
        records.append(kept.predictions)
    assert apart(*records) <= 1e-4
