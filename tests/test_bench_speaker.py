"""The script that measures voices told apart: pairs, the open set, and one run on tiny corpora."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from avpipe.bundle import Origin, save_bundle
from avpipe.config import instantiate
from avpipe.corpora import Example
from scripts import bench_speaker as bench
from tests.corpora import trees
from tests.corpora.test_mixtures import house
from tests.tiny import AUDIO

VOICES, UTTERANCES, CROPS = 6, 3, 2


def recordings() -> bench.Recordings:
    return bench.Recordings.of(
        (Path(f"{voice}-{utterance}_{crop}.wav"), f"v{voice}", f"{voice}-{utterance}")
        for voice in reversed(range(VOICES))
        for utterance in range(UTTERANCES)
        for crop in range(CROPS)
    )


def vectors_of(recordings: bench.Recordings, spread: float) -> np.ndarray:
    noise = np.random.default_rng(0).standard_normal((len(recordings.paths), VOICES))
    vectors = np.eye(VOICES)[[int(voice[1:]) for voice in recordings.voices]] + spread * noise
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_two_crops_of_one_utterance_are_no_pair():
    made = recordings()
    assert list(made.paths) == sorted(made.paths)
    vectors = vectors_of(made, 0.05)
    similar = bench.cosines(vectors, vectors)
    # Were these pairs, they would be errors.
    similar[~bench.comparable(made)] = -1.0
    assert bench.verify(made, similar) == {"eer": (0.0, None), "min_dcf": (0.0, None)}


def test_intervals_are_over_enough_voices(monkeypatch):
    monkeypatch.setattr(bench, "INTERVAL_VOICES", VOICES)
    monkeypatch.setattr(bench, "RESAMPLES", 50)
    made = recordings()
    vectors = vectors_of(made, 1.0)
    eer, (low, high) = bench.verify(made, bench.cosines(vectors, vectors))["eer"]
    assert 0.0 <= low < eer < high <= 1.0


def test_the_open_set_asks_other_utterances_of_known_and_unknown_voices():
    made = recordings()
    vectors = vectors_of(made, 0.05)
    answers = bench.ask(bench.cosines, (made, vectors), (made, vectors))
    for half in range(2):
        known = answers.known[answers.halves == half]
        # Of each voice that is enrolled, the crops of one utterance are not asked.
        assert (known.sum(), (~known).sum()) == (3 * (UTTERANCES - 1) * CROPS, 3 * UTTERANCES * CROPS)
    assert set(answers.voices[answers.known & (answers.halves == 0)]).isdisjoint(
        answers.voices[answers.known & (answers.halves == 1)]
    )
    assert answers.named[answers.known].all()
    assert not answers.named[~answers.known].any()
    everyone = range(len(answers.voices))
    assert set(answers.rates(0.5, everyone).values()) == {1.0}
    lenient = answers.rates(-2.0, everyone)
    assert (lenient["named rightly"], lenient["refused"], lenient["balanced"]) == (1.0, 0.0, 0.5)
    strict = answers.rates(2.0, everyone)
    assert (strict["named rightly"], strict["refused"], strict["other half"]) == (0.0, 1.0, 0.5)
    assert answers.best() == 1.0


def test_no_threshold_does_better_than_the_best():
    made = recordings()
    vectors = vectors_of(made, 1.0)
    answers = bench.ask(bench.cosines, (made, vectors), (made, vectors))
    rates = [answers.rates(float(threshold), range(len(answers.voices))) for threshold in np.linspace(-1, 1, 101)]
    assert 0.5 < max(each["balanced"] for each in rates) <= answers.best() < 1.0


def test_a_system_without_a_threshold_is_told_as_such():
    made = recordings()
    vectors = vectors_of(made, 1.0)
    system = bench.System(lambda paths: vectors, bench.cosines, None)
    found = bench.open_set(system, (made, vectors), (made, vectors))
    assert list(found) == ["at best"]
    assert bench.told(found, "balanced") == "no threshold"
    assert bench.told({"eer": (0.123, (0.1, 0.2))}, "eer") == "12.3 (10.0 .. 20.0)"


def test_few_recordings_of_a_voice_are_drawn_by_name(monkeypatch):
    monkeypatch.setattr(bench, "EMOTION_RECORDINGS", 3)
    examples = [
        Example(Path(f"{voice}_{emotion}_{number}.wav"), emotion, group=voice)
        for voice in ("ann", "bob")
        for emotion in ("anger", "joy")
        for number in range(4)
    ]
    drawn = bench.emotional(examples)
    assert drawn.voices.tolist() == ["ann"] * 3 + ["bob"] * 3
    assert drawn.paths == bench.emotional(reversed(examples)).paths
    assert [path.stem.split("_")[1] for path in drawn.paths] == drawn.parts.tolist()


def save_speaker_bundle(folder: Path) -> Path:
    torch.manual_seed(0)
    specs = {
        "preprocessor": AUDIO["preprocessor"],
        "network": {
            "_target_": "avpipe.networks.Network",
            "encoders": AUDIO["encoders"],
            "pooling": {"_target_": "avpipe.networks.StatisticsPooling", "_partial_": True},
            "fusion": {"_target_": "avpipe.networks.Identity", "_partial_": True},
            "num_outputs": 8,
        },
        "objective": {"_target_": "avpipe.objectives.Verification", "voices": ["a", "b"], "dim": 8, "threshold": 0.5},
    }
    origin = Origin("speaker", "voice", "noisy_voices", "made here", 0, {"by": "auto"}, "0" * 64, "avpipe train", {})
    save_bundle(folder, specs, instantiate(specs["network"]), instantiate(specs["objective"]), origin)
    return folder


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:n_fft=512 is too large")  # the recordings of emotions last 30 ms
def test_a_whole_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "FLOOR_CROPS", {"floor, clean crops": 3, "floor, noisy crops": 4})
    monkeypatch.setattr(bench, "CROP_SEC", 0.1)  # the recordings are short
    monkeypatch.setattr(bench, "RESAMPLES", 10)
    monkeypatch.setattr(bench, "INTERVAL_VOICES", 6)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = house(tmp_path / "corpora")
    trees.ravdess(root / "ravdess", (1, 17, 18))
    trees.nemo(root / "nemo")
    monkeypatch.setenv("AVPIPE_CORPORA", str(root))
    output = tmp_path / "speaker.json"
    bench.main([str(save_speaker_bundle(tmp_path / "bundle")), str(output)])
    told = capsys.readouterr().out
    found = json.loads(output.read_text(encoding="utf-8"))
    assert found["split_sha256"] in told
    assert "the bundle learned from another split" in told
    systems = ["avpipe", "floor, clean crops", "floor, noisy crops"]
    assert all(list(each) == systems for table in ("verification", "open_set") for each in found[table].values())
    assert found["thresholds"]["avpipe"] == 0.5
    for title, by_system in (found["verification"] | found["open_set"]).items():
        assert title in told
        for scores in by_system.values():
            assert all(0.0 <= value <= 1.0 for value, _ in scores.values())
    assert all(each > 0 for each in found["speech_seconds_a_second"].values())
    # Six voices of two utterances with two crops each: pairs of crops of one utterance are left out.
    row = next(line for line in told.splitlines() if line.startswith(bench.TRIALS))
    assert row.split()[4:7] == ["6", "24", "240"]


def test_a_bundle_that_names_labels_is_refused(repository):
    with pytest.raises(SystemExit, match="digits: tells no voices apart"):
        bench.main([str(repository / "avpipe" / "bundles" / "digits")])
