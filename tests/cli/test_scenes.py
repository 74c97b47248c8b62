"""Shots by the commands: what is written, what is refused, and a training from one end to the other."""

import csv
import json
from urllib.parse import unquote

import pytest

from avpipe.media import write_audio
from tests.cli.test_commands import avpipe, one_line
from tests.corpora.test_made_films import root  # noqa: F401
from tests.inference.test_shots import write_film
from tests.report.reading import rows_of
from tests.synthetic import tone
from tests.tiny import VIDEO, save_scenes_bundle, save_tiny_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return save_scenes_bundle(tmp_path_factory.mktemp("bundle") / "scenes")


@pytest.fixture
def films(tmp_path):
    folder = tmp_path / "films"
    (folder / "a b").mkdir(parents=True)
    write_film(folder / "a b" / "one.mkv")
    write_film(folder / "two.mkv", 30, shots=1)
    write_audio(folder / "sound.wav", tone(0.5), 16_000)
    return folder


def predict(*arguments):
    return avpipe("predict", "workers=0", "device=cpu", *arguments)


def records_of(folder):
    lines = (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    return {record["path"]: record for record in map(json.loads, lines)}


def test_a_folder_of_films_becomes_records_tables_lists_and_sheets(bundle, films, elsewhere):
    status, said, told = predict(f"bundle={bundle}", films, "out")
    assert (status, told) == (0, "")
    assert "(shots)" in said
    records = records_of(elsewhere / "out")
    assert {name: record["status"] for name, record in records.items()} == {
        "a b/one.mkv": "ok", "two.mkv": "ok", "sound.wav": "abstained",
    }  # fmt: skip
    shots = records["a b/one.mkv"]["tasks"]["scenes"]["shots"]
    assert len(shots) > 3
    with (elsewhere / "out/a b/one.mkv.shots.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(shots)
    assert (elsewhere / "out/a b/one.mkv.edl").read_text().count("FROM CLIP NAME: one.mkv") == len(shots)
    assert (elsewhere / "out/a b/one.mkv.shots.jpg").read_bytes()[:2] == b"\xff\xd8"
    rows = {found[0]: shown for found, shown in rows_of(elsewhere / "out/report.html")}
    assert rows["a b/one.mkv"]["shots"] == len(shots)
    assert [name for name, shown in rows.items() if shown["sheet"]] == [name for name in rows if name.endswith(".mkv")]
    assert (elsewhere / "out" / unquote(rows["a b/one.mkv"]["sheet"])).is_file()
    assert rows["a b/one.mkv"]["picture"][1].startswith("frame at ")
    assert not list((elsewhere / "out").rglob("sound.wav.*"))


def test_other_bundles_label_each_shot(bundle, films, elsewhere, tmp_path):
    look = save_tiny_bundle(tmp_path / "look", VIDEO)
    assert predict(f"bundle=[{bundle},{look}]", films / "a b", "out", "format=[jsonl,csv]")[0] == 0
    answer = records_of(elsewhere / "out")["one.mkv"]["tasks"]["scenes"]
    assert all(shot["labels"]["look"]["label"] in ("high", "low", "middle") for shot in answer["shots"])
    with (elsewhere / "out/one.mkv.shots.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["look"] for row in rows] == [shot["labels"]["look"]["label"] for shot in answer["shots"]]
    assert not (elsewhere / "out/one.mkv.edl").exists()


def test_a_list_of_shots_needs_a_bundle_that_looks_for_them(films, elsewhere, tmp_path):
    look = save_tiny_bundle(tmp_path / "look", VIDEO)
    status, _, told = predict(f"bundle={look}", films, "out", "format=edl")
    assert status == 2
    assert "no bundle of those named looks for shots" in one_line(told)


@pytest.mark.slow
def test_scenes_train_evaluate_and_predict(root, elsewhere):  # noqa: F811
    small = ["task=scenes", f"corpus.root={root}", "corpus.num_val=1", "corpus.num_test=1"]
    status, _, told = avpipe(
        "train", *small, "trainer.max_epochs=1", "data.workers=0", "data.passes=1", "device=cpu", "run_dir=run"
    )
    assert status == 0, told
    metrics = json.loads((elsewhere / "run/metrics.json").read_text())["metrics"]
    assert {"f1", "cut_f1", "gradual_recall"} <= set(metrics)
    assert "Finds the shots of a film" in (elsewhere / "run/bundle/card.md").read_text()
    evaluate = ["corpus=made_films", *small[1:], "bundle=run/bundle", "workers=0", "device=cpu", "output=again.json"]
    assert avpipe("evaluate", *evaluate)[0] == 0
    again = json.loads((elsewhere / "again.json").read_text())["metrics"]
    assert {name: value for name, value in again.items() if value == value} == {
        name: value for name, value in metrics.items() if value == value
    }
