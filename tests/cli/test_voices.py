"""Voices as a user meets them: a training that finds its threshold, a gallery, vectors and turns as files."""

import csv
import json

import numpy as np
import pytest

from avpipe.bundle import load_bundle
from avpipe.media import write_audio
from avpipe.objectives import Verification
from tests.cli.test_commands import avpipe, one_line
from tests.synthetic import tone, write_text_named_wav
from tests.tiny import save_speaker_bundle, save_tiny_bundle, voice


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return save_speaker_bundle(tmp_path_factory.mktemp("bundle") / "speaker")


@pytest.fixture
def media(tmp_path):
    folder = tmp_path / "media"
    (folder / "a b").mkdir(parents=True)
    write_audio(folder / "a b" / "ann.wav", voice("ann", 1.6, 1), 16000)
    write_audio(folder / "zoe.wav", voice("zoe", 0.5, 2), 16000)
    write_audio(folder / "both.flac", np.concatenate([voice("ann", 3.0, 3), voice("bob", 3.0, 4)], axis=1), 16000)
    write_text_named_wav(folder / "text.wav")
    return folder


@pytest.fixture
def gallery(tmp_path):
    folder = tmp_path / "people, [odd] = name"
    for name in ("ann", "bob"):
        (folder / name).mkdir(parents=True)
        write_audio(folder / name / "x.wav", voice(name, 1.2, 9), 16000)
    return folder


def predict(*arguments):
    return avpipe("predict", "workers=0", *arguments)


def records_of(folder):
    lines = (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    return {record["path"]: record for record in map(json.loads, lines)}


def test_people_of_a_gallery_are_named_in_all_files(bundle, media, gallery, elsewhere):
    status, said, told = predict(f"bundle={bundle}", f"gallery={gallery}", media, "out", "format=[jsonl,csv,npy,rttm]")
    assert (status, told) == (1, "")  # the text
    records = records_of(elsewhere / "out")
    labels = {name: record["tasks"]["speaker"]["label"] for name, record in records.items() if record["tasks"]}
    assert (labels["a b/ann.wav"], labels["zoe.wav"]) == ("ann", "unknown")
    assert records["zoe.wav"]["status"] == "ok"
    summary = json.loads((elsewhere / "out" / "summary.json").read_text())
    assert summary["gallery"]["people"] == ["ann", "bob"]
    assert len(summary["gallery"]["sha256"]) == 64
    assert (elsewhere / "out" / "a b" / "ann.wav.rttm").read_text() == (
        "SPEAKER a_b/ann.wav 1 0.000 1.600 <NA> <NA> ann <NA> <NA>\n"
    )
    turns = [line.split() for line in (elsewhere / "out" / "both.flac.rttm").read_text().splitlines()]
    assert [turn[7] for turn in turns] == ["ann", "bob"]
    assert float(turns[1][3]) == pytest.approx(3.0, abs=0.3)
    vectors = np.load(elsewhere / "out" / "embeddings.npy")
    with (elsewhere / "out" / "embeddings.csv").open(encoding="utf-8", newline="") as file:
        names = [row["path"] for row in csv.DictReader(file)]
    assert names == ["a b/ann.wav", "both.flac", "zoe.wav"]
    for name, vector in zip(names, vectors, strict=True):
        np.testing.assert_allclose(vector, records[name]["tasks"]["speaker"]["embedding"], atol=1e-6)
    assert "unknown" in said


def test_a_changed_gallery_answers_anew_and_the_same_does_not(bundle, media, gallery, elsewhere):
    arguments = f"bundle={bundle}", f"gallery={gallery}", media, "out"
    predict(*arguments)
    assert "4 answered before" in predict(*arguments)[1]
    assert "answered before" not in predict(*arguments, "format=[jsonl,rttm]")[1]
    assert "4 answered before" in predict(*arguments, "format=[jsonl,rttm,npy]")[1]
    predict(*arguments)
    (gallery / "zoe").mkdir()
    write_audio(gallery / "zoe" / "x.wav", voice("zoe", 1.0, 5), 16000)
    assert "answered before" not in predict(*arguments)[1]
    assert records_of(elsewhere / "out")["zoe.wav"]["tasks"]["speaker"]["label"] == "zoe"
    predict(f"bundle={bundle}", "gallery=null", media, "out")
    assert records_of(elsewhere / "out")["zoe.wav"]["tasks"]["speaker"]["label"] is None


def test_without_a_gallery_an_answer_is_a_vector(bundle, media, elsewhere):
    said = predict(f"bundle={bundle}", media, "out", "format=[jsonl,rttm]")[1]
    told = records_of(elsewhere / "out")["both.flac"]["tasks"]["speaker"]
    assert (told["label"], told["windows"], len(told["embedding"])) == (None, [], 4)
    assert [turn["label"] for turn in told["turns"]] == ["speaker_1", "speaker_2"]
    assert "(embedding)" in said
    assert "(text)" not in said


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["gallery={media}/absent"], ["gallery=", "absent: no such file or directory"]),
        (["gallery={media}/zoe.wav"], ["gallery=", "not a directory"]),
        (["gallery={empty}"], ["gallery=", "no folder of a person"]),
        (["gallery="], ["gallery=", "names nothing"]),
        (["bundle={tones}", "gallery={gallery}"], ["gallery=", "tones", "compares voices"]),
        (["bundle={undecided}", "gallery={gallery}"], ["gallery=", "bundle undecided does not know"]),
        (["bundle={undecided}", "format=rttm"], ["format=rttm", "bundle undecided does not know"]),
        (["bundle={tones}", "format=[csv,rttm]"], ["format=rttm", "compares voices"]),
        (["bundle={tones}", "format=npy"], ["format=npy", "compares voices"]),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_status_2(arguments, parts, bundle, media, gallery, tmp_path):
    (tmp_path / "empty").mkdir()
    places = {
        "media": media, "gallery": gallery, "empty": tmp_path / "empty", "tones": save_tiny_bundle(tmp_path / "tones"),
        "undecided": save_speaker_bundle(tmp_path / "undecided", threshold=None),
    }  # fmt: skip
    given = [argument.format(**places) for argument in arguments]
    if not given[0].startswith("bundle"):
        given.insert(0, f"bundle={bundle}")
    status, _, told = predict(*given, media, tmp_path / "out")
    assert status == 2, told
    line = one_line(told)
    for part in parts:
        assert part in line


def test_vectors_need_no_threshold(media, tmp_path, elsewhere):
    undecided = save_speaker_bundle(tmp_path / "undecided", threshold=None)
    assert predict(f"bundle={undecided}", media, "out", "format=npy")[0] == 1
    assert np.load(elsewhere / "out" / "embeddings.npy").shape == (3, 4)


TASK = """# @package _global_
defaults:
  - /corpus: folders
  - /preprocess: mel_16k
  - /encoder: residual2d
  - /pooling: statistics
  - /fusion: identity
  - /network: audio
  - /objective: tiny_voices
  - /augment: mel
  - _self_
task: {name: tiny_voices, label: voice}
"""
OBJECTIVE = """_target_: avpipe.objectives.Verification
dim: 8
cohort: 2
"""


def test_training_finds_a_threshold_with_the_bundles_own_cohort(tmp_path, elsewhere):
    for folder, name, text in (("task", "tiny_voices", TASK), ("objective", "tiny_voices", OBJECTIVE)):
        (tmp_path / "conf" / folder).mkdir(parents=True)
        (tmp_path / "conf" / folder / f"{name}.yaml").write_text(text)
    for place, side in enumerate(("train", "val", "test")):
        for number, base_hz in enumerate((300, 900, 2700)):
            folder = tmp_path / "corpus" / side / f"v{number}"
            folder.mkdir(parents=True)
            for index in range(8):
                write_audio(folder / f"{index}.wav", tone(0.6, base_hz + 20 * index + 5 * place), 16000)
    status, _, told = avpipe(
        "train", "--config-dir", tmp_path / "conf", "task=tiny_voices", f"corpus.root={tmp_path / 'corpus'}",
        "trainer.max_epochs=2", "data.workers=0", "data.batch_size=8", "preprocess.window_sec=0.5",
        "preprocess.hop_sec=0.25", "encoder.channels=[4,4,8]", "device=cpu", "run_dir=run", "seeds=2",
    )  # fmt: skip
    assert status == 0, told
    run = elsewhere / "run" / "seed-1"
    record = json.loads((run / "calibration.json").read_text())
    told_of_both = json.loads((run.parent / "cv.json").read_text())
    assert (set(told_of_both["mean"]), told_of_both["pooled"]) == ({"eer", "min_dcf"}, {})
    bundle = load_bundle(run / "bundle")
    assert isinstance(bundle.objective, Verification)
    assert record["num_examples"] == 24  # its own: vectors of the other network lie in another space
    assert (bundle.objective.threshold, bundle.objective.spread) == (record["threshold"], record["spread"])
    assert set(json.loads((run / "metrics.json").read_text())["metrics"]) == {"eer", "min_dcf"}
    assert "Answers below" not in (run / "report.html").read_text(encoding="utf-8")
    status, _, told = avpipe(
        "predict", "bundle=run/seed-1/bundle", f"gallery={tmp_path / 'corpus' / 'train'}", tmp_path / "corpus" / "test",
        "answers", "workers=0",
    )  # fmt: skip
    assert status == 0, told
    labels = {record["tasks"]["tiny_voices"]["label"] for record in records_of(elsewhere / "answers").values()}
    assert labels <= {"v0", "v1", "v2", "unknown"}


def test_networks_that_tell_no_labels_are_not_joined():
    status, _, told = avpipe("train", "task=speaker", "seeds=2", "ensemble=true")
    assert (status, "ensemble=true" in one_line(told)) == (2, True)
