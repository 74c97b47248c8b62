"""The commands as a user types them: what they write, what they say, how they end."""

import contextlib
import csv
import io
import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from unittest.mock import patch

import pytest

from avpipe.__main__ import main
from avpipe.config import conf_dir
from avpipe.media import write_audio
from tests.synthetic import tone, write_text_named_wav
from tests.tiny import save_tiny_bundle

TRAIN = (
    "task=sound_event", "corpus=folders", "trainer.max_epochs=2", "data.workers=0", "data.batch_size=8",
    "preprocess.window_sec=0.5", "preprocess.hop_sec=0.25", "encoder.channels=[4,4,8]", "device=cpu",
)  # fmt: skip


def avpipe(*arguments):
    """(exit status, standard output, standard error) of a command, in this process, where torch is loaded already."""
    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2)]
    with (
        patch.object(sys, "argv", ["avpipe", *map(str, arguments)]),
        contextlib.redirect_stdout(streams[0]),
        contextlib.redirect_stderr(streams[1]),
        warnings.catch_warnings(),
    ):
        try:
            status = main()
        except SystemExit as end:
            status = int(end.code or 0)
    said, told = (stream.seek(0) or stream.read() for stream in streams)
    return status, said, told


def one_line(stderr):
    lines = [line for line in stderr.splitlines() if line]
    assert len(lines) == 1, stderr
    return lines[0]


def predict(bundle, media, output, *arguments):
    """What is said and told of media that can be answered."""
    status, said, told = avpipe(
        "predict", f"bundle={bundle}", f"input={media}", f"output={output}", "device=cpu", "workers=0", *arguments
    )
    assert status == 0, told
    return said, told


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Class folders of high and low tones, one of which is no sound at all."""
    root = tmp_path_factory.mktemp("corpus")
    for label, base_hz in (("high", 3000), ("low", 300)):
        (root / label).mkdir()
        for index in range(12):
            write_audio(root / label / f"{index:02}.wav", tone(0.6, base_hz + 40 * index), 16000)
    write_text_named_wav(root / "low" / "broken.wav")
    return root


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("runs") / "a run, with [signs]"
    status, said, told = avpipe("train", *TRAIN, f"corpus.root={corpus}", f"run_dir={run_dir}")
    assert status == 0, told
    return run_dir, said, told


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return save_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tones")


@pytest.fixture
def media(tmp_path):
    folder = tmp_path / "media"
    for name in ("a/x.wav", "b/x.wav", "odd [name] 😀.wav"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_audio(folder / name, tone(0.7, 500.0 + len(name) * 50), 16000)
    return folder


def test_train_writes_what_it_promises(trained, corpus):
    run_dir, said, told = trained
    assert "broken.wav" in told
    metrics = json.loads((run_dir / "metrics.json").read_text())
    assert set(metrics) == {
        "task", "corpus", "split", "split_sha256", "seed", "avpipe_version", "num_examples", "num_failed", "num_groups",
        "num_ungrouped", "metrics", "intervals",
    }  # fmt: skip
    assert metrics["task"] == "sound_event"
    assert metrics["corpus"] == "folders"
    assert set(metrics["metrics"]) == {"accuracy", "uar", "f1", "ece", "ece_uncalibrated"}
    written = {path.relative_to(run_dir).as_posix() for path in run_dir.rglob("*")}
    assert {"bundle/bundle.json", "checkpoints/last.ckpt", "checkpoints/best.ckpt"} <= written
    assert {"split.csv", "confusion.csv", "unreadable.txt", "config.json", "history.csv", "answers.csv"} <= written
    assert "<html" in (run_dir / "report.html").read_text(encoding="utf-8")
    assert "broken.wav" in (run_dir / "unreadable.txt").read_text()
    assert str(run_dir / "bundle") in said.replace("\n", "")


def test_the_same_command_again_repeats_the_result_without_training(trained, corpus):
    run_dir = trained[0]
    before = (run_dir / "bundle" / "bundle.json").read_bytes()
    status, said, _ = avpipe("train", *TRAIN, f"corpus.root={corpus}", f"run_dir={run_dir}")
    assert status == 0
    assert "epoch" not in said
    assert (run_dir / "bundle" / "bundle.json").read_bytes() == before


def test_another_configuration_or_corpus_does_not_go_on_in_the_same_folder(trained, corpus, tmp_path):
    run_dir = trained[0]
    status, _, told = avpipe("train", *TRAIN, "seed=1", f"corpus.root={corpus}", f"run_dir={run_dir}")
    assert (status, "another configuration" in one_line(told)) == (2, True)
    for label in ("high", "low"):
        (tmp_path / label).mkdir()
        for index in range(8):
            write_audio(tmp_path / label / f"{index}.wav", tone(0.3, 100.0 * (index + 1)), 16000)
    status, _, told = avpipe("train", *TRAIN, f"corpus.root={tmp_path}", f"run_dir={run_dir}")
    assert status == 2
    assert "other files or labels" in told


def test_a_stopped_training_goes_on_from_its_last_epoch(corpus, trained, tmp_path):
    run_dir = tmp_path / "run"
    code = (
        "import sys, os, pytorch_lightning.callbacks.model_checkpoint as m\n"
        "genuine = m.ModelCheckpoint.on_train_epoch_end\n"
        "def stop(self, *a):\n"
        "    genuine(self, *a)\n"
        "    if self.filename == 'last':\n"
        "        os._exit(9)\n"
        "m.ModelCheckpoint.on_train_epoch_end = stop\n"
        "import runpy\n"
        "sys.argv[0] = 'avpipe train'\n"
        "runpy.run_module('avpipe.cli.train', run_name='__main__')\n"
    )
    arguments = [*TRAIN, f"corpus.root={corpus}", f"run_dir={run_dir}"]
    assert subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True).returncode == 9
    assert (run_dir / "checkpoints" / "last.ckpt").is_file()
    status, said, told = avpipe("train", *TRAIN, f"corpus.root={corpus}", f"run_dir={run_dir}")
    assert status == 0, told
    assert "epoch 1/2" not in said
    assert "epoch 2/2" in said
    same = [json.loads((folder / "metrics.json").read_text())["metrics"] for folder in (run_dir, trained[0])]
    assert same[0] == pytest.approx(same[1], abs=1e-6)


def test_evaluate_gives_the_scores_that_training_gave(trained, corpus, elsewhere):
    run_dir = trained[0]
    status, said, told = avpipe(
        "evaluate", f"bundle={run_dir / 'bundle'}", "corpus=folders", f"corpus.root={corpus}", "output=m.json",
        "workers=0",
    )  # fmt: skip
    assert status == 0, told
    trained_scores, scores = (json.loads(path.read_text()) for path in (run_dir / "metrics.json", elsewhere / "m.json"))
    del trained_scores["metrics"]["ece_uncalibrated"]
    assert scores == trained_scores
    assert "accuracy" in said


def test_predict_labels_a_tree_and_answers_only_what_is_missing(bundle, media, elsewhere):
    status, said, _ = avpipe("predict", f"bundle={bundle}", media, "answers", "workers=0")
    assert status == 0
    lines = (elsewhere / "answers" / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["path"] for record in records] == ["a/x.wav", "b/x.wav", "odd [name] 😀.wav"]
    assert set(records[0]) == {"path", "status", "reason", "coverage", "tasks"}
    assert set(records[0]["tasks"]["tones"]) == {"label", "score", "scores", "text", "windows"}
    with (elsewhere / "answers" / "predictions.csv").open(encoding="utf-8", newline="") as file:
        assert [row["label"] for row in csv.DictReader(file)] == [r["tasks"]["tones"]["label"] for r in records]
    before = (elsewhere / "answers" / "predictions.jsonl").read_bytes()
    status, said, _ = avpipe("predict", f"bundle={bundle}", media, "answers", "workers=0")
    assert "3 answered before" in said
    assert (elsewhere / "answers" / "predictions.jsonl").read_bytes() == before
    write_audio(media / "new.wav", tone(0.2), 16000)
    _, said, _ = avpipe("predict", f"bundle={bundle}", media, "answers", "workers=0")
    assert "4 files: 4 ok (3 answered before)" in said


def test_a_bad_file_is_a_row_and_exit_status_1(bundle, media, elsewhere):
    write_text_named_wav(media / "text.wav")
    (media / "empty.flac").touch()
    status, _, _ = avpipe("predict", f"bundle={bundle}", media, "answers", "workers=1")
    assert status == 1
    lines = (elsewhere / "answers" / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    statuses = {record["path"]: (record["status"], record["reason"]) for record in map(json.loads, lines)}
    assert [statuses[name][0] for name in ("text.wav", "empty.flac", "a/x.wav")] == ["error", "error", "ok"]
    assert all(reason for status, reason in statuses.values() if status == "error")
    summary = json.loads((elsewhere / "answers" / "summary.json").read_text())
    assert summary["statuses"] == {"error": 2, "ok": 3}


def test_formats_are_chosen(bundle, media, elsewhere):
    avpipe("predict", f"bundle={bundle}", media, "answers", "format=csv", "workers=0")
    assert sorted(path.name for path in (elsewhere / "answers").glob("predictions*")) == ["predictions.csv"]


def test_a_full_disk_stops_the_run_with_one_line(bundle, media):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    output = media.parent / "answers"
    output.mkdir()
    (output / "journal.sqlite").symlink_to("/dev/full")
    status, _, told = avpipe("predict", f"bundle={bundle}", media, output, "workers=0")
    assert status == 1
    assert "journal.sqlite" in one_line(told)


def test_probe_tells_streams_and_damage(media):
    write_text_named_wav(media / "text.wav")
    status, said, _ = avpipe("probe", media, "format=json")
    rows = {row["path"]: row for row in json.loads(said)}
    assert status == 1
    assert rows["a/x.wav"]["audio"][0]["sample_rate"] == 16000
    assert "error" in rows["text.wav"]
    status, said, _ = avpipe("probe", media / "a" / "x.wav")
    assert (status, "16000 Hz" in said) == (0, True)


def test_list_tells_tasks_corpora_encoders_and_bundles():
    status, said, _ = avpipe("list", "format=json")
    found = json.loads(said)
    assert status == 0
    assert {"emotion", "digits", "speaker_id", "sound_event", "action"} <= set(found["task"])
    assert {"folders", "manifest", "fsdd", "ravdess"} <= set(found["corpus"])
    assert "digits" in found["bundle"]
    assert all(told for group in found.values() for told in group.values())


def test_help_tells_every_command_and_its_keys():
    status, said, _ = avpipe("--help")
    assert status == 0
    for command in ("train", "evaluate", "predict", "probe", "list"):
        assert command in said
        status, told, _ = avpipe(command, "--help")
        assert (status, "usage: avpipe" in told) == (0, True)


@pytest.mark.parametrize("arguments", [["--help"], ["predict", "--help"]])
def test_a_reader_that_goes_away_ends_help_quietly(arguments):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-m", "avpipe", *arguments], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_help_names_every_task_and_experiment():
    _, told, _ = avpipe("train", "--help")
    for group in ("task", "experiment"):
        for path in (conf_dir() / group).glob("*.yaml"):
            assert re.search(rf"\b{path.stem}\b", told), f"{group}={path.stem}"


def loading_torch(folder, code, arguments=("describe", "x", "y"), **environment):
    """A process of the command that finds ``code`` where torch should be."""
    (folder / "torch.py").write_text(code)
    command = ["-c", "import sys; from avpipe.__main__ import main; sys.exit(main())", *arguments]
    found_first = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    variables = {**os.environ, "PYTHONPATH": found_first, **environment}
    return subprocess.run([sys.executable, *command], env=variables, capture_output=True, text=True)


@pytest.mark.parametrize(("own", "value"), [({}, "1"), ({"THP_MEM_ALLOC_ENABLE": "0"}, "0")])
def test_torch_is_asked_for_large_pages_unless_somebody_knows_better(tmp_path, monkeypatch, own, value):
    monkeypatch.delenv("THP_MEM_ALLOC_ENABLE", raising=False)
    code = "import os; raise SystemExit('pages: ' + os.environ['THP_MEM_ALLOC_ENABLE'])"
    assert one_line(loading_torch(tmp_path, code, **own).stderr) == f"pages: {value}"


@pytest.mark.parametrize(
    ("own", "value"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "5"}, "5"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "None")],
)
def test_waiting_threads_give_their_core_away_unless_somebody_knows_better(tmp_path, monkeypatch, own, value):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    code = "import os; raise SystemExit(f'turns: {os.environ.get(\"GOMP_SPINCOUNT\")}')"
    assert one_line(loading_torch(tmp_path, code, **own).stderr) == f"turns: {value}"


@pytest.mark.parametrize("argument", ["tasc=digits", "encoder=nosuch", "trainer.max_epochs=few"])
def test_training_refuses_a_wrong_word_before_torch_is_loaded(tmp_path, argument):
    done = loading_torch(tmp_path, "raise SystemExit('loaded')", ("train", argument))
    assert done.returncode == 2
    assert argument.partition("=")[0] in one_line(done.stderr)


def test_a_run_that_is_stopped_while_it_loads_is_one_line(tmp_path):
    done = loading_torch(tmp_path, "raise KeyboardInterrupt")
    assert done.returncode == 130
    assert one_line(done.stderr) == "avpipe: interrupted; what is done is kept, and the same command goes on"


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["nonsense"], ["nonsense", "predict"]),
        (["train", "task=nonsense"], ["task=nonsense", "emotion"]),
        (["train", "corpus=folders", "corpus.root=/no/such/folder"], ["/no/such/folder"]),
        (["train", "corpus=folders", "corpus.root={empty}"], ["{empty}"]),
        (["train", "optim.learning_rate=1"], ["optim.learning_rate", "lr"]),
        (["train", "device=tpu"], ["device=tpu", "cuda"]),
        (["predict", "bundle=nonsense", "{media}", "{output}"], ["bundle=nonsense", "digits"]),
        (["predict", "bundle={bundle}", "/no/such/file", "{output}"], ["/no/such/file"]),
        (["predict", "bundle={bundle}", "{empty}", "{output}"], ["{empty}", "no media file"]),
        (["predict", "bundle={bundle}", "{media}"], ["output"]),
        (["predict", "bundle={bundle}", "{media}", "{output}", "format=[xml]"], ["format=xml", "jsonl, csv"]),
        (
            ["predict", "bundle={bundle}", "{media}", "{output}", "format=[csv,srt]"],
            ["format=srt", "tones transcribes"],
        ),
        (
            ["predict", "bundle={bundle}", "{media}", "{output}", "decoding.beem_size=3"],
            ["name; with decoding=beam also", "beam_size, lexicon"],
        ),
        (["predict", "bundle={bundle}", "{media}", "{output}", "workers=-1"], ["workers=-1"]),
        (["predict", "bundle={bundle}", "{media}", "{output}", "batch_size=0"], ["batch_size=0", "at least 1"]),
        (["predict", "bundle={bundle}", "{media}", "{media}/a/x.wav"], ["is a file"]),
        (["predict", "bundle=", "{media}", "{output}"], ["bundle=", "digits"]),
        (["train", "data.batch_size=0"], ["data.batch_size=0", "at least 1"]),
        (["train", "trainer.max_epochs=0"], ["trainer.max_epochs=0", "at least 1"]),
        (["train", "optim.lr=-1"], ["optim.lr=-1", "positive"]),
        (["train", "data.workers=x"], ["workers=x"]),
        (["predict", "bundle={empty}", "{media}", "{output}"], ["{empty}", "bundle.json"]),
        (["predict", "bundle=[{bundle},{bundle}]", "{media}", "{output}"], ["two bundles of one name"]),
        (["evaluate", "bundle={bundle}", "corpus=folders", "corpus.root={corpus}", "split=nonsense"], ["train, val"]),
    ],
)
def test_an_unusable_argument_is_one_line_and_exit_status_2(arguments, parts, bundle, media, corpus, tmp_path):
    (tmp_path / "empty").mkdir()
    places = {
        "bundle": bundle, "media": media, "corpus": corpus, "empty": tmp_path / "empty", "output": tmp_path / "out"
    }  # fmt: skip
    status, _, told = avpipe(*(argument.format(**places) for argument in arguments))
    assert status == 2, told
    line = one_line(told)
    for part in parts:
        assert part.format(**places) in line


@pytest.mark.skipif("sys.platform == 'darwin'")
def test_a_missing_gpu_is_one_line(bundle, media, tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    status, _, told = avpipe("predict", f"bundle={bundle}", media, tmp_path / "out", "device=cuda")
    assert (status, "device=cuda" in one_line(told)) == (2, True)
