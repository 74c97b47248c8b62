"""The shipped bundle ``scenes``: what it is good for, held to its figures."""

import numpy as np
import pytest
import torch

import avpipe
from avpipe.bundle import find_bundle, load_bundle, read_origin
from avpipe.corpora import MadeFilms, make_split
from avpipe.corpora.editing.pictures import drawn_picture
from avpipe.features import EveryFrame
from avpipe.inference.evaluate import evaluate
from avpipe.media import write_video
from avpipe.networks import SequenceNetwork, ShotEncoder


@pytest.fixture(scope="module")
def ask():
    return avpipe.load("scenes", device="cpu")


def test_it_is_small_and_its_windows_overlap_by_what_its_network_sees():
    folder = find_bundle("scenes")
    assert sum(path.stat().st_size for path in folder.iterdir()) < 5_000_000
    bundle = load_bundle(folder)
    assert isinstance(bundle.network, SequenceNetwork)
    video, encoder = bundle.preprocessor.video, bundle.network.encoders["video"]
    assert isinstance(video, EveryFrame)
    assert isinstance(encoder, ShotEncoder)
    assert video.context_frames >= encoder.reach


def moving(seed, length, step=1):
    """A drawing that drifts by, (T, 90, 160, 3) uint8."""
    draw = np.random.default_rng(seed)
    picture = (drawn_picture(draw, (100, 160 + step * length)) * 255).byte().permute(1, 2, 0).numpy()
    return np.stack([picture[5:95, step * place : step * place + 160] for place in range(length)])


def test_cuts_and_a_dissolve_are_found_at_the_very_times_of_a_film_whose_rate_varies(ask, tmp_path):
    parts = [moving(seed, 40) for seed in (1, 2, 3, 4, 5)]
    share = (np.arange(1, 17) / 17)[:, None, None, None]
    dissolve = (parts[3][-16:] * (1 - share) + parts[4][:16] * share).round().astype(np.uint8)
    frames = np.concatenate([*parts[:3], parts[3][:-16], dissolve, parts[4][16:]])
    times = np.cumsum(np.random.default_rng(0).choice([0.01, 0.02, 0.033, 0.04, 0.1], len(frames))).round(3)
    write_video(tmp_path / "film.mkv", frames, times_sec=times.tolist(), codec="libx264")
    answer = ask(tmp_path / "film.mkv").tasks["scenes"]
    cuts = [each.time_sec for each in answer.boundaries if each.kind == "cut"]
    assert cuts == pytest.approx(times[[40, 80, 120]].tolist(), abs=5e-4)
    (gradual,) = (each for each in answer.boundaries if each.kind == "gradual")
    assert times[144] <= gradual.time_sec < times[160]
    assert [shot.num_frames for shot in answer.shots[:3]] == [40, 40, 40]


@pytest.mark.slow
@pytest.mark.corpora
def test_it_keeps_its_figures_on_the_fixed_films():
    bundle = load_bundle(find_bundle("scenes"))
    corpus = MadeFilms()
    split = make_split(corpus)
    assert split.sha256 == read_origin(find_bundle("scenes")).split_sha256
    torch.set_num_threads(1)
    metrics = evaluate(bundle, corpus, split.test, 16, 0).metrics
    for name, value in bundle.origin.metrics.items():
        assert metrics[name] >= value - 0.01, name


@pytest.mark.corpora
@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("nasa_13013.mp4", ["gradual", "cut"]),
        ("counter.mp4", ["cut", "cut"]),
        ("issue-236-split-copy.mkv", ["cut"]),
        ("bt709_full_range.mp4", []),
    ],
)
def test_films_of_others_are_cut_where_they_are(ask, corpora, name, kinds):
    assert [each.kind for each in ask(corpora / "odd_media" / name).tasks["scenes"].boundaries] == kinds
