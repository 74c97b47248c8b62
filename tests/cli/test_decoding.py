"""Transcripts found by a search, as a user asks for it."""

import itertools
import json

import numpy as np
import pytest

from avpipe.config import quote_path
from avpipe.media import write_audio
from tests.cli.test_commands import avpipe, one_line, predict
from tests.test_beam import write_model
from tests.tiny import save_tiny_bundle


@pytest.fixture(autouse=True)
def _installed():
    pytest.importorskip("flashlight.lib.text")


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """Recordings of several windows, in which the network hears something all the time."""
    folder = tmp_path_factory.mktemp("media")
    for index in range(2):
        generator = np.random.default_rng(index)
        tones = np.repeat(generator.uniform(200, 3000, 60), 1000)
        sound = 0.3 * np.sin(2 * np.pi * np.cumsum(tones) / 8000) + 0.02 * generator.standard_normal(len(tones))
        write_audio(folder / f"{index}.wav", sound[None].astype(np.float32), 8000)
    return folder


def answer(folder, path="0.wav"):
    rows = (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    (found,) = (row for row in map(json.loads, rows) if row["path"] == path)
    return found["tasks"]["speech"]


@pytest.fixture
def words(tmp_path):
    path = tmp_path / "a list, of [words] = 'all'.txt"
    path.write_text("Ab aba, bab\nnought\tb a\nzoo", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def greedy(transcriber, media, tmp_path_factory):
    """What the network says of itself: words that mean nothing, the commonest first."""
    folder = tmp_path_factory.mktemp("greedy")
    predict(transcriber, media, folder)
    said = answer(folder)["text"].split()
    return sorted(set(said), key=lambda word: (-said.count(word), word))


def test_a_search_says_nothing_but_words_of_the_list(transcriber, media, greedy, tmp_path):
    words = tmp_path / "a list, of [words] = 'all'.txt"
    words.write_text(f"{' '.join(greedy[1:]).upper()},\nzoo", encoding="utf-8")
    _, told = predict(transcriber, media, tmp_path / "beam", "decoding=beam", f"decoding.lexicon={words}")
    beam = answer(tmp_path / "beam")
    assert len(beam["words"]) > 10
    assert set(beam["text"].split()) <= set(greedy[1:])
    assert [word["text"] for word in beam["words"]] == beam["text"].split()
    spans = [(word["start_sec"], word["end_sec"]) for word in beam["words"]]
    assert all(one[1] <= other[0] + 1e-6 for one, other in itertools.pairwise(spans))
    assert spans[-1][1] > 5.0
    assert all(0.0 <= word["score"] <= 1.0 for word in beam["words"])
    line = one_line(told)
    assert line.startswith(f"warning: decoding.lexicon={words}: 1 of {len(greedy)} words are left out")
    assert line.endswith("never learned o, z")


def test_answers_hold_for_their_decoding_and_for_what_its_files_hold(transcriber, media, words, tmp_path):
    output, beam = tmp_path / "answers", ("decoding=beam", f"decoding.lexicon={words}")
    said, _ = predict(transcriber, media, output)
    assert "answered before" not in said
    assert "2 answered before" in predict(transcriber, media, output)[0]
    assert json.loads((output / "summary.json").read_text())["decoding"] == {"speech": {"name": "greedy"}}
    assert "answered before" not in predict(transcriber, media, output, *beam)[0]
    told = json.loads((output / "summary.json").read_text())["decoding"]["speech"]
    assert (told["name"], told["beam_size"], told["lm_sha256"]) == ("beam", 50, None)
    moved = words.rename(tmp_path / "elsewhere.txt")
    assert "2 answered before" in predict(transcriber, media, output, "decoding=beam", f"decoding.lexicon={moved}")[0]
    assert "answered before" not in predict(transcriber, media, output, *beam[:1], f"decoding.lexicon={moved}",
                                            "decoding.word_score=-1")[0]  # fmt: skip
    moved.write_text("ab", encoding="utf-8")
    assert "answered before" not in predict(transcriber, media, output, "decoding=beam", f"decoding.lexicon={moved}")[0]


def test_a_model_of_words_changes_what_is_said(transcriber, media, greedy, tmp_path):
    (tmp_path / "words").write_text(" ".join(greedy), encoding="utf-8")
    given = ("decoding=beam", f"decoding.lexicon={tmp_path / 'words'}")
    model = write_model(tmp_path / "a model, of words.arpa", {greedy[0]: -9.0, **dict.fromkeys(greedy[1:], -1.0)}, {})
    counts = []
    for weight in (0.0, 20.0):
        predict(transcriber, media, tmp_path / "out", *given, f"decoding.lm={model}", f"decoding.lm_weight={weight}")
        counts.append(answer(tmp_path / "out")["text"].split().count(greedy[0]))
    assert counts[1] < counts[0]


def test_other_bundles_answer_beside_a_search_as_they_do_alone(transcriber, media, words, tmp_path):
    tones = save_tiny_bundle(tmp_path / "tones")
    status, _, told = avpipe(
        "predict", f"bundle=[{transcriber},{tones}]", f"input={media}", f"output={tmp_path / 'out'}", "decoding=beam",
        f"decoding.lexicon={words}", "device=cpu", "workers=0",
    )  # fmt: skip
    assert status == 0, told
    rows = [json.loads(row) for row in (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()]
    assert all(row["tasks"]["tones"]["label"] for row in rows)
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["decoding"].keys() == {"speech"}


def test_evaluate_tells_its_decoding(transcriber, media, words, tmp_path):
    (media / "list.csv").write_text("path,text,split\n0.wav,ab aba,test\n1.wav,bab,test\n", encoding="utf-8")
    common = ("evaluate", f"bundle={transcriber}", "corpus=manifest", f"corpus.path={media / 'list.csv'}", "workers=0")
    found = {}
    for name, more in (("greedy", ()), ("beam", ("decoding=beam", f"decoding.lexicon={words}"))):
        output = tmp_path / name / "metrics.json"
        status, _, told = avpipe(*common, "device=cpu", f"output={output}", *more)
        assert status == 0, told
        found[name] = json.loads(output.read_text())
        assert "Transcripts" in output.with_name("report.html").read_text(encoding="utf-8")
    assert found["greedy"]["decoding"] == {"name": "greedy"}
    assert found["beam"]["decoding"]["name"] == "beam"
    assert len(found["beam"]["decoding"]["lexicon_sha256"]) == 64
    assert found["greedy"]["metrics"] != found["beam"]["metrics"]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["decoding=search"], ["decoding=search", "greedy", "beam"]),
        (["decoding=beam", "decoding.lexicon=no such, file.txt"], ["decoding.lexicon=no such, file.txt: No such file"]),
        (["decoding=beam", "decoding.beam_size=0"], ["decoding.beam_size=0"]),
        (["decoding=beam", "decoding.beam_size=many"], ["decoding.beam_size=many", "whole number"]),
        (["decoding=beam", "decoding.lexicon="], ["decoding.lexicon="]),
        (["decoding=beam", "decoding.words=a"], ["decoding.words", "lexicon", "lm_weight"]),
    ],
)
def test_what_cannot_be_asked_is_one_line(arguments, parts, transcriber, media, tmp_path):
    status, _, told = avpipe(
        "predict", f"bundle={transcriber}", f"input={media}", f"output={tmp_path / 'out'}", *arguments
    )
    assert status == 2
    for part in parts:
        assert part in one_line(told)
    assert not (tmp_path / "out").exists()


def test_a_bundle_that_does_not_transcribe_is_named(media, tmp_path):
    tones = save_tiny_bundle(tmp_path / "tones")
    for command in (
        ("predict", f"input={media}", f"output={tmp_path / 'out'}"),
        ("evaluate", "corpus=manifest", f"corpus.path={tmp_path / 'none'}"),
    ):
        status, _, told = avpipe(*command, f"bundle={tones}", "decoding=beam")
        assert status == 2
        assert "decoding=beam: finds transcripts, and tones makes none" in one_line(told)


@pytest.mark.parametrize("key", ["decoding.lexicon", "decoding.lm"])
def test_names_of_files_are_taken_as_typed(key):
    assert quote_path(f"{key}=a b,c.txt") == f"{key}='a b,c.txt'"
    assert quote_path(f"{key}=null") == f"{key}=null"
