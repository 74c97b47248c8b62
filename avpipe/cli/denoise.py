"""avpipe denoise: take the noise out of recordings and films

usage: avpipe denoise [input=]PATH [output=]PATH [key=value ...]

Every file comes back under its own name and in its own format, aligned in time and as long as it was: each of its
sounds is filtered, everything else (picture, subtitles, chapters, titles) is copied bit for bit. Files that have no
noise to take out, or no sound, are copied whole.

A file goes to a file, or into a folder that exists or is named with a slash behind, and a line tells what was done. A
folder goes to a folder of the same tree, which then also holds denoise.jsonl (a row a file) and report.html, and a
hidden journal: the same command again does only what is missing or has changed.

  input               a media file, a .txt list of paths (one a line), or a folder
  output              a file or folder/ for a file, a folder for everything else; never the input itself
  bundle              a folder, or the name of one that ships (left out: denoise)
  strength            from 0, which copies, to 1, which filters in full
  max_attenuation_db  noise is lowered by no more than this: null, or decibels
  keep_level          true: speech comes out as loud as it went in, by one gain for the whole sound
  clean_above_db      files whose speech lies so far above their noise are copied; null filters them too
  audio_codec         for sounds whose own codec cannot be written, such as aac, flac, opus
  overwrite           true: whatever stands at the output may be replaced
  report              auto, false, or the path of the page (auto: none for a single file)
  timeout_sec         in a folder: of a file of which nothing comes for so long the row is an error (null: no limit;
                      there is none with workers=0)
  max_memory_mb       in a folder: of a file that takes more memory the row is an error (null: no limit; as above)
  workers             processes, auto or a number
  runtime             torch; onnx (pip install "avpipe[onnx]"): the same sound, sooner, and no torch is loaded; the
                      bundle is exported for it once. auto: onnx where that was done, or bundle=STEP.onnx
  device              cpu, auto, cuda, mps

exit status: 0 every file was done, 1 some could not be (their rows say why), 2 unusable arguments
example: avpipe denoise recordings clean
"""

import dataclasses
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import avpipe
from avpipe.cli.command import run
from avpipe.inference.denoise import (
    Cleaner,
    DenoiseSettings,
    Job,
    OutputJournal,
    clean_file,
    clean_files,
    find_jobs,
    is_single,
    load_denoiser,
    num_processes,
)
from avpipe.inference.denoise.results import duration_of, page_path, print_row, print_totals, totals_of, write_rows
from avpipe.inference.workers import Limits
from avpipe.progress import SoundProgress


def main(config: Mapping[str, Any]) -> int:
    given, output = Path(config["input"]), Path(str(config["output"]))
    settings = DenoiseSettings(**{name: config[name] for name in DenoiseSettings.__slots__})
    jobs = find_jobs(given, str(config["output"]))
    page = page_path(config["report"], None if is_single(given) else output / "report.html")
    workers = num_processes(config["workers"], config["device"]["name"], len(jobs))
    limits = Limits(config["timeout_sec"], config["max_memory_mb"])
    denoiser, digest = load_denoiser(config["bundle"], settings, config["device"]["name"], config["runtime"])
    cleaner = Cleaner(denoiser, settings)
    told = {"avpipe_version": avpipe.__version__, "bundle": digest, **dataclasses.asdict(settings)}
    if is_single(given):
        return _one(jobs[0], cleaner, config["overwrite"], page, told)
    with OutputJournal(output, told) as journal:
        with SoundProgress(len(jobs)) as progress:
            statuses = clean_files(jobs, journal, cleaner, workers, config["overwrite"], progress, limits)
        write_rows(output / "denoise.jsonl", journal.records(jobs))
        totals = totals_of(journal.records(jobs), told)
        if page is not None:
            _write_page(page, journal.records(jobs), jobs, output, totals)
        print_totals(totals, journal.records(jobs), len(jobs) - statuses.total(), output)
    return 1 if totals["statuses"].get("error") else 0


def _one(job: Job, cleaner: Cleaner, overwrite: bool, page: Path | None, told: Mapping[str, Any]) -> int:
    """Clean a single file and tell what was done."""
    with SoundProgress(1, duration_of(job.path)) as progress:
        record = clean_file(job, cleaner, overwrite, progress).to_record()
    if record["status"] == "error":
        print(f"avpipe: {record['reason']}", file=sys.stderr)
        return 1
    print_row(record)
    if page is not None:
        _write_page(page, [record], [job], Path(), totals_of([record], told))
    return 0


def _write_page(
    page: Path, records: Iterable[Mapping[str, Any]], jobs: list[Job], output: Path, totals: Mapping[str, Any]
) -> None:
    from avpipe.report import write_denoise_report  # matplotlib takes its time to load, and not all want a page

    write_denoise_report(page, records, {job.name: job.path for job in jobs}, output, totals)


if __name__ == "__main__":
    sys.exit(run("denoise", main, positional=("input", "output")))
