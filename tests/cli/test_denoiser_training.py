"""A filter of one's own: trained on folders of speech and noise, or on pairs, scored, and put to work."""

import csv
import json
import math

import numpy as np
import pytest

from avpipe import Denoiser
from avpipe.media import read_clip, write_audio
from tests.cli.test_commands import avpipe, one_line
from tests.synthetic import noise, tone

LEARN = (
    "task=denoise", "network.channels=4", "network.hidden=8", "network.outer_channels=4", "network.dilations=[1,2]",
    "data.batch_size=2", "data.passes=1", "data.workers=0", "trainer.max_epochs=1", "device=cpu", "cache=none",
    "preprocess.window_sec=0.5", "preprocess.hop_sec=0.5",
)  # fmt: skip
RATE_HZ = 16_000


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """As VoiceBank-DEMAND lies: a noisy recording for every clean one."""
    root = tmp_path_factory.mktemp("pairs")
    for side, speakers in (("trainset_28spk", ("p226", "p227", "p228", "p230")), ("testset", ("p232", "p257"))):
        for place, speaker in enumerate(speakers):
            for take in range(2):
                clean = tone(0.6, 300.0 + 50 * place + 10 * take)
                for kind, waveform in (("clean", clean), ("noisy", clean + 0.3 * noise(0.6, seed=take))):
                    path = root / f"{kind}_{side}_wav" / f"{speaker}_{take:03}.wav"
                    path.parent.mkdir(exist_ok=True)
                    write_audio(path, waveform, RATE_HZ)
    return root


def train(pairs, run_dir, *arguments):
    """(exit status, what is said, what is told) of a training on pairs."""
    common = ("corpus=paired", "augment=paired", f"corpus.root={pairs}", f"run_dir={run_dir}")
    return avpipe("train", *LEARN, *common, *arguments)


@pytest.fixture(scope="module")
def trained(pairs, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("runs") / "own"
    status, _, told = train(pairs, run_dir)
    assert status == 0, told
    return run_dir


def test_a_filter_is_trained_scored_and_shown(trained):
    told = json.loads((trained / "metrics.json").read_text())
    assert (told["task"], told["corpus"], told["split"], told["num_examples"]) == ("denoise", "paired", "test", 4)
    assert {"si_sdr", "si_sdr_gain"} <= set(told["metrics"])
    assert all(math.isfinite(value) for value in told["metrics"].values())
    assert set(told["intervals"]) == set(told["metrics"])
    with (trained / "answers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [
        f"noisy_testset_wav/{name}.wav" for name in ("p232_000", "p232_001", "p257_000", "p257_001")
    ]
    gains = [float(row["si_sdr_gain"]) for row in rows]
    assert np.mean(gains) == pytest.approx(told["metrics"]["si_sdr_gain"])
    page = (trained / "report.html").read_text()
    assert "si_sdr_gain" in page
    assert "denoise" in page


def test_its_bundle_filters_and_is_scored_alike(trained, pairs, tmp_path):
    clip = read_clip(next(pairs.glob("noisy_testset_wav/*.wav")))
    assert Denoiser(trained / "bundle")(clip.waveform, clip.sample_rate).shape == clip.waveform.shape
    output = tmp_path / "metrics.json"
    status, _, told = avpipe(
        "evaluate", f"bundle={trained / 'bundle'}", "corpus=paired", f"corpus.root={pairs}", f"output={output}"
    )
    assert status == 0, told
    once, again = (json.loads(path.read_text()) for path in (trained / "metrics.json", output))
    assert (once["metrics"], once["split_sha256"]) == (again["metrics"], again["split_sha256"])


def test_its_bundle_labels_nothing(trained, pairs, tmp_path):
    status, _, told = avpipe("predict", f"bundle={trained / 'bundle'}", f"input={pairs}", f"output={tmp_path / 'out'}")
    assert status == 2
    assert "avpipe denoise" in one_line(told)


@pytest.mark.parametrize("override", ["split.by=group", "cv=5"])
def test_fixed_mixtures_have_one_split(override, tmp_path):
    for folder in ("speech", "noise"):
        for index in range(4):
            (tmp_path / folder).mkdir(exist_ok=True)
            write_audio(tmp_path / folder / f"{index}.wav", noise(1.0, seed=index), RATE_HZ)
    own = [f"corpus.{folder}={tmp_path / folder}" for folder in ("speech", "noise")]
    status, _, told = avpipe("train", *LEARN, "corpus=mixtures", *own, override, f"run_dir={tmp_path / 'run'}")
    assert status == 2
    assert override in one_line(told)


@pytest.mark.slow
def test_own_folders_of_speech_and_noise_train_a_filter(tmp_path):
    for folder, count in (("speech", 12), ("noise", 6)):
        for index in range(count):
            path = tmp_path / folder / f"s{index}" / "a.wav"
            path.parent.mkdir(parents=True)
            write_audio(path, noise(2.0, seed=index), RATE_HZ)
    own = [f"corpus.{folder}={tmp_path / folder}" for folder in ("speech", "noise")]
    status, _, told = avpipe("train", *LEARN, "corpus=mixtures", *own, f"run_dir={tmp_path / 'run'}")
    assert status == 0, told
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["corpus"] == "mixtures"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # torch's compiler uses what torch deprecates
def test_a_compiled_training_in_bfloat16_ends_near_to_the_plain_one(trained, pairs, tmp_path):
    status, _, told = train(pairs, tmp_path / "run", "device.compile=true", "device.precision=bf16-mixed")
    assert status == 0, told
    plain, compiled = (
        json.loads((folder / "metrics.json").read_text())["metrics"]["si_sdr"] for folder in (trained, tmp_path / "run")
    )
    assert compiled == pytest.approx(plain, abs=0.1)
    assert Denoiser(tmp_path / "run" / "bundle")(np.zeros((1, 8000), np.float32), RATE_HZ).shape == (1, 8000)


def test_without_a_compiler_nothing_is_begun(pairs, tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    status, _, told = train(pairs, tmp_path / "run", "device.compile=true")
    assert status == 2
    assert "CXX" in one_line(told)
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_filters_are_not_joined(pairs, tmp_path):
    status, _, told = train(pairs, tmp_path / "run", "seeds=2", "ensemble=true")
    assert status == 2
    assert "ensemble=true" in one_line(told)
