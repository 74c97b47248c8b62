"""How fast a folder of recordings is labelled beside other libraries, whole processes by the clock.

    PYTHONPATH=.scratch/peers AVPIPE_CORPORA=DIR python -m scripts.bench_folder [--files 500] [--rounds 3]

Links so many recordings of ``ravdess`` into a folder and labels it with ``avpipe predict`` and with the loops of
``scripts/peer_loops.py``, each on two cores, in turn; of each the median. What one file takes is taken off for the
figures without start-up. The physical bound is the decoder alone and the multiply-adds of what is heard at the matrix
peak, on both cores, with nothing else to do. Exit status 1 where ``predict`` is less than 1.5 times any of the others.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from scripts.bench_media import decoded
from scripts.measure import CORES, Bound, Row, at_the_matrix_peak, medians, process_sec

MIN_RATIO = 1.5
LOOPS = {"plain": "a plain loop", "transformers": "transformers' pipeline", "speechbrain": "speechbrain"}
ONNX = "avpipe, runtime=onnx"


def predict(name: str, media: Path, output: Path, *more: str) -> list[str]:
    """The command, into a folder of its own."""
    shutil.rmtree(output, ignore_errors=True)
    return ["-m", "avpipe", "predict", f"bundle={name}", f"input={media}", f"output={output}", "device=cpu", *more]


def loop(name: str, root: Path, folder: str) -> list[str]:
    """Another's way."""
    return ["-m", "scripts.peer_loops", name, str(root / "sizes.json"), str(root / folder), str(root / f"{name}.jsonl")]


@contextmanager
def folders(count: int) -> Iterator[Path]:
    """Links to so many recordings in ``all``, and to the first in ``one``."""
    from avpipe.media import find_media

    recordings = sorted(find_media(Path(os.environ["AVPIPE_CORPORA"]) / "ravdess"))
    chosen = [recordings[place * len(recordings) // count] for place in range(count)]
    with tempfile.TemporaryDirectory(prefix="avpipe-predict-") as temporary:
        for folder, part in (("all", chosen), ("one", chosen[:1])):
            (Path(temporary) / folder).mkdir()
            for number, path in enumerate(part):
                (Path(temporary) / folder / f"{number:05}{path.suffix}").symlink_to(path)
        yield Path(temporary)


def bench_folder(name: str, root: Path, rounds: int) -> list[Row]:
    """With start-up and without it, against all others, by both runtimes."""
    process_sec(["-m", "scripts.peer_loops", "size", name, str(root / "sizes.json")])
    sizes = json.loads((root / "sizes.json").read_text(encoding="utf-8"))
    ours = partial(predict, name, root / "all", root / "answers")
    process_sec(predict(name, root / "one", root / "answers", "runtime=onnx"))  # which exports the bundle once
    ways = {"avpipe": ours("runtime=torch"), ONNX: ours("runtime=onnx")}
    ways |= {LOOPS[way]: loop(way, root, "all") for way in LOOPS if way == "plain" or way in sizes}
    absent = [title for way, title in LOOPS.items() if way != "plain" and way not in sizes]
    whole: dict[str, float] = {}
    single: dict[str, float] = {}
    for folder, told in (("one", single), ("all", whole)):
        seconds: dict[str, list[float]] = {title: [] for title in ways}
        for _ in range(rounds):
            for title, arguments in list(ways.items()):
                arguments = [each.replace(str(root / "all"), str(root / folder)) for each in arguments]
                shutil.rmtree(root / "answers", ignore_errors=True)
                try:
                    seconds[title].append(process_sec(arguments)[0])
                except RuntimeError as error:
                    print(f"{title}: left out: {error}", file=sys.stderr)
                    absent.append(title)
                    del ways[title]
        told |= {title: statistics.median(each) for title, each in seconds.items() if title in ways}
    count = len(list((root / "all").iterdir()))
    bound = physical_bound(root / "all", sizes)
    note = "equal size: " + ", ".join(
        f"{way} {size[0] / 1e6:.2f} M parameters, {size[1] / 1e6:.0f} M multiply-adds a window"
        for way, size in ((name, sizes["network"]), *((way, sizes[way][1]) for way in LOOPS if way in sizes))
    )
    title = f"{count} clips of ravdess, bundle={name}"
    rows = []
    for which, took in (
        ("whole process", whole),
        ("less that of one clip", {way: whole[way] - single[way] for way in whole}),
    ):
        rows.append(Row("predict", f"{title}, {which}", _but(took, ONNX), bound, tuple(absent), note))
        onnx = {"avpipe": took[ONNX], **_but(took, ONNX, "avpipe")}
        rows.append(Row("predict", f"{title}, runtime=onnx, {which}", onnx, bound, tuple(absent), note))
    return rows


def _but(took: dict[str, float], *left_out: str) -> dict[str, float]:
    return {name: sec for name, sec in took.items() if name not in left_out}


def physical_bound(folder: Path, sizes: dict[str, Any]) -> Bound:
    """Decoding, and the multiply-adds of what is heard, on both cores with nothing else to do."""
    import torch

    from avpipe.media import probe

    torch.set_num_threads(1)
    paths = sorted(folder.iterdir())
    heard_sec = sum(probe(path).end_sec or 0.0 for path in paths)
    sums, frames = sizes["network"][1], sizes["frames"]
    what, product, times = at_the_matrix_peak(sums * heard_sec * 100 / frames)
    took = medians({"decode": lambda: [decoded(path) for path in paths], what: product}, 3)
    return Bound(
        "decoder alone and multiply-adds at the matrix peak", (took["decode"] + took[what] * times) / len(CORES)
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="emotion")
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with folders(given.files) as root:
        rows = bench_folder(given.bundle, root, given.rounds)
    print(*rows, sep="\n")
    return 0 if all(row.ratio is not None and row.ratio >= MIN_RATIO for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
