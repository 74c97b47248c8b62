"""The same commands on a GPU; these tests need one and skip without."""

import json
import shutil

import pytest
import torch

from avpipe.bundle import load_bundle
from avpipe.media import write_audio
from tests.cli.test_commands import avpipe
from tests.synthetic import noise
from tests.training.corpus import LEARN, write_corpus

pytestmark = pytest.mark.skipif("not torch.cuda.is_available()", reason="there is no GPU")

ON_GPU = (*LEARN, "device=cuda", "data.workers=1")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus") / "sweeps")


def train(root, run_dir, *arguments):
    status, said, told = avpipe("train", *ON_GPU, f"corpus.root={root}", f"run_dir={run_dir}", *arguments)
    assert status == 0, told
    return said


@pytest.fixture(scope="module")
def trained(root, tmp_path_factory):
    """A training in bfloat16 whose features are made on the GPU: what ``device=cuda`` says by itself."""
    run_dir = tmp_path_factory.mktemp("cuda") / "run"
    said = train(root, run_dir)
    return run_dir, said


def test_a_training_on_a_gpu_ends_with_a_bundle_that_the_cpu_proves(trained):
    run_dir, said = trained
    assert "epoch 3/3" in said
    bundle = load_bundle(run_dir / "bundle")
    assert bundle.device.type == "cpu"
    assert all(tensor.isfinite().all() for tensor in bundle.network.state_dict().values())
    assert load_bundle(run_dir / "bundle", torch.device("cuda")).device.type == "cuda"


def test_it_trains_in_bfloat16(trained):
    device = json.loads((trained[0] / "config.json").read_text())["device"]
    assert device == {"name": "cuda", "precision": "bf16-mixed", "compile": False}


@pytest.mark.parametrize("features_on_device", ["true", "false"])
def test_recordings_are_mixed_wherever_features_are_made(root, tmp_path, features_on_device):
    train(
        root, tmp_path / "run", "augment=mixup", f"data.features_on_device={features_on_device}",
        "trainer.max_epochs=1",
    )  # fmt: skip
    assert (tmp_path / "run" / "metrics.json").is_file()


def test_features_are_cached_and_a_learning_rate_is_found_for_a_gpu(root, tmp_path):
    train(root, tmp_path / "run", "cache=features", "augment=none", "find_lr=true", "trainer.max_epochs=1")
    assert (tmp_path / "run" / "lr.json").is_file()


def test_a_training_goes_on_from_its_last_epoch_on_a_gpu(root, trained, tmp_path, monkeypatch):
    class StoppedError(Exception):
        pass

    def stop(self, *arguments):
        genuine(self, *arguments)
        if self.filename == "last":
            raise StoppedError

    with monkeypatch.context() as patched:
        from pytorch_lightning.callbacks import ModelCheckpoint

        genuine = ModelCheckpoint.on_train_epoch_end
        patched.setattr(ModelCheckpoint, "on_train_epoch_end", stop)
        with pytest.raises(StoppedError):
            train(root, tmp_path / "run")
    said = train(root, tmp_path / "run")
    assert "epoch 1/3" not in said
    assert "epoch 3/3" in said
    # A GPU adds in any order: nearly the same, and not the same bits.
    was, now = (load_bundle(run_dir / "bundle").network.state_dict() for run_dir in (trained[0], tmp_path / "run"))
    for name, tensor in was.items():
        torch.testing.assert_close(now[name], tensor, atol=5e-2, rtol=5e-2, msg=name)


def test_a_training_begun_on_a_gpu_goes_on_on_a_cpu(root, trained, tmp_path):
    shutil.copytree(trained[0], tmp_path / "run", ignore=shutil.ignore_patterns("bundle", "metrics.json"))
    status, said, told = avpipe("train", *LEARN, f"corpus.root={root}", f"run_dir={tmp_path / 'run'}")
    assert status == 0, told
    assert "epoch" not in said
    assert (tmp_path / "run" / "bundle" / "bundle.json").is_file()


def test_predictions_on_a_gpu_and_on_a_cpu_agree(trained, tmp_path, elsewhere):
    for seed in range(5):
        waveform = noise(0.4 + 0.3 * seed, rate_hz=8000, seed=seed)
        write_audio(tmp_path / "media" / f"{seed}.wav", waveform, 8000)
    answers = {}
    for device in ("cpu", "cuda"):
        status, _, told = avpipe(
            "predict", f"bundle={trained[0] / 'bundle'}", tmp_path / "media", device, f"device={device}", "workers=0"
        )
        assert status == 0, told
        lines = (elsewhere / device / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
        answers[device] = [json.loads(line)["tasks"]["sound_event"] for line in lines]
    assert len(answers["cpu"]) == 5
    for one, other in zip(answers["cpu"], answers["cuda"], strict=True):
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-3)
