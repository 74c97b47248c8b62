"""The shipped bundle of fights holds what its card says."""

import json

import pytest

from avpipe import load
from avpipe.corpora import Fights
from avpipe.media import write_video
from tests.cli.test_commands import avpipe
from tests.inference.test_odd_films import pictures


@pytest.mark.corpora
@pytest.mark.slow
def test_it_tells_fights_from_the_rest_in_films_that_it_knows():
    """All films here were learned from, so this holds the weights and the way to them, and no figure for new films."""
    action = load("action_fights")
    examples = [example for example in Fights().scan() if example.group][::6]
    said = {example: action(example.path).tasks["action_fights"] for example in examples}
    labels = {example.target for example in examples}
    right = {
        label: [
            max(answer.scores, key=answer.scores.get) == label for one, answer in said.items() if one.target == label
        ]
        for label in labels
    }
    assert sum(sum(each) / len(each) for each in right.values()) / len(labels) > 0.75


def test_a_film_becomes_a_timeline(tmp_path):
    write_video(tmp_path / "in" / "long.mp4", pictures(150, 96, 128))
    status, _, _ = avpipe(
        "predict", "bundle=action_fights", f"input={tmp_path / 'in'}", f"output={tmp_path / 'out'}", "device=cpu"
    )
    row = json.loads((tmp_path / "out" / "predictions.jsonl").read_text(encoding="utf-8"))
    windows = row["tasks"]["action_fights"]["windows"]
    assert status == 0
    assert [window["start_sec"] for window in windows][:4] == pytest.approx([0.0, 0.8, 1.6, 2.4])
    assert windows[-1]["end_sec"] == pytest.approx(6.0, abs=0.05)
    assert {window["label"] for window in windows} <= {"fight", "noFight", "unknown"}
