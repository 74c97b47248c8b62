"""A bundle proves itself, and builds nothing but parts of networks."""

import hashlib
import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from avpipe.bundle import BundleError, find_bundle, load_bundle, read_origin, record_metrics, save_bundle
from avpipe.bundle.trust import check_spec
from avpipe.config import instantiate
from avpipe.errors import ArgumentError
from avpipe.features import collate
from tests.tiny import AUDIO, VIDEO, save_tiny_bundle, specs_of


@pytest.fixture
def folder(tmp_path):
    return save_tiny_bundle(tmp_path / "tones")


def rewrite(folder, change):
    """Change the manifest and vouch for the change, as one would who knows how."""
    manifest = json.loads((folder / "bundle.json").read_text())
    del manifest["content_sha256"]
    change(manifest)
    manifest["content_sha256"] = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    (folder / "bundle.json").write_text(json.dumps(manifest))


def looking_through(encoder, **arguments):
    return {**VIDEO, "encoders": {"video": {"_target_": f"avpipe.networks.{encoder}", **arguments}}}


KINDS = {
    "audio": AUDIO,
    "video": VIDEO,
    "x3d": looking_through("X3dEncoder"),
    "shift2d": looking_through("ShiftEncoder2d"),
    "s3d": looking_through("TorchvisionEncoder3d", name="s3d", weights="none"),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_loaded_bundle_answers_as_the_saved_one(tmp_path, kind):
    bundle = load_bundle(save_tiny_bundle(tmp_path / "one", kind))
    assert bundle.name == "one"
    assert bundle.objective.labels == ("high", "low", "middle")
    assert not bundle.network.training
    again = load_bundle(tmp_path / "one")
    steps = bundle.preprocessor.window_steps
    sense = bundle.preprocessor.senses[0]
    shape = (1, 40, 80) if sense == "audio" else (3, 4, 32, 32)
    batch, lengths = collate([{sense: torch.randn(shape, generator=torch.Generator().manual_seed(1))}], steps)
    assert torch.equal(bundle.network(batch, lengths).value, again.network(batch, lengths).value)


def ensemble_specs():
    specs = specs_of(AUDIO)
    network = {
        "_target_": "avpipe.networks.Ensemble",
        "members": [specs["network"], specs["network"]],
        "temperatures": [0.5, 2.0],
    }
    return {**specs, "network": network}


def test_an_ensemble_answers_as_the_saved_one(tmp_path, folder):
    specs = ensemble_specs()
    torch.manual_seed(3)
    network, objective = instantiate(specs["network"]).eval(), instantiate(specs["objective"])
    save_bundle(tmp_path / "both", specs, network, objective, read_origin(folder))
    loaded = load_bundle(tmp_path / "both").network
    assert loaded.temperatures == (0.5, 2.0)
    features, lengths = {"audio": torch.randn(2, 1, 40, 101)}, {"audio": torch.tensor([101, 60])}
    with torch.inference_mode():
        assert torch.equal(loaded(features, lengths).value, network(features, lengths).value)
        members = [member(features, lengths).value for member in loaded.get_submodule("members").children()]
    assert not torch.equal(*members)


def test_an_ensemble_of_other_labels_is_refused(tmp_path, folder):
    specs = ensemble_specs()
    specs["objective"] = {**specs["objective"], "labels": ["high", "low"], "class_counts": [1, 1]}
    network, objective = instantiate(specs["network"]), instantiate(specs["objective"])
    save_bundle(tmp_path / "both", specs, network, objective, read_origin(folder))
    with pytest.raises(BundleError, match="3 outputs for 2 labels"):
        load_bundle(tmp_path / "both")


@pytest.mark.parametrize("name", ["model.safetensors", "golden.safetensors", "card.md", "bundle.json"])
def test_a_changed_byte_is_named(folder, name):
    path = folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match=name):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "golden.safetensors", "card.md", "bundle.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(BundleError, match=name):
        load_bundle(folder)


def test_a_missing_label_is_refused_even_when_vouched_for(folder):
    def drop(manifest):
        manifest["specs"]["objective"]["labels"].pop()
        manifest["specs"]["objective"]["class_counts"].pop()

    rewrite(folder, drop)
    with pytest.raises(BundleError, match="3 outputs for 2 labels"):
        load_bundle(folder)


@pytest.mark.parametrize(
    "target",
    [
        "torch.hub.load",
        "torch.utils.collect_env.run",
        "os.system",
        "builtins.eval",
        "subprocess.Popen",
        "torch.nn.modules.module.torch.hub.load",
        "avpipe.networks.residual2d.nn.modules.module.torch.hub.load",
        "avpipe.networks.frames2d.torch.load",
        "avpipe.objectives.objective.dataclass",
        "avpipe.bundle.load_bundle",
        "avpipe.features.collate",
        "avpipe.threads.single_threaded",
        "torchvision.models.get_model",
        "torchvision.models.utils.load_state_dict_from_url",
        "torch.nn.no_such_thing",
        "",
    ],
)
def test_a_foreign_target_is_refused_before_it_is_called(folder, target):
    rewrite(folder, lambda manifest: manifest["specs"]["network"]["encoders"]["audio"].update(_target_=target))
    with pytest.raises(BundleError, match="may not build"):
        load_bundle(folder)


@pytest.mark.parametrize(
    "spec",
    [
        {"_target_": "torchvision.models.resnet18", "weights": "DEFAULT"},
        {"_target_": "avpipe.networks.MeanPooling", "_args_": [3]},
        {"channels": "${oc.env:HOME}"},
    ],
)
def test_downloads_hidden_arguments_and_references_are_refused(tmp_path, spec):
    with pytest.raises(BundleError):
        check_spec(tmp_path, "network", {"encoders": [spec]})


@pytest.mark.parametrize("name", ["torch.nn.Linear", "torchvision.models.resnet18", "avpipe.networks.Concatenation"])
def test_parts_of_networks_may_be_built(tmp_path, name):
    check_spec(tmp_path, "network", {"_target_": name, "weights": None})


def test_features_that_differ_are_refused(folder):
    rewrite(folder, lambda manifest: manifest["specs"]["preprocessor"]["audio"].update(n_fft=200))
    with pytest.raises(BundleError, match=r"features.audio of the golden input"):
        load_bundle(folder)


def test_outputs_that_differ_are_refused(folder):
    state = load_file(folder / "model.safetensors")
    state["network.head.bias"] += 0.01
    save_file(state, folder / "model.safetensors")
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    rewrite(folder, lambda manifest: manifest["sha256"].update({"model.safetensors": digest}))
    with pytest.raises(BundleError, match="output of the golden input"):
        load_bundle(folder)


def test_metrics_are_entered_without_another_digest(folder):
    before = load_bundle(folder).digest
    record_metrics(folder, {"uar": 0.75})
    assert load_bundle(folder).digest == before
    assert read_origin(folder).metrics == {"uar": 0.75}
    assert "| uar | 0.7500 |" in (folder / "card.md").read_text()


def test_the_card_tells_labels_data_licence_and_command(folder):
    card = (folder / "card.md").read_text()
    for part in ("high, low, middle", "folders", "made here", "avpipe train", "0" * 64, "1.0 s", "Of folders: year 7."):
        assert part in card


def test_the_card_tells_what_a_network_that_looks_cannot_know(tmp_path):
    card = (save_tiny_bundle(tmp_path / "looks", VIDEO) / "card.md").read_text()
    assert "For other cameras, places and people, and for" in card
    motion = {**VIDEO, "encoders": {"video": {"_target_": "avpipe.networks.MotionEncoder"}}}
    card = (save_tiny_bundle(tmp_path / "moves", motion) / "card.md").read_text()
    assert "how fast and how unevenly things move, and not what they are" in card


def test_the_card_ends_with_what_the_recordings_are_where_that_is_known(folder):
    def learned_from_drawings(manifest):
        manifest["origin"]["corpus_settings"] = {"about": "Drawings. " + "Of people nothing was measured. " * 9}

    rewrite(folder, learned_from_drawings)
    record_metrics(folder, {})
    *_, last = (folder / "card.md").read_text().split("\n\n")
    assert last.startswith("Drawings. Of people nothing was measured.")
    assert max(len(line) for line in last.splitlines()) < 120
    assert "Of folders" not in (folder / "card.md").read_text()


def test_a_bundle_of_a_run_is_known_by_its_task(tmp_path):
    assert load_bundle(save_tiny_bundle(tmp_path / "run" / "bundle")).name == "tones"


def test_what_is_no_bundle_is_told_with_the_choices(tmp_path):
    with pytest.raises(ArgumentError, match=r"one of: .*digits"):
        find_bundle("no_such_bundle")
    with pytest.raises(BundleError, match=r"bundle.json"):
        find_bundle(str(tmp_path))


def test_saving_refuses_what_loading_would_refuse(tmp_path):
    specs = specs_of(AUDIO)
    with pytest.raises(BundleError, match="may not build"):
        check_spec(tmp_path, "network", {**specs["network"], "pooling": {"_target_": "tests.tiny.specs_of"}})


def test_logits_are_equal_in_another_process_folder_and_without_conf(folder, tmp_path):
    """No YAML of ours is read, nor anything in the working folder."""
    code = """
import sys, torch
import avpipe.config
def no_conf(): raise AssertionError("conf was read")
avpipe.config.conf_dir = no_conf
from avpipe.bundle import load_bundle
from pathlib import Path
bundle = load_bundle(Path(sys.argv[1]))
x = torch.linspace(-1, 1, 40 * 101).reshape(1, 1, 40, 101)
print(bundle.network({"audio": x}, {"audio": torch.tensor([101])}).value.tolist())
assert "pytorch_lightning" not in sys.modules
"""
    environment = {**os.environ, "PYTHONPATH": ""}
    said = subprocess.run(
        [sys.executable, "-c", code, str(folder)], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr
    x = torch.linspace(-1, 1, 40 * 101).reshape(1, 1, 40, 101)
    with torch.inference_mode():
        here = load_bundle(folder).network({"audio": x}, {"audio": torch.tensor([101])}).value
    torch.testing.assert_close(torch.tensor(json.loads(said.stdout)), here, atol=1e-6, rtol=0.0)


def test_whoever_may_read_a_folder_may_read_its_bundle(folder):
    mask = os.umask(0)
    os.umask(mask)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o666 & ~mask}
