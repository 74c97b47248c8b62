"""The shipped bundle and the commands on real recordings."""

import json

import pytest

from avpipe.bundle import find_bundle, load_bundle
from avpipe.corpora import Fsdd, make_split
from avpipe.inference import Job, Predictor
from avpipe.inference.evaluate import evaluate
from tests.cli.test_commands import avpipe
from tests.tiny import VIDEO, save_tiny_bundle

pytestmark = pytest.mark.corpora


def test_the_digits_bundle_has_the_score_of_its_card(corpora):
    bundle = load_bundle(find_bundle("digits"))
    corpus = Fsdd(corpora / "fsdd")
    split = make_split(corpus, **bundle.origin.split)
    assert split.sha256 == bundle.origin.split_sha256
    scores = evaluate(bundle, corpus, split.test, batch_size=16, workers=0)
    assert len(scores.answers) == 300
    # The card may be older than a metric.
    card = {name: value for name, value in bundle.origin.metrics.items() if name in scores.metrics}
    assert {"accuracy", "uar"} <= set(card)
    assert {name: scores.metrics[name] for name in card} == pytest.approx(card, abs=1e-3)
    assert scores.metrics["uar"] >= 0.985


def test_every_difficult_file_is_answered_or_explained(corpora, tmp_path):
    colours = save_tiny_bundle(tmp_path / "colours", VIDEO)
    status, _, _ = avpipe("predict", f"bundle=[digits,{colours}]", corpora / "odd_media", tmp_path / "out")
    lines = (tmp_path / "out" / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    assert status == 0
    assert len(records) == 24
    for record in records:
        assert record["status"] in ("ok", "partial"), record
        assert record["tasks"], record
        assert len(record["tasks"]) == 2 or record["reason"], record


def test_opus_files_that_libsndfile_refuses_are_read_whole(corpora):
    predictor = Predictor([load_bundle(find_bundle("digits"))])
    names = ["001 - Dog bark", "002 - Rain"]
    paths = [path for name in names for path in sorted((corpora / "esc10" / name).iterdir())[:8]]

    class Statuses(list[tuple[str, float]]):
        def add(self, prediction):
            self.append((prediction.status, prediction.coverage.lost_sec))

    statuses = Statuses()
    predictor.run([Job(path.name, path) for path in paths], statuses)
    assert set(statuses) == {("ok", 0.0)}
