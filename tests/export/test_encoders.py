"""Every encoder that a config names can be exported."""

import pytest

from avpipe.bundle import load_bundle
from avpipe.config import compose, conf_dir, plain
from avpipe.export import export_bundle
from tests.tiny import save_tiny_bundle

ENCODERS = sorted(path.stem for path in (conf_dir() / "encoder").glob("*.yaml"))
TASKS = {
    "ecapa": "speaker",
    "lips": "lip_reading",
    "shots": "scenes",
    "frames2d": "sentiment",
    **dict.fromkeys(("mc3_18", "motion", "r2plus1d_18", "r3d_18", "residual3d", "s3d", "shift2d", "x3d"), "action"),
}
"""That an encoder is for; of the others: sounds."""
MORE = {"inception_v3": ["preprocess.audio.n_mels=80"]}
"""What it needs besides."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ENCODERS)
def test_a_graph_of_it_says_the_same(name, tmp_path):
    if name == "timm":
        pytest.importorskip("timm")
    task = TASKS.get(name, "sound_event")
    overrides = [f"task={task}", *([f"encoder={name}"] if task != "sentiment" else []), *MORE.get(name, [])]
    config = plain(compose("train", overrides))
    (sense, encoder), *others = reversed(config["network"]["encoders"].items())
    preprocessor = {key: value for key, value in config["preprocess"].items() if key not in dict(others)}
    folder = save_tiny_bundle(tmp_path / "made", {"preprocessor": preprocessor, "encoders": {sense: encoder}})
    assert export_bundle(load_bundle(folder), folder, tmp_path / "made.onnx").greatest <= 1e-4
