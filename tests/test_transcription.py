"""Transcription: folding, its loss, its paths, windows that overlap, its metrics."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from avpipe.answers import Decoded, plain_text
from avpipe.inference import load
from avpipe.media import write_audio
from avpipe.networks import Output, ResidualEncoder2d, SequenceNetwork, TimeConvEncoder
from avpipe.objectives import Batch, Transcription, WordTranscription
from tests.tiny import save_transcriber_bundle

LETTERS = Transcription([" ", "a", "b"])
STEP_SEC = 0.02


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("  Hello,   World! ", "hello world"),
        ("Don\N{RIGHT SINGLE QUOTATION MARK}t 'quote' me", "don't quote me"),
        ("Zażółć gęślą jaźń…", "zażółć gęślą jaźń"),
        ("za\u0307", "zȧ"),
        ("„Cytat” – 3,5 %", "cytat 3 5"),
        ("...", ""),
    ],
)
def test_transcripts_are_folded(text, plain):
    assert plain_text(text) == plain
    assert plain_text(plain) == plain


def test_units_come_from_the_transcripts():
    assert Transcription.vocabulary(["Ba b!", "a"]) == {"units": [" ", "a", "b"]}
    assert WordTranscription.vocabulary(["yes no", "No"]) == {"units": ["no", "yes"]}
    assert LETTERS.num_outputs == 4
    assert LETTERS.encode("B a, z").tolist() == [3, 1, 2, 1]
    assert WordTranscription(["no", "yes"]).encode("yes perhaps no").tolist() == [2, 1]
    for units in ([], ["a", "a"]):
        with pytest.raises(ValueError, match="units"):
            Transcription(units)


def output(paths, steps=None):
    """Nearly sure of these outputs, step by step."""
    value = 9.0 * torch.nn.functional.one_hot(torch.tensor(paths), 4).float()
    return Output(value, lengths=torch.tensor(steps or [value.shape[1]] * len(value)))


def said(paths, objective=LETTERS, steps=None):
    return [objective.finished(each.placed(0.0, STEP_SEC, 0.0)) for each in objective.decode(output(paths, steps))]


def test_a_path_becomes_words_with_their_times():
    (answer,) = said([[0, 2, 2, 0, 2, 3, 1, 0, 3, 0]])
    assert answer.text == "aab b"
    assert [word.text for word in answer.words] == ["aab", "b"]
    assert [(word.start_sec, word.end_sec) for word in answer.words] == [
        (pytest.approx(0.02), pytest.approx(0.12)),
        (pytest.approx(0.16), pytest.approx(0.18)),
    ]
    assert answer.score == pytest.approx(1.0, abs=0.01)
    assert all(0.9 < word.score <= 1.0 for word in answer.words)
    assert said([[0, 2, 3, 3]], steps=[2])[0].text == "a"
    assert said([[0, 0, 1, 0]])[0] == Decoded(text="")
    words = WordTranscription(["no", "yes", "perhaps"])
    assert said([[1, 0, 1, 2]], words)[0].text == "no no yes"


def test_loss_is_that_of_ctc_by_the_number_of_units():
    generator = torch.Generator().manual_seed(0)
    value = torch.randn(3, 12, 4, generator=generator)
    targets = torch.tensor([[2, 3, 1, -1], [2, -1, -1, -1], [-1, -1, -1, -1]])
    heard = Output(value, lengths=torch.tensor([12, 9, 12]))
    loss = LETTERS.loss(heard, Batch({}, {}, targets))
    paths = value.log_softmax(2).transpose(0, 1)
    expected = torch.nn.functional.ctc_loss(
        paths, targets.clamp_min(0), heard.lengths, torch.tensor([3, 1, 0]), reduction="none"
    )
    torch.testing.assert_close(loss, (expected / torch.tensor([3.0, 1.0, 1.0])).mean())
    mixed = Batch({}, {}, targets, partner_targets=targets, partner_weight=torch.tensor([0.3, 0.5, 0.0]))
    torch.testing.assert_close(LETTERS.loss(heard, mixed), loss)


def test_what_is_too_long_for_its_steps_costs_nothing():
    value = torch.zeros(1, 4, 4, requires_grad=True)
    heard = Output(value, lengths=torch.tensor([4]))
    targets = LETTERS.encode("aaa")[None]
    assert LETTERS.least_steps(targets[0]) == 5
    loss = LETTERS.loss(heard, Batch({}, {}, targets))
    loss.backward()
    assert loss == 0
    assert value.grad.abs().max() == 0


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(3, 20), st.integers(1, 4))
def test_windows_that_overlap_tell_what_the_whole_tells(path, hop, margin):
    """Whatever stands at a border: each unit counts once."""
    whole = said([path])[0]
    combined = None
    for start in range(0, len(path), hop):
        stretch = path[start : start + hop + 2 * margin]
        (window,) = LETTERS.decode(output([stretch]))
        window = window.placed(start * STEP_SEC, STEP_SEC, 2 * margin * STEP_SEC)
        combined = window if combined is None else LETTERS.combine([combined, window], [1.0, 1.0])
    answer = LETTERS.finished(combined)
    assert answer.text == whole.text
    assert [word.start_sec for word in answer.words] == pytest.approx([word.start_sec for word in whole.words])


def test_rates_count_edits_over_all_recordings():
    answers = [Decoded(text="one two three"), Decoded(text="")]
    targets = ["One, too three.", "four"]
    metrics = LETTERS.metrics()
    LETTERS.update(metrics, answers, targets)
    rates = {name: float(value) for name, value in metrics.compute().items()}
    assert rates["wer"] == pytest.approx(2 / 4)
    assert LETTERS.scorer(answers, targets)([0, 1]) == pytest.approx(rates)
    assert LETTERS.scorer(answers, targets)([1, 1])["wer"] == 1.0
    assert LETTERS.tables(answers, targets) == {
        "errors": [["true", "said", "count"], ["too", "two", 1], ["four", "", 1]]
    }


def test_a_step_sees_no_further_than_it_says():
    encoder = TimeConvEncoder(ResidualEncoder2d([4, 8], bands=2, time_halvings=1), 8, [3, 5], dropout=0.0)
    network = SequenceNetwork({"audio": encoder}, 3).eval()
    features = torch.randn(1, 1, 16, 200, generator=torch.Generator().manual_seed(0))
    changed = features.clone()
    changed[..., 100:] += 1.0
    lengths = {"audio": torch.tensor([200])}
    one, other = (network({"audio": each}, lengths).value for each in (features, changed))
    moved = (one != other).any(2)[0].nonzero()[0].item()
    assert 50 - encoder.context_steps - 3 <= moved < 50
    with pytest.raises(ValueError, match="odd"):
        TimeConvEncoder(ResidualEncoder2d([4, 8]), 8, [4])
    with pytest.raises(ValueError, match="one sense"):
        SequenceNetwork({}, 3)


def test_padding_changes_nothing():
    encoder = TimeConvEncoder(ResidualEncoder2d([4, 8], bands=2, time_halvings=1), 8, [3, 5])
    network = SequenceNetwork({"audio": encoder}, 3).eval()
    features = torch.randn(1, 1, 16, 99, generator=torch.Generator().manual_seed(0))
    alone = network({"audio": features}, {"audio": torch.tensor([99])})
    padded = network({"audio": torch.nn.functional.pad(features, (0, 61))}, {"audio": torch.tensor([99])})
    assert alone.lengths.item() == padded.lengths.item() == 50
    torch.testing.assert_close(alone.value, padded.value[:, :50], rtol=0, atol=1e-5)


def test_a_long_recording_is_written_down_alike_wherever_it_is_cut(tmp_path):
    rate = 8000
    generator = np.random.default_rng(0)
    tones = np.repeat(generator.uniform(200, 3000, 80), rate // 8)
    sound = 0.3 * np.sin(2 * np.pi * np.cumsum(tones) / rate) + 0.02 * generator.standard_normal(len(tones))
    path = tmp_path / "long.wav"
    write_audio(path, sound[None].astype(np.float32), rate)
    answers = []
    for hop_sec in (1.0, 2.0, 4.0, 20.0):
        predictor = load(save_transcriber_bundle(tmp_path / f"hop{hop_sec:.0f}", hop_sec))
        (answer,) = predictor(path).tasks.values()
        answers.append(answer)
    assert len(answers[0].text) > 30
    assert {answer.text for answer in answers} == {answers[-1].text}
    for answer in answers:
        assert [word.start_sec for word in answer.words] == pytest.approx([w.start_sec for w in answers[-1].words])
        assert answer.windows == ()
        assert answer.label is None
