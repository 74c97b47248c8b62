"""avpipe evaluate: a bundle's scores on a corpus

usage: avpipe evaluate bundle=BUNDLE corpus=CORPUS corpus.root=DIR [split=test] [output=metrics.json]

  bundle       a folder, or the name of one that ships (avpipe list)
  corpus       folders, manifest, or a corpus by name; split as it was for the bundle's training
  split        test, val, train; or all: every recording, also those that the bundle has learned from
  output       metrics.json; tables such as confusion.csv are written beside it
  decoding     of transcripts: greedy (where it is left out), or beam (pip install "avpipe[lm]"), a search with
               decoding.lexicon=FILE (a text: its words may be said, and no others; a line with a tab is a word and how
               it is spelled), decoding.lm=FILE (a model of words, ARPA or KenLM), decoding.lm_weight=2,
               decoding.word_score=0, decoding.beam_size=50
  explain      true: report.html also shows what spoke for the answers, on frames or on the spectrogram, of four of the
               most confident wrong answers and of four right ones; a number: of so many (pip install "avpipe[explain]")
  batch_size   windows a batch
  workers      decoding processes, auto or a number
  device       auto, cpu, cuda (in bfloat16; device.precision=32-true: as on a processor), mps; device.compile=true:
               what torch.compile makes of the network, which pays where many hours are labelled
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from avpipe.cli.command import run
from avpipe.config import instantiate
from avpipe.corpora import SIDES, Corpus, scored_split
from avpipe.device import worker_count
from avpipe.errors import ArgumentError
from avpipe.inference import tell_notices
from avpipe.inference.computing import load_for
from avpipe.inference.evaluate import evaluate
from avpipe.inference.grad_cam import count_explained
from avpipe.inference.pages import write_evaluation_page
from avpipe.inference.scores import print_scores, write_scores
from avpipe.inference.search import beam_settings, searching


def main(config: Mapping[str, Any]) -> int:
    part = config["split"]
    if part not in (*SIDES, "all"):
        raise ArgumentError(f"split={part}", "no such part", f"choose from: {', '.join(SIDES)}, all")
    bundle = load_for(config["bundle"], config["device"])
    tell_notices([bundle])
    (bundle,) = searching([bundle], beam_settings(config["decoding"]))
    num_explained = count_explained(config["explain"], bundle)
    spec = config["corpus"]
    if spec.get("label", "") is None:
        spec = {**spec, "label": bundle.origin.label}
    corpus: Corpus = instantiate(spec)
    for note in corpus.notes:
        print(f"warning: {note}", file=sys.stderr)
    split = scored_split(corpus, bundle.origin.split, part, learned=bundle.origin.corpus)
    examples = getattr(split, "test" if part == "all" else part)
    if not examples:
        raise ArgumentError(f"split={part}", f"the corpus {corpus.name} has no such part", "choose another")
    scores = evaluate(bundle, corpus, examples, config["batch_size"], worker_count(config["workers"]))
    output = Path(config["output"])
    write_scores(output, bundle.origin, split, part, corpus.name, scores)
    write_evaluation_page(output, bundle, config, num_explained)
    print_scores(output)
    return 0


if __name__ == "__main__":
    sys.exit(run("evaluate", main))
