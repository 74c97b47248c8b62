"""How transcripts are found, as it is asked for from Python."""

import numpy as np
import pytest

import avpipe
from avpipe.errors import ArgumentError
from avpipe.media import write_audio
from tests.synthetic import noise
from tests.tiny import save_tiny_bundle, save_transcriber_bundle


@pytest.fixture(autouse=True)
def _installed():
    pytest.importorskip("flashlight.lib.text")


@pytest.fixture(scope="module")
def transcriber(tmp_path_factory):
    return save_transcriber_bundle(tmp_path_factory.mktemp("bundle") / "speech")


def test_a_loaded_bundle_says_the_words_of_a_list(transcriber, tmp_path, capsys):
    write_audio(tmp_path / "x.wav", np.tile(noise(0.5, rate_hz=8000), 4), 8000)
    (tmp_path / "words.txt").write_text("a\nAb\tab\nzoo", encoding="utf-8")
    greedy = avpipe.load(transcriber, "cpu")(tmp_path / "x.wav").tasks["speech"]
    assert not set(greedy.text.split()) <= {"a", "Ab"}
    search = avpipe.BeamSettings(lexicon=str(tmp_path / "words.txt"))
    found = avpipe.load(transcriber, "cpu", decoding=search)(tmp_path / "x.wav").tasks["speech"]
    assert found.text
    assert set(found.text.split()) <= {"a", "Ab"}
    assert "1 of 3 words are left out" in capsys.readouterr().err


def test_what_cannot_be_searched_is_refused(transcriber, tmp_path):
    with pytest.raises(ArgumentError, match=r"decoding=beam: is no search; give avpipe\.BeamSettings"):
        avpipe.load(transcriber, "cpu", decoding="beam")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"words\.txt: No such file"):
        avpipe.load(transcriber, "cpu", decoding=avpipe.BeamSettings(lexicon=tmp_path / "words.txt"))
    tones = save_tiny_bundle(tmp_path / "tones")
    with pytest.raises(ArgumentError, match="finds transcripts, and tones makes none"):
        avpipe.load(tones, "cpu", decoding=avpipe.BeamSettings())
