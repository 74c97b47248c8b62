"""A graph says what its bundle says, or is not written."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from avpipe.bundle import load_bundle, shipped_bundles
from avpipe.bundle.places import find_bundle
from avpipe.errors import ArgumentError
from avpipe.export import check_exporter, compare, export_bundle, export_step
from avpipe.export.depthwise import RowConvolution, with_rows
from avpipe.export.front_end import MelGraph
from avpipe.export.parity import difference
from avpipe.features import LogMel
from avpipe.graphs import ExportError, load_graph, open_session
from avpipe.media import read_clip, write_audio
from avpipe.networks import Output
from avpipe.windowing import Arrays, Windowing
from tests.inference.test_senses import save_film_bundle
from tests.tiny import (
    LIPS,
    LIPS_AND_SOUND,
    VIDEO,
    save_denoiser_bundle,
    save_lips_bundle,
    save_scenes_bundle,
    save_speaker_bundle,
    save_tiny_bundle,
    save_transcriber_bundle,
)

KINDS = {
    "labels": save_tiny_bundle,
    "films": lambda folder: save_tiny_bundle(folder, VIDEO),
    "texts": save_transcriber_bundle,
    "voices": save_speaker_bundle,
    "shots": save_scenes_bundle,
    "lips": lambda folder: save_lips_bundle(folder, LIPS),
    "lips and sound": lambda folder: save_lips_bundle(folder, LIPS_AND_SOUND),
    "two senses": save_film_bundle,
    "a filter": save_denoiser_bundle,
}


@pytest.fixture(scope="module", params=KINDS, ids=str)
def exported(request, tmp_path_factory):
    """A bundle, its folder, and its graph."""
    folder = KINDS[request.param](tmp_path_factory.mktemp("bundle") / "made")
    bundle, path = load_bundle(folder), tmp_path_factory.mktemp("graph") / "made.onnx"
    parity = export_bundle(bundle, folder, path)
    assert parity.greatest <= 1e-4
    return bundle, folder, path


def windows(bundle, seconds, seed=0):
    """Noise and noisy pictures of a length."""
    draw = np.random.default_rng(seed)
    arrays: Arrays = {}
    if rate := bundle.windowing.format.sample_rate:
        arrays["waveform"] = (0.1 * draw.standard_normal((1, round(seconds * rate)))).astype(np.float32)
    if (video := bundle.preprocessor.video) is not None:
        size = (bundle.windowing.crops.crop_px,) * 2 if bundle.windowing.crops else video.shape_px
        steps = max(1, round(0.7 * video.num_steps(seconds)))
        arrays["frames"] = draw.integers(0, 256, (steps, *size, 3), dtype=np.uint8)
    return arrays


@pytest.mark.parametrize("share", [0.1, 0.37, 1.0])
def test_a_window_of_any_length_gets_the_same_answer(exported, share):
    bundle, _, path = exported
    assert difference(bundle, load_graph(path), windows(bundle, share * bundle.windowing.window_sec)) <= 1e-4


def test_what_a_bundle_says_of_itself_travels_in_the_file(exported):
    bundle, _, path = exported
    graph = load_graph(path)
    assert (graph.name, graph.digest, graph.senses) == (bundle.name, bundle.digest, bundle.senses)
    assert graph.windowing == bundle.windowing
    assert Windowing.from_settings(graph.windowing.settings) == bundle.windowing
    assert graph.objective.settings == bundle.objective.settings
    told = graph.session.get_modelmeta().custom_metadata_map
    assert told["bundle_sha256"] == bundle.digest
    if labels := getattr(bundle.objective, "labels", None):
        assert tuple(told["labels"].splitlines()) == labels


def test_batches_are_of_any_size(tmp_path):
    bundle = load_bundle(save_tiny_bundle(tmp_path / "made"))
    export_bundle(bundle, tmp_path / "made", tmp_path / "made.onnx")
    session = open_session(str(tmp_path / "made.onnx"))
    sound = np.random.default_rng(0).standard_normal((3, 1, 6000)).astype(np.float32)
    lengths = np.array([6000, 2500, 400])
    together = session.run(["scores"], {"waveform": sound, "waveform_length": lengths})[0]
    for row, length in enumerate(lengths):
        fed = {"waveform": sound[row : row + 1, :, :length], "waveform_length": lengths[row : row + 1]}
        np.testing.assert_allclose(session.run(["scores"], fed)[0][0], together[row], atol=1e-5)


@pytest.mark.parametrize("trim_db", [None, 30.0])
@pytest.mark.parametrize("subtract_clip_mean", [False, True])
def test_mel_in_a_graph_is_the_mel_of_training(trim_db, subtract_clip_mean):
    mel = LogMel(8000, 256, 80, 40, mean=-10.0, std=4.0, subtract_clip_mean=subtract_clip_mean, trim_db=trim_db)
    graph, draw = MelGraph(mel), torch.Generator().manual_seed(0)
    sounds = [0.1 * torch.randn(1, samples, generator=draw) for samples in (8000, 3001, 80)]
    sounds[0][:, :2000] *= 1e-4  # which is left out
    sounds[0][:, 7000:] *= 1e-4
    lengths = torch.tensor([*(sound.shape[1] for sound in sounds), 0])
    batch = torch.full((4, 1, 8000), 7.0)  # what stands behind a sound is nothing
    for row, sound in enumerate(sounds):
        batch[row, :, : sound.shape[1]] = sound
    features, frames = graph(batch, lengths)
    assert frames[3] == 0
    assert not features[3].any()
    for row, sound in enumerate(sounds):
        expected = mel(sound)
        assert frames[row] == expected.shape[2]
        torch.testing.assert_close(features[row, :, :, : frames[row]], expected, atol=2e-4, rtol=0.0)
        assert not features[row, :, :, frames[row] :].any()


@pytest.mark.parametrize("masks", [False, True])
def test_steps_of_a_filter_are_the_whole_in_blocks(tmp_path, masks):
    bundle = load_bundle(save_denoiser_bundle(tmp_path / "made"))
    assert export_step(bundle, tmp_path / "step.onnx", masks=masks).greatest <= 1e-4
    assert load_graph(tmp_path / "step.onnx").card.streaming


def test_only_filters_have_steps(tmp_path):
    with pytest.raises(ArgumentError, match="is no filter"):
        export_step(load_bundle(save_tiny_bundle(tmp_path / "made")), tmp_path / "step.onnx")


def test_a_graph_that_says_something_else_is_refused(tmp_path):
    folder = save_tiny_bundle(tmp_path / "made")
    bundle = load_bundle(folder)
    export_bundle(bundle, folder, tmp_path / "made.onnx")
    other = replace(bundle, network=load_bundle(save_tiny_bundle(tmp_path / "other", seed=1)).network)
    with pytest.raises(ExportError, match=r"differs from the bundle by .* on the golden input, of 0.0001"):
        compare(other, load_graph(tmp_path / "made.onnx"), folder, [], 1e-4)


class _Inverted(nn.Module):
    """Does what ONNX has no operator for."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, features, lengths):
        value = self.inner(features, lengths).value
        return Output(torch.linalg.svdvals(value[:, :, None]).expand(-1, value.shape[1]))


def test_only_convolutions_over_time_of_single_channels_become_rows():
    torch.manual_seed(0)
    alone = nn.Conv1d(6, 12, 5, stride=2, padding=4, dilation=2, groups=6)
    network = nn.Sequential(alone, nn.Sequential(nn.Conv1d(12, 4, 3), nn.Conv1d(4, 4, 3, groups=4, padding="same")))
    rows, sound = with_rows(network), torch.randn(3, 6, 40)
    assert [name for name, each in rows.named_modules() if isinstance(each, RowConvolution)] == ["0"]
    assert network[0] is alone
    assert torch.allclose(rows(sound), network(sound), atol=1e-6)


def test_an_operation_that_onnx_has_not_is_named(tmp_path):
    bundle = load_bundle(save_tiny_bundle(tmp_path / "made"))
    strange = replace(bundle, network=_Inverted(bundle.network))
    with pytest.raises(ExportError, match=r"cannot be exported: .*aten::linalg") as refused:
        export_bundle(strange, tmp_path / "made", tmp_path / "made.onnx")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "made.onnx").exists()


def test_what_is_missing_is_named(monkeypatch):
    check_exporter()
    with pytest.raises(ArgumentError, match="opset=9: cannot be written; choose from 17 to 20"):
        check_exporter(9)
    monkeypatch.setattr("avpipe.export.graph.find_spec", lambda name: None if name == "onnx" else name)
    with pytest.raises(ArgumentError, match=r'onnx is not installed; pip install "avpipe\[onnx\]"'):
        check_exporter()


@pytest.fixture(scope="module")
def recordings(samples, tmp_path_factory):
    """The samples' sound with a room's noise 60 dB below full scale: where nothing at all is heard, the features of two
    transforms of Fourier's differ by what either rounds, and no microphone gives that.
    """
    folder, draw = tmp_path_factory.mktemp("recordings"), np.random.default_rng(0)
    for name in ("zero.wav", "one.wav", "two.flac", "three.m4a", "four_stereo_44100.mp3"):
        waveform = read_clip(samples / name, sample_rate=16_000, mono=True).waveform
        noisy = waveform + 0.001 * draw.standard_normal(waveform.shape).astype(np.float32)
        write_audio(folder / f"{name}.wav", noisy, 16_000)
    return sorted(folder.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("name", shipped_bundles())
def test_every_shipped_bundle_exports_and_agrees(name, samples, recordings, tmp_path):
    folder, bundle = find_bundle(name), load_bundle(find_bundle(name))
    films = sorted(samples.glob("*.mp4")) if bundle.preprocessor.video is not None else []
    assert export_bundle(bundle, folder, tmp_path / "made.onnx", [*recordings, *films]).greatest <= 1e-4
