"""Pieces of words: learned, segmented as their library does, joined again; searched among words."""

import json

import pytest
import torch

from avpipe.answers import plain_text
from avpipe.answers.pieces import MARK
from avpipe.errors import ArgumentError, AvpipeError
from avpipe.networks import Output
from avpipe.objectives import BeamSearch, BeamSettings, PieceTranscription, Transcription

TEXTS = [
    "The quick brown fox jumps over the lazy dog, and the dog sleeps.",
    "Zażółć gęślą jaźń: the thing is that nothing is as it was.",
    "Sleeping dogs lie; the foxes were quicker than the dogs.",
    "",
    "Nothing sleeps, nothing lies, and nothing was there.",
] * 5
PIECES = PieceTranscription([MARK, MARK + "se", "ven", "v", "e", "n", MARK + "ten"], [-3.0, -2.0, -2.0, -4, -4, -4, -2])


@pytest.fixture(scope="module")
def learned():
    pytest.importorskip("sentencepiece")
    return PieceTranscription.vocabulary(TEXTS, 80)


def test_pieces_are_plain_data_and_the_same_each_time(learned):
    assert json.loads(json.dumps(learned)) == learned == PieceTranscription.vocabulary(TEXTS, 80)
    assert len(learned["units"]) <= 80
    assert set(plain_text("".join(TEXTS))) - {" "} <= set(learned["units"])
    assert MARK + "the" in learned["units"]
    objective = PieceTranscription(**learned)
    assert objective.num_outputs == 1 + len(learned["units"])


def test_a_specification_keeps_the_pieces_and_not_their_number(learned):
    spec = {"_target_": "avpipe.objectives.PieceTranscription", "num_pieces": 80}
    assert PieceTranscription.specified(spec, TEXTS) == {"_target_": spec["_target_"], **learned}
    assert Transcription.specified({"_target_": "x"}, ["a"]) == {"_target_": "x", "units": ["a"]}


def test_texts_are_cut_as_the_library_cuts_them(learned, monkeypatch):
    import sentencepiece

    models = []
    genuine = sentencepiece.SentencePieceProcessor

    def kept(model_proto):
        models.append(genuine(model_proto=model_proto))
        return models[-1]

    monkeypatch.setattr(sentencepiece, "SentencePieceProcessor", kept)
    objective = PieceTranscription(**PieceTranscription.vocabulary(TEXTS, 80))
    for text in (*map(plain_text, TEXTS), "thing brown foxes sleeping zażółć over nothing"):
        assert objective.segmented(text) == models[0].encode(text, out_type=str)


def test_what_no_piece_covers_is_left_out_and_named():
    assert PIECES.segmented("seven") == [MARK + "se", "ven"]
    assert PIECES.segmented("ten even") == [MARK + "ten", MARK, "e", "ven"]
    assert PIECES.encode("seven! ten").tolist() == [2, 3, 7]
    assert PIECES.encode("sevxen").tolist() == [2, 4, 5, 6]
    assert PIECES.foreign("sevxen") == {"x"}
    assert PIECES.spelled("sevxen") is None
    assert PIECES.spelled("seven") == [2, 3]


def sure(path, num_outputs):
    value = 9.0 * torch.nn.functional.one_hot(torch.tensor([path]), num_outputs).float()
    return Output(value, lengths=torch.tensor([len(path)]))


def test_pieces_become_words_with_their_times():
    (answer,) = PIECES.decode(sure([0, 2, 2, 3, 0, 7, 1, 0, 5, 6, 1], 8))
    answer = PIECES.finished(answer.placed(0.0, 0.02, 0.0))
    assert answer.text == "seven ten en"
    assert [word.start_sec for word in answer.words] == pytest.approx([0.02, 0.10, 0.12])
    assert [word.end_sec for word in answer.words] == pytest.approx([0.08, 0.12, 0.20])
    (answer,) = PIECES.decode(sure([3, 0, 1, 0], 8))
    assert PIECES.finished(answer).text == "ven"


def test_pieces_are_searched_for_words(tmp_path):
    pytest.importorskip("flashlight.lib.text")
    (tmp_path / "words").write_text("ten seven", encoding="utf-8")
    objective = PIECES.searched(BeamSearch(PIECES, BeamSettings(lexicon=tmp_path / "words")))
    for path, text in (([2, 2, 3, 3, 3, 0, 7, 7], "seven ten"), ([7, 0, 7, 0, 2, 4], "ten ten")):
        (answer,) = objective.decode(sure(path, 8))
        assert objective.finished(answer).text[: len(text)] == text
    (answer,) = objective.decode(sure([0, 2, 2, 3, 3, 0, 0, 7, 0], 8))
    assert [(word.start_sec, word.end_sec) for word in answer.units] == [(1.0, 5.0), (7.0, 8.0)]


def test_what_cannot_be_learned_is_one_line(learned, monkeypatch):
    with pytest.raises(ArgumentError, match=r"objective.num_pieces=5: is too few for transcripts of \d+ letters"):
        PieceTranscription.vocabulary(TEXTS, 5)
    for objective in (Transcription, PieceTranscription):
        with pytest.raises(AvpipeError, match="transcripts: all that there are to learn from are empty"):
            objective.vocabulary(["", "..."])
    with pytest.raises(ValueError, match="scores"):
        PieceTranscription(["a"], [])
    monkeypatch.setattr("avpipe.objectives.pieces.find_spec", lambda name: None)
    with pytest.raises(ArgumentError, match=r"avpipe\[subwords\]"):
        PieceTranscription.vocabulary(TEXTS, 80)


def test_learning_says_nothing_of_its_own(learned, capfd):
    PieceTranscription.vocabulary(TEXTS, 80)
    heard = capfd.readouterr()
    assert heard.out == heard.err == ""


def test_long_transcripts_are_learned_from_too(learned):
    text = "quay " * 3000
    assert "q" in PieceTranscription.vocabulary([text, "seven"], 12)["units"]
