"""Scores of a bundle on a corpus: what is told of transcripts that cannot be written."""

import pytest

from avpipe.bundle import load_bundle
from avpipe.corpora import Manifest
from avpipe.inference.evaluate import evaluate
from avpipe.inference.scores import FEW_GROUPS, few_groups
from avpipe.media import write_audio
from tests.synthetic import noise
from tests.tiny import save_transcriber_bundle


def told(tmp_path, capsys, *texts):
    bundle = load_bundle(save_transcriber_bundle(tmp_path / "speech"))
    for place in range(len(texts)):
        write_audio(tmp_path / f"{place}.wav", noise(0.5, rate_hz=8000, seed=place), 8000)
    rows = [f"{place}.wav,{text}" for place, text in enumerate(texts)]
    (tmp_path / "list.csv").write_text("\n".join(["path,text", *rows]), encoding="utf-8")
    corpus = Manifest(tmp_path / "list.csv")
    evaluate(bundle, corpus, corpus.examples(), 4, 0)
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning")]


def test_transcripts_that_cannot_be_written_are_told_with_an_example(tmp_path, capsys):
    assert told(tmp_path, capsys, "ab", "A b!", "żab", "ab oo") == [
        "warning: 2 of 4 transcripts hold what speech cannot write, such as 'ż' in 'żab': it counts as errors"
    ]


def test_transcripts_that_can_be_written_are_not_told_of(tmp_path, capsys):
    assert told(tmp_path, capsys, "ab", "A b!") == []


@pytest.mark.parametrize(
    ("number", "said"), [(1, "one group"), (3, "3 groups only"), (FEW_GROUPS - 1, "groups only"), (FEW_GROUPS, "")]
)
def test_intervals_of_few_groups_come_with_a_word(number, said):
    lines = few_groups({"num_groups": number})
    assert (said in lines[0]) if said else not lines


@pytest.mark.parametrize(
    ("number", "ungrouped", "said"),
    [(5, 5, "on 5 examples without a group only"), (5, 3, "on 2 groups and 3 examples without a group only")],
)
def test_examples_without_a_group_are_told_as_such(number, ungrouped, said):
    assert said in few_groups({"num_groups": number, "num_ungrouped": ungrouped})[0]
