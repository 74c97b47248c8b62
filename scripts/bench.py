r"""Every job beside what one would use instead, and beside what is possible: one table.

    export THP_MEM_ALLOC_ENABLE=1 GOMP_SPINCOUNT=1000    # as avpipe does for itself
    PYTHONPATH=.scratch/peers AVPIPE_CORPORA=DIR python -m scripts.bench OUTPUT [GROUP ...]
    python -m scripts.bench OUTPUT --readme      # puts the table of OUTPUT into README.md

Groups: media, features, training, predict, denoise, export, start-up; where none is named, all. Each row is of one run,
in which avpipe, its peers and the bound take turns, and has medians over the repeats. OUTPUT is a folder:
``bench.json`` keeps the rows, and those of a group that is measured again replace its old ones; ``bench.md`` is the
table. Measure on a machine that does nothing else (``uptime``).

A ratio is the seconds of a peer by ours: above 1 avpipe is faster. The bound is what the job cannot do without, done
alone: its decoder; its multiply-adds as fast as this machine multiplies matrices; its reading or writing. The share is
the bound by our seconds.

Peers are no part of the package (one that is absent is told as "not installed"):

    pip install --target .scratch/peers --no-deps opencv-python-headless 'torchcodec==0.11.*' scenedetect==0.7 \
        transformers tokenizers regex huggingface-hub speechbrain hyperpyyaml 'ruamel.yaml<0.19' \
        'noisereduce==3.0.*' 'pyrnnoise==0.4.*'
    apt-get install ffmpeg       # torchcodec loads its libraries, and transformers runs it
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from avpipe.files import write_text
from scripts.measure import OURS, Bound, Row, at_the_matrix_peak, duration, medians, multiply_adds

README = Path(__file__).resolve().parents[1] / "README.md"
OF_AVPIPE = ("THP_MEM_ALLOC_ENABLE", "GOMP_SPINCOUNT")
"""What the command sets for itself."""
_FEW_SUMS = 1e6
"""Multiply-adds of a network that does something else: a rule on means and maxima."""
BEGIN, END = "<!-- bench: begin (python -m scripts.bench OUTPUT --readme) -->", "<!-- bench: end -->"


def media(small: bool) -> Iterator[Row]:
    import torch

    from scripts import bench_media, bench_video

    bench_media.CACHE.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    repeats = 1 if small else 7
    for bench in (bench_media.bench_wav, bench_media.bench_opus, bench_media.bench_film):
        yield bench(repeats)
    yield from bench_video.bench_batches(repeats)


def features(small: bool) -> Iterator[Row]:
    import torch

    from scripts import bench_media

    torch.set_num_threads(1)  # as in a worker process, one of several
    for bench in (bench_media.bench_log_mel, bench_media.bench_frames):
        yield bench(1 if small else 15)


def training(small: bool) -> Iterator[Row]:
    from scripts.bench_training import cached, from_media

    rounds = 1 if small else 3
    for task, corpus in (("emotion", "ravdess"), ("action", "fights")):
        yield cached(task, corpus, 4, rounds)
        yield from_media(task, corpus, 3, rounds)


def predict(small: bool) -> Iterator[Row]:
    from scripts import bench_folder, bench_one_decode, bench_scenes

    with bench_folder.folders(10 if small else 500) as root:
        yield from bench_folder.bench_folder("emotion", root, 1 if small else 3)
    yield bench_scenes.bench_speed(0.1 if small else 1.0)
    yield bench_one_decode.bench_films(1 if small else 3, 5 if small else 30, 1 if small else 3)


def denoise(small: bool) -> Iterator[Row]:
    from scripts.bench_denoise import bench_speed

    yield from bench_speed(1 if small else 5)


def export(small: bool) -> Iterator[Row]:
    """A full window through the network of each bundle, on one thread."""
    from scripts import bench_onnx

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "told.json"
        command = [sys.executable, "-m", "scripts.bench_onnx", str(path), "--rounds", "1" if small else "5"]
        # As torch comes: without what the command avpipe asks for.
        plain = {name: value for name, value in os.environ.items() if name not in OF_AVPIPE}
        subprocess.run(command, check=True, env=plain)
        told = json.loads(path.read_text(encoding="utf-8"))
    for name, milliseconds in told.items():
        sums = multiply_adds(bench_onnx.job_of("eager", name, Path()))
        what, product, times = at_the_matrix_peak(sums)
        bound = Bound(what, medians({what: product})[what] * times) if sums > _FEW_SUMS else None
        kinds = {OURS: "onnx", "eager torch": "eager", "the same that keeps freed memory, as avpipe does": "kept"}
        took = {who: 1e-3 * milliseconds[kind] for who, kind in kinds.items()}
        yield Row("export", f"network of {name} under onnxruntime, one thread", took, bound)


def start_up(small: bool) -> Iterator[Row]:
    from scripts.bench_start import bench_starts

    yield from bench_starts(1 if small else 7)


GROUPS: dict[str, Callable[[bool], Iterator[Row]]] = {
    "media": media,
    "features": features,
    "training": training,
    "predict": predict,
    "denoise": denoise,
    "export": export,
    "start-up": start_up,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the groups, or put the table into the README; 2 where that lacks its place."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("groups", nargs="*", metavar="GROUP")
    parser.add_argument("--readme", action="store_true", help="put the table into README.md, and measure nothing")
    parser.add_argument("--small", action="store_true", help="once, and little of it: to see whether it runs")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.groups) - set(GROUPS):
        parser.error(f"no such group: {', '.join(sorted(unknown))}; choose from: {', '.join(GROUPS)}")
    if asked.readme:
        return put_into(README, table(read(asked.output)))
    for name in asked.groups or GROUPS:
        rows = []
        for row in GROUPS[name](asked.small):
            print(row, flush=True)
            rows.append(row)
        if rows:
            keep(asked.output, name, rows)
    return 0


def keep(output: Path, group: str, rows: Sequence[Row]) -> None:
    """Write the rows of a group in place of those that it had."""
    told = read(output)
    told["groups"][group] = {"measured": measured_on(), "rows": [asdict(row) for row in rows]}
    write_text(output / "bench.json", json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    write_text(output / "bench.md", table(told))


def read(output: Path) -> dict[str, Any]:
    """What was measured before."""
    path = output / "bench.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {"groups": {}}


def measured_on() -> dict[str, Any]:
    """When and where, and how busy the machine was after it."""
    import torch

    return {
        "date": time.strftime("%Y-%m-%d"),
        "cores": len(os.sched_getaffinity(0)),
        "machine": platform.machine(),
        "torch": torch.__version__,
        "load_1_min": round(os.getloadavg()[0], 2),
    }


def row_of(told: dict[str, Any]) -> Row:
    bound = Bound(**told["bound"]) if told["bound"] else None
    return Row(**{**told, "bound": bound, "absent": tuple(told["absent"])})


def table(told: dict[str, Any]) -> str:
    """All rows as Markdown, by group."""
    lines = ["| | job | avpipe | ratio: beside | possible | reached |", "|---|---|---:|---|---|---:|"]
    notes = []
    for name in GROUPS:
        for place, row in enumerate(map(row_of, told["groups"].get(name, {"rows": []})["rows"])):
            ranked = sorted(row.ratios.items(), key=lambda each: each[1])
            beside = [f"{'**' * (not index)}{ratio:.2f}x{'**' * (not index)} {peer} ({duration(row.took_sec[peer])})"
                      for index, (peer, ratio) in enumerate(ranked)]  # fmt: skip
            beside += [f"{peer}: not installed" for peer in row.absent]
            possible = f"{duration(row.bound.sec)}: {row.bound.what}" if row.bound else ""
            reached = f"{row.share:.0%}" if row.share is not None else ""
            mark = ""
            if row.note:
                notes += [] if row.note in notes else [row.note]
                mark = f" ({notes.index(row.note) + 1})"
            cells = [name if not place else "", row.job + mark, duration(row.took_sec[OURS]), ", ".join(beside)]
            lines.append(f"| {' | '.join([*cells, possible, reached])} |")
    lines += [""] + [f"({number}) {note}." for number, note in enumerate(notes, 1)] if notes else []
    return "\n".join(lines) + "\n"


def put_into(path: Path, text: str) -> int:
    """Replace what stands between the two marks of a file."""
    page = path.read_text(encoding="utf-8")
    if BEGIN not in page or END not in page:
        print(f"{path}: lacks the line {BEGIN}, or {END}", file=sys.stderr)
        return 2
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    write_text(path, f"{before}{BEGIN}\n{text}{END}{after}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
