"""Weights to begin with: from a file or from torchvision's folder, once, and never from the network."""

import hashlib
import json

import pytest
import torch
import torchvision
from safetensors.torch import load_file, save_file

from avpipe.config import compose, instantiate, plain
from avpipe.errors import ArgumentError
from avpipe.networks import TorchvisionEncoder3d
from avpipe.training.pretrained import begin_pretrained, check_pretrained, for_bundle, weights_file
from avpipe.training.run import config_digest
from tests.cli.test_commands import avpipe, one_line
from tests.training.films import LOOK, write_films


@pytest.fixture(scope="module")
def state():
    """Weights of a whole S3D, which is the smallest of them; they are none that a seed would give."""
    torch.manual_seed(7)
    return torchvision.models.get_model("s3d", weights=None).state_dict()


@pytest.fixture(scope="module")
def file(state, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "mine [1], so = to say.pth"
    torch.save(state, path)
    return path


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """torch.hub's folder of downloads, empty, and nothing may be downloaded into it."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", None)
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    return tmp_path / "hub" / "checkpoints"


def begun(weights, name="s3d"):
    encoder = TorchvisionEncoder3d(name, str(weights))
    begin_pretrained(torch.nn.ModuleDict({"video": encoder}))
    return encoder.trunk.state_dict()


def assert_of(trunk, state):
    assert len(trunk) == len(state) - 2  # the head has a weight and a bias
    for name, tensor in trunk.items():
        assert torch.equal(tensor, state[name]), name


def test_a_file_gives_all_but_the_head(file, state, tmp_path):
    assert_of(begun(file), state)
    save_file(state, tmp_path / "same.safetensors")
    assert_of(begun(tmp_path / "same.safetensors"), state)


def test_without_weights_nothing_is_changed(monkeypatch):
    monkeypatch.setattr("avpipe.training.pretrained.weights_file", None)
    torch.manual_seed(0)
    first = begun("none")
    torch.manual_seed(0)
    assert torch.equal(next(iter(first.values())), next(iter(TorchvisionEncoder3d("s3d").trunk.state_dict().values())))


def test_counts_of_batches_may_be_missing_and_nothing_else(state, tmp_path):
    bare = {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    torch.save(bare, tmp_path / "old.pt")
    begun(tmp_path / "old.pt")
    name = next(iter(bare))
    for change in ({name: bare[name][:1]}, {name: None}, {"more": torch.zeros(1)}):
        changed = {key: tensor for key, tensor in {**bare, **change}.items() if tensor is not None}
        torch.save(changed, tmp_path / "other.pt")
        with pytest.raises(ArgumentError, match=rf"other\.pt: holds other weights.*: 1 [a-z ]+, first ({name}|more)"):
            begun(tmp_path / "other.pt")
    with pytest.raises(ArgumentError, match=r"other weights than those of mc3_18.*torchvision's mc3_18"):
        begun(tmp_path / "old.pt", "mc3_18")


def test_what_is_no_file_of_weights_is_one_line(tmp_path):
    torch.save({"layer": [print]}, tmp_path / "code.pth")
    torch.save({"state_dict": {}}, tmp_path / "nested.pth")
    (tmp_path / "text.pth").write_text("weights")
    (tmp_path / "text.safetensors").write_text("weights")
    (tmp_path / "empty.pt").touch()
    for path in tmp_path.iterdir():
        with pytest.raises(ArgumentError, match="is no file of weights") as caught:
            begun(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["r3d_18", "mc3_18", "r2plus1d_18", "s3d"])
def test_kinetics_names_the_file_and_its_place(name, hub):
    with pytest.raises(ArgumentError) as caught:
        weights_file(TorchvisionEncoder3d(name, "kinetics"))
    line = str(caught.value)
    assert line.startswith(f"encoder.weights=kinetics: torchvision's file {name}-")
    assert str(hub) in line
    assert f"get https://download.pytorch.org/models/{name}-" in line


def test_kinetics_is_read_from_torchvisions_folder_if_it_is_whole(file, state, hub, monkeypatch):
    beginning = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
    weights = torchvision.models.get_model_weights("s3d")["KINETICS400_V1"]
    renamed = f"https://download.pytorch.org/models/s3d-{beginning}.pth"
    monkeypatch.setattr(weights, "_value_", type(weights.value)(renamed, weights.transforms, weights.meta))
    (hub / f"s3d-{beginning}.pth").write_bytes(file.read_bytes())
    assert_of(begun("kinetics"), state)
    (hub / f"s3d-{beginning}.pth").write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ArgumentError, match="is not whole"):
        begun("kinetics")


def composed(*overrides):
    return plain(compose("train", ["task=action", "encoder=s3d", *overrides]))


def test_a_bundles_specification_has_no_weights_to_ask_for():
    config = composed("encoder.weights=/nowhere/x.pth")
    spec = for_bundle(config["network"])
    assert spec["encoders"]["video"]["weights"] == "none"
    assert {**spec["encoders"]["video"], "weights": "/nowhere/x.pth"} == config["network"]["encoders"]["video"]
    other = plain(compose("train", ["task=action"]))["network"]
    assert for_bundle(other) == other
    instantiate({**config["network"], "num_outputs": 2})  # nor does what builds look for them


def test_the_digest_knows_the_file_and_not_its_folder():
    digests = [
        config_digest(composed(f"encoder.weights={each}")) for each in ("none", "kinetics", "/a/x.pt", "/b/x.pt")
    ]
    assert digests[2] == digests[3]
    assert len(set(digests)) == 3


def test_weights_from_two_places_are_refused(file):
    config = composed("init_from=digits")
    check_pretrained(config)
    config["network"]["encoders"]["video"]["weights"] = str(file)
    with pytest.raises(ArgumentError, match=r"init_from=digits: .*leave one of the two out"):
        check_pretrained(config)


@pytest.mark.slow
def test_a_training_begins_with_them_and_never_asks_again(tmp_path, file, state):
    root, run = write_films(tmp_path / "films"), tmp_path / "run"
    learn = ("train", *LOOK, f"corpus.root={root}", f"run_dir={run}", "encoder=s3d", "trainer.max_epochs=2")
    status, _, told = avpipe(*learn, f"encoder.weights={tmp_path / 'none.pth'}")
    assert (status, "no such file" in one_line(told)) == (2, True)
    moved = tmp_path / file.name
    moved.write_bytes(file.read_bytes())
    # At next to no learning rate the weights stay what they were.
    arguments = (*learn, f"encoder.weights={moved}", "optim.lr=1e-12", "ema_decay=0")
    status, _, told = avpipe(*arguments)
    assert status == 0, told
    made = run / "bundle" / "model.safetensors"
    name = "features.0.0.0.weight"
    torch.testing.assert_close(load_file(made)[f"network.encoders.video.trunk.{name}"], state[name])
    spec = json.loads((run / "bundle" / "bundle.json").read_text())["specs"]["network"]["encoders"]["video"]
    assert spec["weights"] == "none"
    moved.unlink()
    before = made.read_bytes()
    for path in sorted((run / "bundle").iterdir()):
        path.unlink()
    (run / "bundle").rmdir()
    status, _, told = avpipe(*arguments)  # goes on from its checkpoint
    assert status == 0, told
    assert made.read_bytes() == before
    status, _, told = avpipe("predict", f"bundle={run / 'bundle'}", f"input={root}", f"output={tmp_path / 'said'}")
    assert status == 0, told
