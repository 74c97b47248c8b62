"""Lips are learned by heart and read back, by the commands as a user types them."""

import json

import pytest

from tests.cli.test_commands import avpipe, predict
from tests.mouths import write_talk
from tests.synthetic import tone

ALL = ("split.val_fraction=0", "split.test_fraction=0", "data.workers=0", "device=cpu")
SMALL = (
    "preprocess.video.picture_px=48", "preprocess.video.size_px=24", "preprocess.video.crop_px=20",
    "preprocess.video.box=[0.34,0.5,0.66,0.92]",
)  # fmt: skip
TEXTS = ("aoe oa", "oo ea", "eaea o")


def learned(run_dir, *arguments):
    """Train on all that there is; returns the scores on it."""
    status, _, told = avpipe("train", *ALL, *arguments, f"run_dir={run_dir}")
    assert status == 0, told
    return json.loads((run_dir / "metrics.json").read_text())["metrics"]


def read(run_dir, media, output):
    """What is said of each film."""
    predict(run_dir / "bundle", media, output, "format=[jsonl,srt,vtt]")
    lines = (output / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    return {record["path"]: next(iter(record["tasks"].values())) for record in map(json.loads, lines)}


def check_subtitles(answers, output):
    """Each film has its words, in order and within it, in both formats of subtitles."""
    for name, answer in answers.items():
        times = [time for word in answer["words"] for time in (word["start_sec"], word["end_sec"])]
        assert times == sorted(times)
        for suffix in ("srt", "vtt"):
            told = (output / f"{name}.{suffix}").read_text(encoding="utf-8")
            assert all(word["text"] in told.split() for word in answer["words"])


@pytest.mark.parametrize("task", ["lip_reading", "audio_visual_speech"])
def test_drawn_mouths_are_learned_by_heart(task, tmp_path):
    films = tmp_path / "films"
    films.mkdir()
    for index, text in enumerate(TEXTS):
        write_talk(films / f"{index}.mkv", text, waveform=tone(1.4, 500.0 + 300 * index))
    rows = "".join(f"{index}.mkv,{text}\n" for index, text in enumerate(TEXTS))
    (films / "list.csv").write_text("path,text\n" + rows)
    network = (
        ("encoder.front.channels=[8,16,16]", "encoder.channels=48", "encoder.kernels=[3,5]")
        if task == "lip_reading"
        else ("network.encoders.video.channels=[8,16,16]", "network.joint.channels=48", "network.joint.kernels=[3,5]")
    )
    scores = learned(
        tmp_path / "run", f"task={task}", "corpus=manifest", f"corpus.path={films / 'list.csv'}", "augment=none",
        "data.passes=20", "data.batch_size=3", "trainer.max_epochs=8", "optim.lr=1e-2", *SMALL, *network,
    )  # fmt: skip
    assert scores["cer"] == 0.0
    answers = read(tmp_path / "run", films, tmp_path / "out")
    assert [answers[f"{index}.mkv"]["text"] for index in range(3)] == list(TEXTS)
    check_subtitles(answers, tmp_path / "out")


@pytest.mark.slow
@pytest.mark.corpora
@pytest.mark.parametrize(
    ("task", "channels", "epochs"),
    [("lip_reading", "encoder.front", 12), ("audio_visual_speech", "network.encoders.video", 24)],
)
def test_the_four_films_of_grid_are_learned_by_heart(task, channels, epochs, corpora, tmp_path):
    scores = learned(
        tmp_path / "run", f"task={task}", "corpus=grid", "augment=none", "data.batch_size=4", "data.passes=20",
        f"trainer.max_epochs={epochs}", "preprocess.video.size_px=36", "preprocess.video.crop_px=32",
        f"{channels}.channels=[8,16,32,64]", "optim.lr=4e-3",
    )  # fmt: skip
    assert (scores["cer"], scores["wer"]) == (0.0, 0.0)
    answers = read(tmp_path / "run", corpora / "grid", tmp_path / "out")
    assert answers["bbaf2n.mpg"]["text"] == "bin blue at f two now"
    check_subtitles(answers, tmp_path / "out")
