"""How long the commands take to begin, whole processes by the clock.

    PYTHONPATH=.scratch/peers AVPIPE_CORPORA=DIR python -m scripts.bench_start

The bound of each is the interpreter, or the import of the library that computes, alone.
"""

import json
from collections.abc import Iterator
from functools import partial

from scripts.bench_folder import LOOPS, folders, loop, predict
from scripts.measure import CORES, REPEATS, Comparison, Job, Row, process_sec

BUNDLE = "emotion"


def bench_starts(repeats: int = REPEATS) -> Iterator[Row]:
    """The help of two commands, and one clip answered by each runtime and by the peers."""
    nothing = ("python -c pass", partial(process_sec, ["-c", "pass"]), 1.0)
    for arguments in (["--help"], ["predict", "--help"]):
        ours = partial(process_sec, ["-m", "avpipe", *arguments])
        title = f"`avpipe {' '.join(arguments)}`"
        beside: dict[str, Job] = {
            "avpipe": ours,
            'python -c "import torch"': partial(process_sec, ["-c", "import torch"]),
        }
        yield Comparison("start-up", title, beside, bound=nothing).run(repeats)
    with folders(10) as root:
        process_sec(["-m", "scripts.peer_loops", "size", BUNDLE, str(root / "sizes.json")])
        process_sec(predict(BUNDLE, root / "one", root / "out", "runtime=onnx"))  # which exports the bundle once
        sizes = json.loads((root / "sizes.json").read_text(encoding="utf-8"))
        for runtime, imports in (("torch", "import torch"), ("onnx", "import onnxruntime")):
            asked = partial(predict, BUNDLE, root / "one", root / "out", f"runtime={runtime}")
            compared = Comparison("start-up", f"one clip, bundle={BUNDLE}, {runtime}")
            compared.jobs["avpipe"] = lambda: process_sec(asked())  # noqa: B023
            for way in LOOPS:
                if way == "plain" or way in sizes:
                    compared.jobs[LOOPS[way]] = partial(process_sec, loop(way, root, "one"), CORES)
                else:
                    compared.absent.append(LOOPS[way])
            compared.bound = f'python -c "{imports}"', partial(process_sec, ["-c", imports]), 1.0
            yield compared.run(repeats)


if __name__ == "__main__":
    for row in bench_starts():
        print(row, flush=True)
