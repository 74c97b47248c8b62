"""GRID: sentences from names, alignments where they are, speakers where there are folders of them."""

import pytest

from avpipe.corpora import CorpusError, Grid, make_split
from avpipe.corpora.grid import sentence
from avpipe.errors import ArgumentError
from tests.corpora.trees import write_recording

ALIGN = "0 14750 sil\n14750 20000 bin\n20000 27000 blue\n27000 29500 at\n29500 34000 f\n34000 41000 two\n"
ALIGNED = ALIGN + "41000 47250 now\n47250 74500 sil\n"


def grid(root, names):
    for name in names:
        write_recording(root / name)
    return Grid(root)


def texts(corpus):
    return {corpus.relative_path(example): example.target for example in corpus.examples()}


def align(path, content=ALIGNED):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("bbaf2n", "bin blue at f two now"),
        ("lgbz9p", "lay green by z nine please"),
        ("priazs", "place red in a zero soon"),
        ("SWWX1A", "set white with x one again"),
        ("sbia3n", "set blue in a three now"),
        ("sbiv4n", "set blue in v four now"),
        ("sbib5n", "set blue in b five now"),
        ("sbib6n", "set blue in b six now"),
        ("sbib7n", "set blue in b seven now"),
        ("sbib8n", "set blue in b eight now"),
        ("bbaw2n", None),  # no letter w is spoken
        ("bbaf0n", None),  # zero is z
        ("bbaf2", None),
        ("xbaf2n", None),
        ("bbaf2nn", None),
        ("", None),
    ],
)
def test_a_code_is_a_sentence(code, text):
    assert sentence(code) == text


def test_a_flat_folder_has_sentences_and_no_speakers(tmp_path):
    corpus = grid(tmp_path, ["bbaf2n.mpg", "lrwp9a.mpg", "holiday.mpg", "sbia1a.wav", "bbaf2n.txt"])
    assert texts(corpus) == {"bbaf2n.mpg": "bin blue at f two now", "lrwp9a.mpg": "lay red with p nine again"}
    assert {example.group for example in corpus.examples()} == {""}
    assert corpus.notes == ()
    assert not corpus.has_classes


@pytest.mark.parametrize("inner", ["video/mpg_6000/", "", "mpg/"])
def test_folders_of_speakers_are_groups(tmp_path, inner):
    corpus = grid(
        tmp_path, [f"s{speaker}/{inner}{code}.mpg" for speaker in (1, 2, 34) for code in ("bbaf2n", "lgbz9p")]
    )
    assert {example.group for example in corpus.examples()} == {"s1", "s2", "s34"}
    split = make_split(corpus, "group")
    sides = [{example.group for example in side} for side in (split.train, split.val, split.test)]
    assert not sides[0] & sides[2]


@pytest.mark.parametrize(
    ("film", "place"),
    [
        ("bbaf2n.mpg", "bbaf2n.align"),
        ("bbaf2n.mpg", "align/bbaf2n.align"),
        ("s1/bbaf2n.mpg", "s1/align/bbaf2n.align"),
        ("s1/video/mpg_6000/bbaf2n.mpg", "s1/align/bbaf2n.align"),
        ("s1/video/mpg_6000/bbaf2n.mpg", "align/s1/bbaf2n.align"),
        ("s1/bbaf2n.mpg", "alignments/s1/bbaf2n.align"),
        ("s1/bbaf2n.mpg", "s1/bbaf2n.align"),
        ("video/s1/bbaf2n.mpg", "align/s1/bbaf2n.align"),
    ],
)
def test_an_alignment_is_found_where_grid_has_it(tmp_path, film, place):
    align(tmp_path / place, ALIGNED.replace("two", "sp\n41000 41000 three"))
    corpus = grid(tmp_path, [film])
    assert list(texts(corpus).values()) == ["bin blue at f three now"]
    (note,) = corpus.notes
    assert str(tmp_path / place) in note
    assert "'bin blue at f three now'" in note
    assert "'bin blue at f two now'" in note


def test_an_alignment_of_another_speaker_is_not_taken(tmp_path):
    align(tmp_path / "align/s2/bbaf2n.align", "0 1 no\n")
    align(tmp_path / "align/bbaf2n.align", "0 1 no\n")
    corpus = grid(tmp_path, ["s1/bbaf2n.mpg"])
    assert list(texts(corpus).values()) == ["bin blue at f two now"]
    assert corpus.notes == ()


def test_an_alignment_that_agrees_says_nothing(tmp_path):
    align(tmp_path / "bbaf2n.align", ALIGNED.replace("two", "TWO"))
    corpus = grid(tmp_path, ["bbaf2n.mpg", "lgbz9p.mpg"])
    assert corpus.notes == ()
    assert texts(corpus)["bbaf2n.mpg"] == "bin blue at f two now"


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("", "holds no word"),
        ("0 1000 sil\n", "holds no word"),
        ("bin blue\n", "line 1 is no 'start end word'"),
        ("0 1000 bin\n500 2000 blue\n", "line 2: times out of order"),
        ("1000 0 bin\n", "line 1: times out of order"),
        ("0 nan bin\n", "line 1: times out of order"),
        (ALIGN + "41000 105000 now\n", "ends at 4.20 s, beyond a film of 3 s"),
    ],
)
def test_an_alignment_that_does_not_fit_is_a_line_and_stops_nothing(tmp_path, content, part):
    path = align(tmp_path / "bbaf2n.align", content)
    corpus = grid(tmp_path, ["bbaf2n.mpg", "lgbz9p.mpg"])
    assert texts(corpus)["bbaf2n.mpg"] == "bin blue at f two now"
    (note,) = corpus.notes
    assert note.startswith(f"{path}: ")
    assert part in note
    assert "\n" not in note
    assert note in make_split(corpus, val_fraction=0, test_fraction=0).warnings


def test_bytes_are_no_alignment(tmp_path):
    (tmp_path / "bbaf2n.align").write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in grid(tmp_path, ["bbaf2n.mpg"]).notes[0]


def test_what_cannot_be_is_one_line(tmp_path):
    with pytest.raises(CorpusError, match="holds no recording of the corpus grid"):
        grid(tmp_path, ["holiday.mpg"]).examples()
    with pytest.raises(ArgumentError, match="choose from text"):
        Grid(tmp_path, "speaker")


@pytest.mark.corpora
def test_the_real_films_are_read():
    corpus = Grid()
    assert texts(corpus) == {
        "bbaf2n.mpg": "bin blue at f two now",
        "lbax4n.mpg": "lay blue at x four now",
        "lrwp9a.mpg": "lay red with p nine again",
        "sbia1a.mpg": "set blue in a one again",
    }
    assert corpus.notes == ()
    split = make_split(corpus, val_fraction=0, test_fraction=0)
    assert len(split.train) == 4
    assert not split.val + split.test
