"""avpipe train: learn a task from a corpus

usage: avpipe train task=TASK corpus=CORPUS corpus.root=DIR [run_dir=DIR] [device=auto|cpu|cuda|mps] [seed=0]
                    [trainer.max_epochs=N] [encoder=NAME] [key=value ...] [--config-dir DIR]

Writes run_dir/bundle (for predict and evaluate), metrics.json (scores on the test part), split.csv, confusion.csv,
logs/ and checkpoints/. The same command again goes on where it was stopped.

  task          emotion, digits (where it is left out), speaker_id, sound_event, action, or a YAML of yours
  corpus        folders (class folders), manifest (CSV or JSONL), or a corpus by name (avpipe list)
  corpus.root   its folder; where it is left out, $AVPIPE_CORPORA/<corpus>
  split.by      auto (official, else group), official, group, random
  data          data.batch_size, data.workers
  optim         optim.lr, optim.weight_decay, optim.warm_up_fraction
  augment       mel, words, frames, none
  ema_decay     of the running mean of weights that is validated and kept; 0: none
  select        epoch that becomes the bundle: last or best
  --config-dir  a folder of your own YAML files, laid out as conf/ is

example: avpipe train task=sound_event corpus=folders corpus.root=~/sounds trainer.max_epochs=20
"""

import sys
from collections.abc import Mapping
from typing import Any

from avpipe.bundle import load_bundle, record_metrics
from avpipe.cli.command import run
from avpipe.device import choose_device, worker_count
from avpipe.inference.evaluate import evaluate
from avpipe.inference.scores import print_scores, write_scores
from avpipe.training import train


def main(config: Mapping[str, Any]) -> int:
    trained = train(config)
    output = trained.folder / "metrics.json"
    if not output.is_file():
        part = "test" if trained.split.test else "val"
        bundle = load_bundle(trained.bundle, choose_device(config["device"]["name"]))
        scores = evaluate(bundle, getattr(trained.split, part), workers=worker_count(config["data"]["workers"]))
        record_metrics(trained.bundle, scores.metrics)
        write_scores(output, bundle.origin, trained.split, part, trained.corpus.name, scores)
    print_scores(output)
    print(f"bundle: {trained.bundle}")
    return 0


if __name__ == "__main__":
    sys.exit(run("train", main))
