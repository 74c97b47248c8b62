"""Vectors as an array with names, turns as RTTM."""

import csv
from typing import Any

import numpy as np

from avpipe.inference.formats import writers


def answer(embedding=None, turns=None):
    told: dict[str, Any] = {"label": None, "score": None, "scores": {}, "text": None, "windows": []}
    if embedding is not None:
        told["embedding"] = embedding
    if turns is not None:
        told["turns"] = [dict(zip(("start_sec", "end_sec", "label"), turn, strict=True)) for turn in turns]
    return told


def record(path, **tasks):
    return {"path": path, "status": "ok", "reason": "", "coverage": None, "tasks": tasks}


def write(folder, name, records):
    (writer,) = writers([name])
    writer(folder, iter(records))
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_each_row_has_a_name(tmp_path):
    records = [
        record('a, "b"\n.wav', speaker=answer([0.6, 0.8])),
        record("bad.wav"),
        record("c.wav", emotion=answer(), speaker=answer([0.0, -1.0])),
    ]
    assert write(tmp_path, "npy", records) == ["embeddings.csv", "embeddings.npy"]
    vectors = np.load(tmp_path / "embeddings.npy", allow_pickle=False)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, np.array([[0.6, 0.8], [0.0, -1.0]], np.float32))
    assert rows_of(tmp_path / "embeddings.csv") == [
        ["row", "path", "task"],
        ["0", 'a, "b"\n.wav', "speaker"],
        ["1", "c.wav", "speaker"],
    ]


def test_several_tasks_have_a_pair_of_files_each(tmp_path):
    records = [record("a.wav", one=answer([1.0]), two=answer([0.6, 0.8])), record("b.wav", two=answer([0.8, 0.6]))]
    assert write(tmp_path, "npy", records) == [
        "embeddings.one.csv",
        "embeddings.one.npy",
        "embeddings.two.csv",
        "embeddings.two.npy",
    ]
    assert np.load(tmp_path / "embeddings.one.npy").shape == (1, 1)
    assert np.load(tmp_path / "embeddings.two.npy").shape == (2, 2)
    assert rows_of(tmp_path / "embeddings.two.csv")[2] == ["1", "b.wav", "two"]


def test_without_any_vector_the_files_are_empty_and_not_those_of_before(tmp_path):
    write(tmp_path, "npy", [record("a.wav", speaker=answer([0.6, 0.8]))])
    write(tmp_path, "npy", [record("bad.wav")])
    assert np.load(tmp_path / "embeddings.npy").shape == (0, 0)
    assert rows_of(tmp_path / "embeddings.csv") == [["row", "path", "task"]]


def test_a_line_a_turn_and_no_blanks_in_names(tmp_path):
    turns = [(0.5, 2.25, "Ann Lee"), (2.25, 3661.0, "speaker_1")]
    records = [
        record("a b/x\ty.wav", speaker=answer([1.0], turns)),
        record("silent.wav", speaker=answer([1.0])),
        record("bad.wav"),
        record("tone.wav", emotion=answer()),
    ]
    assert write(tmp_path, "rttm", records) == ["a b/x\ty.wav.rttm", "silent.wav.rttm"]
    assert (tmp_path / "a b/x\ty.wav.rttm").read_text() == (
        "SPEAKER a_b/x_y.wav 1 0.500 1.750 <NA> <NA> Ann_Lee <NA> <NA>\n"
        "SPEAKER a_b/x_y.wav 1 2.250 3658.750 <NA> <NA> speaker_1 <NA> <NA>\n"
    )
    assert (tmp_path / "silent.wav.rttm").read_text() == ""


def test_names_that_would_be_one_without_blanks_are_kept_apart(tmp_path, capsys):
    turns = [(0.0, 1.0, "a b"), (1.0, 2.0, "a_b"), (2.0, 3.0, "a\tb"), (3.0, 4.0, "a_b_2"), (4.0, 5.0, "c d")]
    records = [record(path, speaker=answer([1.0], turns)) for path in ("mon day.flac", "mon_day.flac")]
    for each in (records, records[::-1]):
        write(tmp_path, "rttm", each)
        names = {
            path: [line.split()[1:8:6] for line in (tmp_path / f"{path}.rttm").read_text().splitlines()]
            for path in ("mon day.flac", "mon_day.flac")
        }
        people = ["a_b_4", "a_b", "a_b_3", "a_b_2", "c_d"]
        assert names["mon day.flac"] == [["mon_day.flac_2", name] for name in people]
        assert names["mon_day.flac"] == [["mon_day.flac", name] for name in people]
        told = capsys.readouterr().err.splitlines()
        assert len(told) == 3
        assert "warning: format=rttm: 'mon day.flac' is written mon_day.flac_2, as mon_day.flac is another" in told
