"""avpipe predict: label a file, a list of files, or every media file of a tree

usage: avpipe predict bundle=BUNDLE [input=]PATH [output=]DIR [key=value ...]

Writes predictions.jsonl, predictions.csv, summary.json and report.html into DIR, and keeps a journal there: the same
command again answers only what is missing or has changed.

  bundle       a folder, the name of one that ships (avpipe list; left out: digits), or several from one decode:
               bundle=[run/bundle,digits]
  input        a media file, a .txt list of paths (one a line), or a folder
  output       a folder
  format       [jsonl,csv]; of transcripts also srt, vtt, txt: a file beside the name of each recording
  batch_size   windows a batch
  workers      decoding processes, auto or a number
  device       auto, cpu, cuda, mps

exit status: 0 every file was answered, 1 some could not be read (their rows say why), 2 unusable arguments
example: avpipe predict bundle=digits input=recordings output=answers
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import avpipe
from avpipe.bundle import find_bundle, load_bundle
from avpipe.cli.command import run
from avpipe.device import choose_device, worker_count
from avpipe.errors import ArgumentError
from avpipe.files import write_text
from avpipe.inference import Predictor, tell_notices
from avpipe.inference.formats import writers
from avpipe.inference.inputs import find_jobs
from avpipe.inference.journal import Journal
from avpipe.inference.summary import print_summary, summarise
from avpipe.objectives import Enhancement
from avpipe.progress import counted
from avpipe.report import write_prediction_report


def main(config: Mapping[str, Any]) -> int:
    formats = writers(config["format"] if isinstance(config["format"], list) else [config["format"]])
    names = config["bundle"] if isinstance(config["bundle"], list) else [config["bundle"]]
    device = choose_device(config["device"]["name"])
    jobs = find_jobs(Path(config["input"]))
    bundles = [load_bundle(find_bundle(name), device) for name in names]
    for bundle in bundles:
        if isinstance(bundle.objective, Enhancement):
            raise ArgumentError(f"bundle={bundle.name}", "filters sound and labels nothing", "use avpipe denoise")
    tell_notices(bundles)
    predictor = Predictor(bundles, config["batch_size"], min(worker_count(config["workers"]), len(jobs) - 1))
    output = Path(config["output"])
    if output.exists() and not output.is_dir():
        raise ArgumentError(f"output={output}", "is a file", "name a folder")
    settings = {
        "avpipe_version": avpipe.__version__,
        "bundles": {bundle.name: bundle.digest for bundle in bundles},
        "batch_size": config["batch_size"],
    }
    with Journal(output, settings) as journal:
        summary = predictor.run(counted(journal.pending(jobs), len(jobs), "files"), journal)
        for write in formats:
            write(output, journal.records(jobs))
        totals = summarise(journal.records(jobs), settings)
        write_prediction_report(output / "report.html", journal.records(jobs), Path(config["input"]), totals)
    write_text(output / "summary.json", json.dumps(totals, indent=2, ensure_ascii=False) + "\n")
    print_summary(totals, len(jobs) - sum(summary.statuses.values()), output)
    return 1 if totals["statuses"].get("error") else 0


if __name__ == "__main__":
    sys.exit(run("predict", main, positional=("input", "output")))
