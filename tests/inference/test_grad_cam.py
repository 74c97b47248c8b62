"""What spoke for an answer: maps of the size of what the network was given, warm where the evidence is."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from avpipe.bundle import Bundle, load_bundle
from avpipe.config import instantiate
from avpipe.errors import ArgumentError
from avpipe.inference.grad_cam import DEFAULT_COUNT, GradCam, count_explained
from avpipe.networks import Identity, MeanPooling, Network
from avpipe.objectives import Classification
from tests.cli.test_commands import avpipe, one_line
from tests.report.reading import Page
from tests.synthetic import tone
from tests.tiny import AUDIO, VIDEO, save_tiny_bundle, specs_of
from tests.training.films import write_films

pytest.importorskip("captum")
ENCODERS = {
    "residual3d": VIDEO["encoders"]["video"],
    "frames2d": {"_target_": "avpipe.networks.FrameEncoder2d", "channels": [4, 8, 8]},
    "shift2d": {"_target_": "avpipe.networks.ShiftEncoder2d", "channels": [4, 8, 8]},
    "x3d": {"_target_": "avpipe.networks.X3dEncoder", "channels": [4, 8], "blocks": [2]},
    "motion": {"_target_": "avpipe.networks.MotionEncoder"},
}


class Brightness(nn.Module):
    """An encoder whose one channel is how bright a place is."""

    out_dim = 1

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv3d(3, 1, 1, bias=False)
        nn.init.ones_(self.convolution.weight)

    def forward(self, features, lengths):
        return self.convolution(features).relu().mean((3, 4)), lengths


def of_brightness() -> Bundle:
    """A bundle that says ``bright`` of what is bright, and ``dark`` of the rest."""
    network = Network({"video": Brightness()}, MeanPooling, Identity, num_outputs=2)
    with torch.no_grad():
        network.head.weight.copy_(torch.tensor([[1.0], [-1.0]]))
    preprocessor = instantiate(VIDEO["preprocessor"])
    objective = Classification(["bright", "dark"], [1, 1])
    return Bundle("light", None, "", preprocessor, network.eval().requires_grad_(False), objective, torch.device("cpu"))


def test_it_is_warm_where_the_evidence_is():
    features = torch.zeros(3, 4, 32, 32)
    features[:, 2, :16, 16:] = 1.0
    explained = GradCam(of_brightness())
    heat = explained({"video": features}, "bright")["video"]
    np.testing.assert_array_equal(heat, features[0].numpy())
    assert not explained({"video": features}, "dark")["video"].any()


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_map_has_the_size_of_the_true_frames(encoder, tmp_path):
    kind = {**VIDEO, "encoders": {"video": ENCODERS[encoder]}}
    explained = GradCam(load_bundle(save_tiny_bundle(tmp_path / "one", kind)))
    features = {"video": torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))}  # a window has four
    maps = [explained(features, label)["video"] for label in ("high", "low", "middle")]
    assert {heat.shape for heat in maps} == {(3, 32, 32)}
    assert all(heat.min() >= 0.0 and heat.max() in (0.0, pytest.approx(1.0)) for heat in maps)


def test_networks_that_answer_together_are_explained_together(tmp_path):
    specs = specs_of(AUDIO)
    members = [specs["network"], specs["network"]]
    network = instantiate({"_target_": "avpipe.networks.Ensemble", "members": members})
    alone = load_bundle(save_tiny_bundle(tmp_path / "one"))
    objective, preprocessor = instantiate(specs["objective"]), alone.preprocessor
    bundle = Bundle("both", alone.origin, "", preprocessor, network.eval(), objective, torch.device("cpu"))
    features = {"audio": preprocessor.audio(torch.from_numpy(tone(0.6, rate_hz=8000)))}
    assert GradCam(bundle)(features, "low")["audio"].shape == features["audio"].shape[1:]


@pytest.mark.parametrize(("asked", "count"), [(None, 0), (False, 0), (True, DEFAULT_COUNT), (1, 1), (7, 7)])
def test_how_many(asked, count):
    assert count_explained(asked, of_brightness()) == count


def test_what_cannot_be_explained_is_one_line(monkeypatch, tmp_path):
    bundle = of_brightness()
    for asked in (0, -1, "many", 1.5):
        with pytest.raises(ArgumentError, match=rf"explain={asked}: is no number of answers; give true, or 1 or more"):
            count_explained(asked, bundle)
    monkeypatch.setattr("avpipe.inference.grad_cam.find_spec", lambda name: None)
    status, _, told = avpipe("evaluate", "bundle=digits", "explain=true", f"output={tmp_path / 'm.json'}")
    assert status == 2
    assert one_line(told) == 'avpipe: explain=True: captum is not installed; pip install "avpipe[explain]"'


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A function that evaluates an untrained bundle on films and returns its page."""
    folder = tmp_path_factory.mktemp("films")
    root = write_films(folder / "films", sources=2)
    bundle = save_tiny_bundle(folder / "motion", VIDEO, ("down", "up"))

    def page(*arguments) -> Page:
        output: Path = folder / f"scores {len(arguments)}" / "metrics.json"
        status, _, told = avpipe(
            "evaluate", f"bundle={bundle}", "corpus=folders", f"corpus.root={root}", "split=all", f"output={output}",
            "device=cpu", "workers=0", *arguments,
        )  # fmt: skip
        assert status == 0, told
        return Page(output.with_name("report.html"))

    return page


def test_the_page_has_a_section_when_it_is_asked_for(scored):
    plain, asked = scored(), scored("explain=2")
    asked.check()
    assert "What spoke for the answers" in asked.text
    assert "What spoke for the answers" not in plain.text
    added = [image["alt"] for image in asked.all("img")][len(plain.all("img")) :]
    assert len(added) == 2 * 4  # of two wrong and two right answers the frames, and the frames with what spoke for them
    assert sum("warm: what spoke for the answer" in alt for alt in added) == 4
