"""What ``input=`` means, and the files that are written."""

import csv
import json
import os
import sys
from typing import Any

import pytest

from avpipe.errors import ArgumentError
from avpipe.inference.formats import write_csv, write_jsonl, writers
from avpipe.inference.inputs import find_jobs
from avpipe.inference.label_tracks import write_audacity
from avpipe.inference.parquet import write_parquet, write_parquet_parts


def test_a_folder_is_searched_to_any_depth_and_names_are_relative(tmp_path):
    for name in ("b/x.wav", "a/x.wav", "a/deep/y.MP4", "a/notes.doc"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert sorted(job.name for job in find_jobs(tmp_path)) == ["a/deep/y.MP4", "a/x.wav", "b/x.wav"]


def test_a_list_names_files_relative_to_itself_or_to_the_working_folder(tmp_path, elsewhere):
    (tmp_path / "one.wav").touch()
    (elsewhere / "two.wav").touch()
    listing = tmp_path / "list.txt"
    listing.write_text(f"one.wav\n\ntwo.wav\none.wav\n{tmp_path / 'a b.wav'}\n", encoding="utf-8-sig")
    jobs = find_jobs(listing)
    assert [job.name for job in jobs] == ["one.wav", "two.wav", (tmp_path / "a b.wav").as_posix()]
    assert [job.path.exists() for job in jobs] == [True, True, False]


def test_a_single_file_is_tried_whatever_its_name(tmp_path):
    (tmp_path / "recording.dat").touch()
    assert [job.name for job in find_jobs(tmp_path / "recording.dat")] == ["recording.dat"]


def test_a_name_that_is_no_text_is_printable(tmp_path):
    os.close(os.open(os.fsencode(tmp_path) + b"/\xff.wav", os.O_CREAT))
    (job,) = find_jobs(tmp_path)
    assert job.name.encode("utf-8") == b"\\udcff.wav"
    assert job.path.exists()


@pytest.mark.parametrize("content", [None, ""])
def test_nothing_to_answer_is_one_line(tmp_path, content):
    with pytest.raises(ArgumentError, match="no media file"):
        find_jobs(tmp_path)
    with pytest.raises(ArgumentError, match="no such file"):
        find_jobs(tmp_path / "absent")
    (tmp_path / "list.txt").write_text("\n")
    with pytest.raises(ArgumentError, match="names no file"):
        find_jobs(tmp_path / "list.txt")


def window(start_sec, end_sec, label):
    return {"start_sec": start_sec, "end_sec": end_sec, "label": label, "score": 0.5}


RECORDS: list[dict[str, Any]] = [
    {
        "path": 'a, "b"\n.wav',
        "status": "ok",
        "reason": "",
        "coverage": None,
        "tasks": {
            "one": {"label": "x", "score": 0.5, "text": None},
            "two": {"label": None, "score": None, "text": "é"},
        },
    },
    {"path": "bad.wav", "status": "error", "reason": "empty", "coverage": None, "tasks": {}},
]


def test_jsonl_is_one_object_a_line(tmp_path):
    lines = write_jsonl(tmp_path, RECORDS).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == RECORDS


def test_csv_is_a_row_a_task(tmp_path):
    with write_csv(tmp_path, RECORDS).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["path"], row["task"], row["label"], row["score"], row["text"]) for row in rows] == [
        ('a, "b"\n.wav', "one", "x", "0.5", ""),
        ('a, "b"\n.wav', "two", "", "", "é"),
        ("bad.wav", "", "", "", ""),
    ]


def test_csv_tells_how_many_shots_a_film_has(tmp_path):
    shots = [{"start_sec": sec, "end_sec": sec + 1.0, "num_frames": 25} for sec in (0.0, 1.0)]
    answer = {"label": None, "score": None, "text": None, "shots": shots, "boundaries": []}
    film = {"path": "film.mp4", "status": "ok", "reason": "", "coverage": None, "tasks": {"scenes": answer}}
    with write_csv(tmp_path, [film, *RECORDS]).open(encoding="utf-8", newline="") as file:
        assert [row["num_shots"] for row in csv.DictReader(file)] == ["2", "", "", ""]


def test_parquet_is_a_row_a_task_with_the_whole_answer(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    coverage = {
        "asked_sec": 2.0,
        "decoded_sec": 1.5,
        "lost_sec": 0.5,
        "frames_decoded": 3,
        "frames_lost": 1,
        "gaps": [],
    }
    answer = {"label": "x", "score": 0.5, "text": None, "scores": {"x": 0.5, "y": 0.25}, "windows": []}
    first = {**RECORDS[0], "coverage": coverage, "tasks": {**RECORDS[0]["tasks"], "one": answer}}
    rows = parquet.read_table(write_parquet(tmp_path, [first, RECORDS[1]])).to_pylist()
    assert [(row["path"], row["status"], row["task"], row["label"]) for row in rows] == [
        ('a, "b"\n.wav', "ok", "one", "x"),
        ('a, "b"\n.wav', "ok", "two", None),
        ("bad.wav", "error", None, None),
    ]
    assert {name: rows[0].get(name, []) for name in coverage} == coverage
    assert dict(rows[0]["scores"]) == answer["scores"]
    assert json.loads(rows[0]["answer"]) == answer
    assert rows[2]["scores"] is None


@pytest.mark.parametrize("write", [write_parquet, write_parquet_parts])
def test_parquet_of_no_record_is_a_table_all_the_same(tmp_path, write):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert parquet.read_table(write(tmp_path, [])).num_rows == 0


def many_records(number):
    return [{**RECORDS[1], "path": f"{place:03}.wav"} for place in range(number)]


@pytest.fixture
def parts_of_ten(monkeypatch):
    pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("avpipe.inference.parquet._ROWS", 10)


def test_parquet_parts_have_the_rows_of_the_one_file_in_its_order(tmp_path, parts_of_ten):
    from pyarrow import dataset, parquet

    records = [*RECORDS, *many_records(33)]
    one = parquet.read_table(write_parquet(tmp_path / "one", records))
    folder = write_parquet_parts(tmp_path / "parts", records)
    assert sorted(path.name for path in folder.iterdir()) == [f"part-{number:05}.parquet" for number in range(4)]
    assert parquet.read_table(folder).equals(one)
    assert dataset.dataset(folder).to_table().equals(one)
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["predictions.parquet"]


def test_parquet_parts_take_the_place_of_those_before(tmp_path, parts_of_ten):
    from pyarrow import parquet

    write_parquet_parts(tmp_path, many_records(35))
    folder = write_parquet_parts(tmp_path, many_records(12))
    assert parquet.read_table(folder)["path"].to_pylist() == [record["path"] for record in many_records(12)]
    assert len(list(folder.iterdir())) == 2


def test_parquet_parts_that_end_early_leave_those_before(tmp_path, parts_of_ten):
    from pyarrow import parquet

    def ending_early():
        yield from many_records(25)
        raise KeyboardInterrupt

    folder = write_parquet_parts(tmp_path, many_records(12))
    with pytest.raises(KeyboardInterrupt):
        write_parquet_parts(tmp_path, ending_early())
    assert parquet.read_table(folder).num_rows == 12
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.parquet"]


def test_one_parquet_file_and_its_parts_take_each_others_place(tmp_path, parts_of_ten):
    from pyarrow import parquet

    for write in (write_parquet, write_parquet_parts, write_parquet, write_parquet_parts):
        path = write(tmp_path, many_records(12))
        assert (path.is_file(), parquet.read_table(path).num_rows) == (write is write_parquet, 12)
        assert [path.name for path in tmp_path.iterdir()] == ["predictions.parquet"]


def test_without_pyarrow_parquet_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ArgumentError, match=r"format=parquet.*avpipe\[scale\]"):
        writers(["jsonl", "parquet"])


@pytest.mark.parametrize(
    ("answer", "lines"),
    [
        (
            {"windows": [window(0.0, 2.0, "a"), window(1.0, 3.0, "a"), window(2.0, 3.5, "b\tc\n")]},
            ["0.000000\t2.000000\ta", "2.000000\t3.500000\tb c"],
        ),
        ({"words": [{"text": "ja", "start_sec": 0.1, "end_sec": 0.25}], "windows": []}, ["0.100000\t0.250000\tja"]),
        (
            {"turns": [{"label": "anna", "start_sec": 1.0, "end_sec": 2.0}], "windows": [window(0.0, 3.0, "x")]},
            ["1.000000\t2.000000\tanna"],
        ),
    ],
)
def test_a_label_track_has_the_finest_that_an_answer_tells(tmp_path, answer, lines):
    write_audacity(tmp_path, [{"path": "a/x.wav", "tasks": {"task": answer}}])
    assert (tmp_path / "a/x.wav.labels.txt").read_text(encoding="utf-8").splitlines() == lines


def test_nothing_told_is_no_label_track(tmp_path):
    write_audacity(tmp_path, [{"path": "x.wav", "tasks": {"task": {"windows": []}}}])
    assert not list(tmp_path.iterdir())


def test_an_unknown_format_is_told_with_the_choices():
    with pytest.raises(ArgumentError, match=r"format=xml.*jsonl, csv"):
        writers(["jsonl", "xml"])
