"""avpipe pack: a corpus in few large files, to train from

usage: avpipe pack task=TASK corpus=CORPUS [corpus.root=DIR] [split.by=auto] [shard_mb=1000] output=DIR

Writes tar files in the layout of WebDataset, and index.json; a drive or a network serves these faster than many small
files. Then avpipe train task=TASK corpus=shards corpus.root=DIR trains as it would from the corpus: the same split, by
its hash, and the same scores.

  task, corpus, split
                as for avpipe train: what is learned, from which recordings, on which sides
  shard_mb      megabytes after which another tar begins
  output        a new folder, or one packed before, which is replaced

example: avpipe pack task=digits corpus=fsdd output=shards
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from avpipe.cli.command import run
from avpipe.config import instantiate
from avpipe.corpora import SIDES, Corpus, make_split, write_shards
from avpipe.errors import ArgumentError


def main(config: Mapping[str, Any]) -> int:
    if config["output"] is None:
        raise ArgumentError("output", "is not given", "give output=DIR, a new folder")
    megabytes = config["shard_mb"]
    if not isinstance(megabytes, int | float) or not megabytes > 0:
        raise ArgumentError(f"shard_mb={megabytes}", "is no size", "give a number above 0")
    corpus: Corpus = instantiate(config["corpus"])
    split = make_split(corpus, **config["split"])
    for warning in split.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    folder = Path(config["output"])
    number = write_shards(corpus, split, config["task"]["label"], folder, round(megabytes * 1e6))
    sides = ", ".join(f"{len(getattr(split, side))} {side}" for side in SIDES)
    print(f"{number} shards of {corpus.name}: {sides}; split {split.sha256[:12]}")
    print(f"shards: {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(run("pack", main))
