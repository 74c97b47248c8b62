import json
from pathlib import Path

import pytest

from avpipe.corpora import CorpusError, Example, Manifest, make_split
from avpipe.errors import ArgumentError
from tests.corpora import trees
from tests.mouths import write_boxes


def write(path: Path, *lines: str) -> Path:
    path.write_bytes("\n".join(lines).encode())
    return path


def test_csv_with_byte_order_mark_crlf_and_quoted_commas(tmp_path: Path) -> None:
    trees.write_recordings(tmp_path, ["a, b.wav", "c.wav"])
    list_ = tmp_path / "list.csv"
    rows = ["path, label ,group,start_sec,end_sec,other", '"a, b.wav", cat ,g1,0.5,1e0,x', "", "c.wav,dog,,,,"]
    list_.write_bytes("\r\n".join(rows).encode("utf-8-sig"))
    assert Manifest(list_).examples() == [
        Example(tmp_path / "a, b.wav", "cat", 0.5, 1.0, "g1"),
        Example(tmp_path / "c.wav", "dog"),
    ]


def test_json_lines_with_numbers_and_nulls(tmp_path: Path) -> None:
    trees.write_recordings(tmp_path / "media", ["a.wav", "b.wav"])
    rows = [
        {"path": "a.wav", "label": 1, "start_sec": 0.25, "end_sec": None, "split": "train"},
        {"path": str(tmp_path / "media" / "b.wav"), "label": 2, "split": "dev"},
    ]
    list_ = write(tmp_path / "list.jsonl", *map(json.dumps, rows), "")
    corpus = Manifest(list_, root=tmp_path / "media")
    assert corpus.examples() == [
        Example(tmp_path / "media" / "a.wav", "1", 0.25),
        Example(tmp_path / "media" / "b.wav", "2"),
    ]
    assert list((corpus.official_split() or {}).values()) == ["train", "val"]


def test_text_is_the_target_where_there_are_no_labels(tmp_path: Path) -> None:
    trees.write_recordings(tmp_path, ["a.wav"])
    only_text = Manifest(write(tmp_path / "list.tsv", "path\ttext", "a.wav\tone, two"))
    assert (only_text.examples()[0].target, only_text.has_classes) == ("one, two", False)
    both = write(tmp_path / "both.csv", "path,label,text", "a.wav,x,one")
    assert Manifest(both).examples()[0].target == "x"
    assert Manifest(both, target="text").examples()[0].target == "one"
    assert Manifest(write(tmp_path / "none.csv", "path", "a.wav")).examples()[0].target is None
    with pytest.raises(ArgumentError, match="choose from label, text, score, null"):
        Manifest(both, target="words")


def test_where_the_task_says_a_score_its_column_is_learned(tmp_path: Path) -> None:
    trees.write_recordings(tmp_path, ["a.wav"])
    both = write(tmp_path / "both.csv", "path,label,score", "a.wav,negative,-1.5")
    scored = Manifest(both, label="score")
    assert (scored.examples()[0].target, scored.has_classes) == (-1.5, False)
    assert Manifest(both, label="sentiment").examples()[0].target == "negative"
    numbers = write(tmp_path / "numbers.csv", "path,label", "a.wav,-2")
    assert Manifest(numbers, label="score").examples()[0].target == -2.0
    with pytest.raises(CorpusError, match="score 'much' is no number"):
        Manifest(write(tmp_path / "words.csv", "path,score", "a.wav,much"), label="score").examples()


def test_where_the_task_says_text_the_column_text_is_learned_or_missed(tmp_path: Path) -> None:
    trees.write_recordings(tmp_path, ["a.wav"])
    both = write(tmp_path / "both.csv", "path,label,text", "a.wav,x,one")
    assert Manifest(both, label="text").examples()[0].target == "one"
    assert Manifest(both, label="emotion").examples()[0].target == "x"
    assert Manifest(both, label="text", target="label").examples()[0].target == "x"
    labels = write(tmp_path / "labels.csv", "path,label", "a.wav,x")
    with pytest.raises(CorpusError, match=r"has no column text; give a column text, or corpus\.target=label"):
        Manifest(labels, label="text")
    with pytest.raises(CorpusError, match="has no column text; give a column text"):
        Manifest(labels, target="text")
    with pytest.raises(CorpusError, match=r"has nothing in its column text; write what is said into it$"):
        Manifest(write(tmp_path / "empty.csv", "path,text", "a.wav,"), label="text")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["file,label", "a.wav,x"], r"line 1: no column 'path' \(found: file, label\)"),
        (["path,path", "a.wav,x"], "line 1: column 'path' stands twice"),
        ([], "line 1: no column 'path'"),
        (["path,label"], "lists no file"),
        (["path,label", "a.wav,x", "b.wav,x"], "line 3: no such file"),
        (["path,label", ",x"], "line 2: no path"),
        (["path,label", "a.wav,x,y"], "line 2: 3 cells under a header of 2"),
        (["path,label", "a.wav,x", "c.wav,"], "line 3: no label, though other lines have one"),
        (["path,start_sec", "a.wav,one"], "line 2: start_sec 'one' is no time"),
        (["path,end_sec", "a.wav,nan"], "line 2: end_sec 'nan' is no time"),
        (["path,start_sec", "a.wav,-1"], "line 2: start_sec '-1' is no time"),
        (["path,start_sec,end_sec", "a.wav,2,2"], "line 2: end_sec 2.0 is not after start_sec 2.0"),
        (["path,split", "a.wav,training"], "line 2: unknown split 'training'; choose from train, val, test"),
        (["path,split", "a.wav,train", "c.wav,"], "line 3: no split, though other lines have one"),
        (["path,label", "a.wav,x", "a.wav,x"], "line 3: repeats an earlier line"),
    ],
)
def test_bad_rows_are_told_with_their_line(tmp_path: Path, lines: list[str], said: str) -> None:
    trees.write_recordings(tmp_path, ["a.wav", "c.wav"])
    with pytest.raises(CorpusError, match=said):
        Manifest(write(tmp_path / "list.csv", *lines))


@pytest.mark.parametrize(
    ("line", "said"),
    [("{", "is no JSON"), ("[1]", "no object with the key 'path'"), ('{"path": ["a"]}', "'path' holds")],
)
def test_bad_json_is_told_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    trees.write_recordings(tmp_path, ["a.wav"])
    with pytest.raises(CorpusError, match=rf"list\.jsonl, line 2: .*{said}"):
        Manifest(write(tmp_path / "list.jsonl", '{"path": "a.wav"}', line))


def test_missing_and_mangled_manifests(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"corpus\.path is not given"):
        Manifest()
    with pytest.raises(CorpusError, match="No such file"):
        Manifest(tmp_path / "none.csv")
    for name in ("latin.csv", "latin.jsonl"):
        (tmp_path / name).write_bytes(b"path\n\xe9.wav\n")
        with pytest.raises(CorpusError, match="is not UTF-8"):
            Manifest(tmp_path / name)


def test_unlabelled_rows_cannot_be_split(tmp_path: Path) -> None:
    trees.write_recordings(tmp_path, ["a.wav", "b.wav"])
    with pytest.raises(CorpusError, match=r"a\.wav has no label"):
        make_split(Manifest(write(tmp_path / "list.csv", "path", "a.wav", "b.wav")))


def test_stretches_of_one_file_stay_together(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        trees.write_recording(tmp_path / f"{name}.wav", samples=8000)
    rows = [f"{name}.wav,{label},{start},{start + 0.25}" for name in "abc" for label, start in (("x", 0.1), ("y", 0.5))]
    split = make_split(Manifest(write(tmp_path / "list.csv", "path,label,start_sec,end_sec", *rows)))
    assert [len(side) for side in (split.train, split.val, split.test)] == [2, 2, 2]
    assert len({example.path for side in (split.train, split.val, split.test) for example in side}) == 3


def test_boxes_of_films_are_found_and_read_beforehand(tmp_path):
    trees.write_recording(tmp_path / "a.mkv")
    table = write_boxes(tmp_path / "b.csv", [(0, 0, 0, 1, 1)])
    (tmp_path / "list.csv").write_text(f"path,text,boxes\na.mkv,hello,{table.name}\n")
    (example,) = Manifest(tmp_path / "list.csv").examples()
    assert example.annotation == table
    table.write_text("time_sec,left,top,right,bottom\n0,1,0,0,1\n")
    with pytest.raises(CorpusError, match=r"list.csv, line 2: .*b.csv: line 2: right must lie beyond left"):
        Manifest(tmp_path / "list.csv")
    table.unlink()
    with pytest.raises(CorpusError, match=r"b.csv: the boxes cannot be read"):
        Manifest(tmp_path / "list.csv")
