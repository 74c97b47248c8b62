"""Bundles of two senses: both cut from one timeline, either alone an answer, and told what each adds."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from avpipe.answers import Decoded
from avpipe.bundle import Origin, load_bundle, save_bundle
from avpipe.config import instantiate
from avpipe.inference import Predictor
from avpipe.inference.senses import SensesHeard
from avpipe.media import write_audio, write_video
from avpipe.objectives import Regression
from tests.cli.test_commands import avpipe
from tests.synthetic import tone
from tests.tiny import AUDIO, VIDEO, specs_of

SENSES = ("audio", "video")
PREPROCESSOR = {
    **AUDIO["preprocessor"],
    "audio": {**AUDIO["preprocessor"]["audio"], "n_mels": 16},
    "video": {"_target_": "avpipe.features.FrameStack", "size_px": 32, "crop_px": 32, "stride_sec": 0.25},
}


def save_film_bundle(folder: Path, objective=None, fusion="Concatenation") -> Path:
    """A bundle of two senses with random weights and sane statistics."""
    torch.manual_seed(0)
    kind = {"preprocessor": PREPROCESSOR, "encoders": {**AUDIO["encoders"], **VIDEO["encoders"]}}
    specs = specs_of(kind, ("negative", "positive"))
    specs["network"]["fusion"] = {"_target_": f"avpipe.networks.{fusion}", "_partial_": True}
    if objective is not None:
        specs["objective"], specs["network"]["num_outputs"] = objective, 1
    network = instantiate(specs["network"])
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            module.running_mean.normal_(0.0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    origin = Origin("sentiment", "sentiment", "folders", "made here", 0, {"by": "auto"}, "0" * 64, "avpipe train", {})
    save_bundle(folder, specs, network, instantiate(specs["objective"]), origin)
    return folder


def pictures(seconds: float, seed: int = 0, fps: int = 8) -> list[np.ndarray]:
    draw = np.random.default_rng(seed)
    return [draw.integers(0, 255, (32, 40, 3), dtype=np.uint8) for _ in range(max(1, round(seconds * fps)))]


@pytest.fixture(scope="module")
def predictor(tmp_path_factory) -> Predictor:
    return Predictor([load_bundle(save_film_bundle(tmp_path_factory.mktemp("bundle") / "sentiment"))])


@pytest.fixture(scope="module")
def media(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    sound = tone(2.0, 440.0)
    write_video(folder / "both.mkv", pictures(2.0), fps=8, waveform=sound, sample_rate=16_000)
    write_video(folder / "silent.mkv", pictures(2.0), fps=8)
    write_audio(folder / "sound.wav", sound, 16_000)
    write_video(folder / "muted.mkv", pictures(2.0), fps=8, waveform=0.0 * sound, sample_rate=16_000)
    write_audio(folder / "silence.wav", 0.0 * sound, 16_000)
    write_video(folder / "one_frame.mkv", pictures(0.1), fps=8, waveform=sound[:, :1600], sample_rate=16_000)
    times = (1.5 + np.arange(4) / 8).tolist()
    write_video(folder / "late.mkv", pictures(0.5), times_sec=times, waveform=sound, sample_rate=16_000)
    write_video(folder / "short_sound.mkv", pictures(3.0), fps=8, waveform=sound[:, :8000], sample_rate=16_000)
    return folder


@pytest.mark.parametrize(
    ("name", "used", "reason"),
    [
        ("both.mkv", ["audio", "video"], ""),
        ("silent.mkv", ["video"], "sentiment: no sound in it: answered by video alone"),
        ("sound.wav", ["audio"], "sentiment: no picture in it: answered by audio alone"),
        ("muted.mkv", ["video"], "sentiment: its sound is silence: answered by video alone"),
        (
            "silence.wav",
            ["audio"],
            "sentiment: no picture in it: answered by audio alone; sentiment: its sound is silence",
        ),
        ("one_frame.mkv", ["audio", "video"], "sentiment: shorter than a window of 1 s: judged by 0.12 s"),
        ("late.mkv", ["audio", "video"], ""),
        ("short_sound.mkv", ["audio", "video"], ""),
    ],
)
def test_either_sense_is_an_answer_and_the_senses_used_are_named(predictor, media, name, used, reason):
    prediction = predictor(media / name)
    record = prediction.to_record()
    assert (record["status"], record["reason"]) == ("ok", reason)
    answer = record["tasks"]["sentiment"]
    assert list(answer["senses"]) == used
    assert "alone" not in answer
    assert json.dumps(record)
    alone = prediction.tasks["sentiment"].alone
    assert list(alone) == used
    if len(used) == 1:
        assert alone[used[0]].scores == pytest.approx(answer["scores"], abs=1e-5)


def test_a_sound_of_silence_changes_nothing(predictor, media):
    muted, silent = (predictor(media / name).tasks["sentiment"] for name in ("muted.mkv", "silent.mkv"))
    assert muted.scores == silent.scores


def test_what_the_senses_add_makes_up_the_score(predictor, media):
    answer = predictor(media / "both.mkv").tasks["sentiment"]
    neither = predictor.bundles[0].network.answers_by_senses(
        {"audio": torch.zeros(1, 1, 16, 101), "video": torch.zeros(1, 3, 4, 32, 32)},
        dict.fromkeys(SENSES, torch.ones(1, dtype=torch.long)),
    )[()]
    (told,) = predictor.bundles[0].objective.decode(neither)
    assert sum(answer.senses.values()) == pytest.approx(answer.score - told.scores[answer.label], abs=1e-5)


def test_answers_do_not_depend_on_what_neighbours_lack(predictor, media):
    bundles, alone = predictor.bundles, {}
    for path in sorted(media.iterdir()):
        alone[path.name] = predictor(path).to_record()["tasks"]
    for paths in (sorted(media.iterdir()), sorted(media.iterdir(), reverse=True)):
        for batch_size in (16,):
            together = _answers(Predictor(bundles, batch_size), paths)
            assert together == alone


def _answers(predictor, paths):
    from avpipe.inference import Job

    found = {}

    class Sink:
        def add(self, prediction):
            found[prediction.path] = prediction.to_record()["tasks"]

    predictor.run([Job(path.name, path) for path in paths], Sink())
    return found


def test_both_are_cut_at_the_same_times_also_where_pictures_begin_late(predictor, media):
    """The first window of a film whose pictures begin at 1.5 s has sound alone; later ones have both."""
    bundle = predictor.bundles[0]
    from avpipe.media import stream_clips

    with stream_clips(media / "late.mkv", [bundle.preprocessor.windowing.plan]) as clips:
        found = [(clip.start_sec, sorted(bundle.preprocessor(clip)), clip.frame_times_sec) for _, clip in clips]
    assert found[0][:2] == (0.0, ["audio"])
    with_both = [(start, times) for start, senses, times in found if senses == ["audio", "video"]]
    assert with_both
    for start, times in with_both:
        assert (times >= 1.5 - 1e-3).all()
        assert (times < start + bundle.preprocessor.window_sec + 1e-3).all()


def test_contributions_are_shapleys():
    said = {(): 0.1, ("audio",): 0.3, ("video",): 0.5, ("audio", "video"): 0.9}
    heard = SensesHeard()
    answers = {used: Decoded(label="1", score=score) for used, score in said.items()}
    heard.add(Regression(), answers, SENSES, 2.0)
    assert heard.contributions(None) == pytest.approx({"audio": 0.3, "video": 0.5})
    lacking = SensesHeard()
    lacking.add(Regression(), {**answers, ("video",): answers[()], SENSES: answers[("audio",)]}, ["audio"], 1.0)
    assert lacking.contributions(None) == pytest.approx({"audio": 0.2})


def test_evaluation_prints_three_columns(tmp_path, media):
    bundle = save_film_bundle(tmp_path / "bundle")
    rows = ["path,label,group,split"]
    for name in ("both.mkv", "silent.mkv", "sound.wav", "late.mkv"):
        label = "positive" if name < "m" else "negative"
        rows.append(f"{media / name},{label},{name},test")
    (tmp_path / "list.csv").write_text("\n".join(rows) + "\n")
    arguments = [f"bundle={bundle}", "corpus=manifest", f"corpus.path={tmp_path / 'list.csv'}", "split=all"]
    output = tmp_path / "out" / "metrics.json"
    status, printed, told = avpipe("evaluate", *arguments, f"output={output}", "workers=0", "device=cpu")
    assert status == 0, told
    assert all(column in printed for column in ("by sense", "audio", "video", "both"))
    content = json.loads(output.read_text())
    assert {sense: column["num_examples"] for sense, column in content["senses"].items()} == {
        "audio": 3,
        "video": 3,
        "both": 4,
    }
    assert content["senses"]["both"]["metrics"] == content["metrics"]
    assert {path.name for path in output.parent.glob("answers*.csv")} == {
        "answers.csv",
        "answers_audio.csv",
        "answers_video.csv",
    }
    assert '<h2 id="senses">By sense</h2>' in (output.parent / "report.html").read_text(encoding="utf-8")


def test_a_score_is_told_with_its_senses(tmp_path, media):
    objective = {"_target_": "avpipe.objectives.Regression", "low": -3.0, "high": 3.0}
    predictor = Predictor([load_bundle(save_film_bundle(tmp_path / "sentiment", objective, "GatedFusion"))])
    answer = predictor(media / "both.mkv").tasks["sentiment"]
    assert -3.0 <= answer.score <= 3.0
    assert answer.label == str(round(answer.score))
    assert set(answer.senses) == set(SENSES)
