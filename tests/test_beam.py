"""The search for words: its best text is the best there is, whole at seams, timed as greedy paths are."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from avpipe.answers import Decoded, Word, likeliest_path, runs
from avpipe.errors import ArgumentError
from avpipe.networks import Output
from avpipe.objectives import BeamSearch, BeamSettings, Transcription, WordTranscription
from avpipe.objectives.beam import forced_path

LETTERS = Transcription([" ", "a", "b"])
WORDS = WordTranscription(["no", "yes"])
STEP_SEC = 0.02
BIGRAMS = """\\data\\
ngram 1={}
ngram 2={}

\\1-grams:
{}

\\2-grams:
{}

\\end\\
"""


@pytest.fixture(autouse=True)
def _installed():
    pytest.importorskip("flashlight.lib.text")


def write_model(path, unigrams, bigrams):
    """An ARPA file of logarithms to base 10."""
    alone = {"<s>": -99.0, "</s>": -1.0, "<unk>": -3.0, **unigrams}
    lines = ["\n".join(f"{score}\t{word}\t0" for word, score in alone.items())]
    lines.append("\n".join(f"{score}\t{words}" for words, score in bigrams.items()))
    path.write_text(BIGRAMS.format(len(alone), len(bigrams), *lines), encoding="utf-8")
    return path


def lexicon(folder, text):
    path = folder / "a list, of [words].txt"
    path.write_text(text, encoding="utf-8")
    return path


def output(rows, steps=None):
    """Posteriors as given, step by step."""
    value = torch.tensor(rows).clamp_min(1e-6).log()
    return Output(value[None], lengths=torch.tensor([steps or len(rows)]))


def sure(path, num_outputs=4):
    """Nearly sure of these outputs."""
    wanted = torch.nn.functional.one_hot(torch.tensor(path), num_outputs).float()
    return Output(9.0 * wanted[None], lengths=torch.tensor([len(path)]))


def text_of(objective, heard):
    (answer,) = objective.decode(heard)
    return objective.finished(answer).text


def searched(objective, **given):
    return objective.searched(BeamSearch(objective, BeamSettings(**given)))


def best_score(log_probs, places):
    """The likelihood of the likeliest path that says just this."""
    if len(places) + sum(one == two for one, two in itertools.pairwise(places)) > len(log_probs):
        return -math.inf
    return float(np.take_along_axis(log_probs, forced_path(log_probs, places)[:, None], 1).sum())


def likelihood(log_probs, places):
    """That of all paths together."""
    target, lengths = torch.tensor(places, dtype=torch.long)[None], torch.tensor([len(places)])
    steps = torch.tensor([len(log_probs)])
    cost = torch.nn.functional.ctc_loss(torch.from_numpy(log_probs)[:, None], target, steps, lengths, reduction="none")
    return -float(cost)


@pytest.fixture(scope="module")
def some_words(tmp_path_factory):
    return lexicon(tmp_path_factory.mktemp("words"), "a\nab b\n")


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), steps=st.integers(1, 6), word_score=st.floats(-2.0, 2.0))
def test_the_words_found_are_the_best_there_are(some_words, seed, steps, word_score):
    log_probs = (3.0 * torch.randn(steps, 4, generator=torch.Generator().manual_seed(seed))).log_softmax(1).numpy()
    search = BeamSearch(LETTERS, BeamSettings(word_score=word_score, lexicon=some_words))

    def worth(places):
        words = "".join(LETTERS.units[place - 1] for place in places).split()
        allowed = all(word in ("a", "ab", "b") for word in words)
        return best_score(log_probs, places) + word_score * len(words) if allowed else -math.inf

    every = (places for length in range(steps + 1) for places in itertools.product((1, 2, 3), repeat=length))
    best = max(every, key=worth)
    expected = "".join(LETTERS.units[place - 1] for place in best).split()
    found = [word.text for word in search(log_probs)]
    assert found == expected


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 6))
def test_without_words_the_text_is_the_one_whose_paths_are_likeliest_together(seed, steps):
    log_probs = torch.randn(steps, 4, generator=torch.Generator().manual_seed(seed)).log_softmax(1).numpy()
    search = BeamSearch(LETTERS, BeamSettings(beam_size=1000))
    every = (places for length in range(steps + 1) for places in itertools.product((1, 2, 3), repeat=length))
    best = max((likelihood(log_probs, places), places) for places in every)[1]
    assert [unit.text for unit in search(log_probs)] == [LETTERS.units[place - 1] for place in best]
    assert not search.says_words


def test_all_paths_count_and_not_the_likeliest_alone():
    heard = output([[0.6, 0.0, 0.4, 0.0]] * 2)
    assert text_of(LETTERS, heard) == ""
    assert text_of(searched(LETTERS), heard) == "a"


def test_a_lexicon_leaves_nothing_but_its_words(tmp_path):
    heard = sure([2, 0, 3, 1, 3])
    assert text_of(LETTERS, heard) == "ab b"
    assert text_of(searched(LETTERS, lexicon=lexicon(tmp_path, "Ba a,\n\nB\n")), heard) in ("a b", "b b", "ba b")
    assert text_of(searched(LETTERS, lexicon=lexicon(tmp_path, "ab aba b")), heard) == "ab b"


def test_a_word_has_the_spellings_that_the_list_gives(tmp_path):
    words = lexicon(tmp_path, "Second\tb a\nfirst\tab\nfirst\taa\nb\t\n")
    objective = searched(LETTERS, lexicon=words)
    for path, text in (([2, 3], "first"), ([2, 0, 2], "first"), ([3, 2, 1, 3], "Second b")):
        assert text_of(objective, sure(path)) == text


def test_words_of_a_small_vocabulary_are_weighed_without_a_list(tmp_path):
    heard = output([[0.02, 0.49, 0.49], [0.9, 0.05, 0.05], [0.02, 0.48, 0.5]])
    assert text_of(searched(WORDS), heard)[-3:] == "yes"
    for wanted, other in (("no", "yes"), ("yes", "no")):
        pairs = {
            f"{one} {two}": -0.1 if two == wanted else -3.0 for one in ("<s>", "no", "yes") for two in ("no", "yes")
        }
        model = write_model(tmp_path / "model.arpa", {"no": -0.5, "yes": -0.5}, pairs)
        assert text_of(searched(WORDS, lm=model), heard) == f"{wanted} {wanted}"
        assert text_of(searched(WORDS, lm=model, lm_weight=0.0), heard)[-3:] == "yes"
        list_of_one = lexicon(tmp_path, other)
        assert text_of(searched(WORDS, lm=model, lm_weight=0.1, lexicon=list_of_one), heard) == f"{other} {other}"


def test_a_word_said_over_many_steps_is_one_word():
    assert text_of(searched(WORDS), sure([0, 1, 1, 1, 0, 0, 2, 2, 0, 2], 3)) == "no yes yes"


def test_a_language_model_decides_between_words_that_sound_alike(tmp_path):
    words = lexicon(tmp_path, "aa bb ab ba")
    heard = output([[0.01, 0.0, 0.5, 0.49], [0.99, 0.0, 0.005, 0.005], [0.01, 0.0, 0.49, 0.5]])
    alone = {"aa": -1.0, "bb": -1.0, "ab": -1.0, "ba": -1.0}
    assert text_of(searched(LETTERS, lexicon=words), heard) == "ab"
    model = write_model(tmp_path / "model.arpa", {**alone, "ba": -0.1}, {"ba ba": -0.1})
    assert text_of(searched(LETTERS, lexicon=words, lm=model), heard) == "ba"


def test_times_are_those_of_the_forced_path_which_for_greedy_texts_is_their_own(tmp_path):
    path = [0, 2, 2, 0, 2, 3, 1, 0, 3, 0]
    words = lexicon(tmp_path, "aab b")
    (greedy,), (beam,) = (each.decode(sure(path)) for each in (LETTERS, searched(LETTERS, lexicon=words)))
    told = [
        objective.finished(each.placed(1.0, STEP_SEC, 0.0)).words
        for objective, each in ((LETTERS, greedy), (searched(LETTERS, lexicon=words), beam))
    ]
    assert told[0] == told[1]
    assert [(word.text, word.start_sec, word.end_sec) for word in told[0]] == [
        ("aab", pytest.approx(1.02), pytest.approx(1.12)),
        ("b", pytest.approx(1.16), pytest.approx(1.18)),
    ]


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 30))
def test_a_forced_path_of_the_likeliest_text_is_the_likeliest_path(seed, steps):
    """Why greedy words need no alignment of their own: their path is the best of all."""
    log_probs = (3.0 * torch.randn(steps, 4, generator=torch.Generator().manual_seed(seed))).log_softmax(1).numpy()
    path = likeliest_path(log_probs)
    places = [run.place for run in runs(log_probs, path)]
    np.testing.assert_array_equal(forced_path(log_probs, places), path)


def test_a_word_is_as_sure_as_its_least_sure_letter(tmp_path):
    heard = output([[0.1, 0.0, 0.9, 0.0], [0.4, 0.0, 0.0, 0.6], [0.3, 0.0, 0.7, 0.0]])
    objective = searched(LETTERS, lexicon=lexicon(tmp_path, "aba"))
    (answer,) = objective.decode(heard)
    assert objective.finished(answer).score == pytest.approx(0.6, abs=1e-3)
    unlikely = searched(LETTERS, lexicon=lexicon(tmp_path, "abb"))
    (answer,) = unlikely.decode(
        output([[0.1, 0.0, 0.9, 0.0], [0.3, 0.0, 0.0, 0.7], [0.8, 0, 0.2, 0], [0, 0, 0.9, 0.1]])
    )
    assert unlikely.finished(answer).score == pytest.approx(0.1, abs=1e-3)


def test_a_word_is_written_as_the_list_writes_it_and_scored_as_it_is_said(tmp_path):
    words = lexicon(tmp_path, "DRY!\tab\nb B\nÉté\tba\nété\tbb")
    model = write_model(tmp_path / "model.arpa", {"dry": -1.0, "b": -1.0, "été": -1.0}, {"dry b": -0.1})
    search = BeamSearch(LETTERS, BeamSettings(lexicon=words, lm=model, lm_weight=0.01))
    assert search.warnings == []
    objective = LETTERS.searched(search)
    for path, text in (([2, 3, 1, 3], "DRY b"), ([3, 2], "Été"), ([3, 0, 3], "Été")):
        assert text_of(objective, sure(path)) == text
    assert objective.scorer([Decoded(text="DRY b")], ["Dry, b"])([0]) == {"wer": 0.0, "cer": 0.0}


@pytest.mark.parametrize("said", ["both", "neither"])
def test_silence_says_nothing(said, tmp_path):
    for objective in (LETTERS, searched(LETTERS), searched(LETTERS, lexicon=lexicon(tmp_path, "a b")), searched(WORDS)):
        num_outputs = objective.num_outputs
        heard = sure([0, 0, 0], num_outputs)
        if said == "neither":
            heard = Output(heard.value, lengths=torch.tensor([0]))
        assert text_of(objective, heard) == ""


def test_a_word_cut_off_by_the_end_of_a_window_is_no_word(tmp_path):
    objective = searched(LETTERS, lexicon=lexicon(tmp_path, "abab b"))
    assert text_of(objective, sure([3, 1, 2, 3])).split()[0] == "b"
    assert set(text_of(objective, sure([3, 1, 2, 3])).split()) <= {"abab", "b"}


def told(*words):
    return tuple(Word(text, start, end, 1.0) for text, start, end in words)


@pytest.mark.parametrize(
    ("earlier", "later", "expected"),
    [
        ([("ab", 8.0, 8.4), ("b", 9.1, 9.4)], [("b", 8.9, 9.4), ("a", 9.6, 9.8)], "ab b a"),  # neither has it in front
        ([("ab", 8.98, 9.4)], [("b", 9.02, 9.4), ("a", 9.41, 9.8)], "ab a"),  # both have it
        ([("abab", 8.5, 9.3)], [("ab", 8.5, 8.8), ("ab", 9.0, 9.3), ("a", 9.5, 9.6)], "abab a"),  # two of one
        ([("ab", 8.5, 8.8), ("a", 11.8, 12.0)], [("ab", 8.5, 8.8), ("b", 9.0, 9.1), ("ab", 11.8, 12.3)], "ab b ab"),
        ([], [("ab", 8.5, 8.8), ("b", 9.5, 9.8)], "b"),
        ([("ab", 8.5, 9.2)], [("b", 9.1, 9.5)], "ab b"),  # they overlap a little
    ],
)
def test_at_a_seam_each_word_is_told_once_and_whole(earlier, later, expected, tmp_path):
    objective = searched(LETTERS, lexicon=lexicon(tmp_path, "a b ab abab"))
    windows = [Decoded(units=told(*earlier)), Decoded(units=told(*later), border_sec=9.0)]
    combined = objective.combine(windows, [12.0, 12.0])
    answer = objective.finished(combined)
    assert answer.text == expected
    assert all(one.end_sec <= other.start_sec < other.end_sec for one, other in itertools.pairwise(answer.words))
    assert objective.combine([combined], [24.0]) == combined


def test_windows_that_hear_alike_tell_what_the_whole_tells(tmp_path):
    generator = torch.Generator().manual_seed(0)
    path = [
        place for _ in range(40) for place in (2, 0, 3, 1, *[0] * int(torch.randint(0, 4, (1,), generator=generator)))
    ]
    objective = searched(LETTERS, lexicon=lexicon(tmp_path, "ab a b aab"))
    (whole,) = objective.decode(sure(path))
    combined = None
    for start in range(0, len(path), 30):
        (window,) = objective.decode(sure(path[start : start + 50]))
        window = window.placed(start * STEP_SEC, STEP_SEC, 20 * STEP_SEC)
        combined = window if combined is None else objective.combine([combined, window], [1.0, 1.0])
    one, other = objective.finished(combined), objective.finished(whole.placed(0.0, STEP_SEC, 0.0))
    assert one.text == other.text
    assert [word.start_sec for word in one.words] == pytest.approx([word.start_sec for word in other.words])


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ({"beam_size": 0}, ["decoding.beam_size=0"]),
        ({"lm_weight": math.nan}, ["decoding.lm_weight=nan"]),
        ({"lexicon": "missing.txt"}, ["decoding.lexicon=", "missing.txt", "No such file", "; name a text of words"]),
        ({"lexicon": "empty.txt"}, ["decoding.lexicon=", "holds no word"]),
        ({"lexicon": "folder"}, ["decoding.lexicon=", "directory"]),
        ({"lexicon": "bytes.txt"}, ["decoding.lexicon=", "UTF-8"]),
        (
            {"lexicon": "foreign.txt"},
            ["decoding.lexicon=", "no word that this bundle can say: of 'zoo' it never learned o, z; it knows a, b"],
        ),
        ({"lm": "model.arpa"}, ["decoding.lm=", "decoding.lexicon"]),
        ({"lexicon": "words.txt", "lm": "missing.arpa"}, ["decoding.lm=", "missing.arpa", "No such file"]),
        ({"lexicon": "words.txt", "lm": "empty.txt"}, ["decoding.lm=", "is no n-gram model", "ARPA"]),
        ({"lexicon": "words.txt", "lm": "words.txt"}, ["decoding.lm=", "is no n-gram model", "ARPA"]),
        ({"lexicon": "words.txt", "lm": "folder"}, ["decoding.lm=", "directory"]),
        ({"lexicon": "words.txt", "lm": "capitals.arpa"}, ["decoding.lm=", "knows none of the words", "small letters"]),
    ],
)
def test_what_cannot_be_used_is_one_line(given, parts, tmp_path, capfd):
    (tmp_path / "folder").mkdir()
    for name, content in (
        ("empty.txt", b"\n \n"),
        ("bytes.txt", b"\xff\xfe\x00"),
        ("foreign.txt", b"zoo"),
        ("words.txt", b"a b"),
    ):
        (tmp_path / name).write_bytes(content)
    write_model(tmp_path / "model.arpa", {"a": -1.0, "b": -1.0}, {"a b": -0.1})
    write_model(tmp_path / "capitals.arpa", {"A": -1.0, "B": -1.0}, {"A B": -0.1})
    full = {key: tmp_path / value if isinstance(value, str) else value for key, value in given.items()}
    with pytest.raises(ArgumentError) as caught:
        searched(LETTERS, **full)
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)
    assert capfd.readouterr().err == ""


def test_what_is_left_out_is_told_once(tmp_path, capfd):
    words = lexicon(tmp_path, "a b zoo ab quay")
    model = write_model(tmp_path / "model.arpa", {"a": -1.0, "b": -1.0}, {"a b": -0.1})
    search = BeamSearch(LETTERS, BeamSettings(lexicon=words, lm=model))
    left_out, unknown = search.warnings
    assert "2 of 5 words are left out: the bundle never learned o, q, u, y, z" in left_out
    assert "1 of 3 words are unknown to it" in unknown
    assert capfd.readouterr().err == ""
    told = LETTERS.searched(search).decoding
    assert told["name"] == "beam"
    assert len(told["lexicon_sha256"]) == len(told["lm_sha256"]) == 64
    assert LETTERS.decoding == {"name": "greedy"}


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setattr("avpipe.objectives.beam.find_spec", lambda name: None)
    with pytest.raises(ArgumentError, match=r"avpipe\[lm\]"):
        BeamSearch(LETTERS, BeamSettings())
