"""Score trained bundles of sentiment by sense: what both gain over either, what one alone loses, what shuffling does.

Needs the runs of three recipes for each seed, in folders ``both-SEED``, ``audio-SEED`` and ``video-SEED`` (README), and
reads their ``answers*.csv``. Intervals are over films and, as films share actors and recordings, over actors too.
For the shuffling each test film keeps its picture and takes the sound of another, drawn among all films, and the other
way round; a film's own sound is what it had before.

    python scripts/bench_sentiment.py RUNS MANIFEST
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from avpipe.bundle import Bundle, load_bundle
from avpipe.corpora import Manifest
from avpipe.features import collate
from avpipe.inference.answers import read_answers
from avpipe.media import stream_clips
from avpipe.networks import Network
from avpipe.objectives import bootstrap_interval
from avpipe.progress import counted
from avpipe.report import ScoredAnswer

SENSES = ("audio", "video")
DRAWS = 1000


def uar(said: np.ndarray, true: np.ndarray) -> float:
    """Mean over the labels of the part of its films that are told rightly."""
    return float(np.mean([(said[true == label] == label).mean() for label in np.unique(true)]))


def uar_of(answers: Sequence[ScoredAnswer]) -> tuple[float, tuple[float, float], tuple[float, float]]:
    """UAR, its interval over films, and that over actors."""
    said, true = (np.array([getattr(answer, name) for answer in answers]) for name in ("best", "target"))

    def measured(places: Sequence[int]) -> Mapping[str, float]:
        return {"uar": uar(said[list(places)], true[list(places)])}

    groups = [""] * len(answers), [answer.group for answer in answers]
    films, actors = (bootstrap_interval(each, measured, DRAWS)["uar"] for each in groups)
    return uar(said, true), films, actors


def shuffled(bundle: Bundle, corpus: Manifest, seed: int) -> dict[str, float]:
    """UAR on the test films as they are, and with the sound or the picture of other films.

    Of each film the first window is taken, which of the films of scripts/make_sentiment_corpus.py is all of it.
    """
    network, preprocessor = bundle.network, bundle.preprocessor
    assert isinstance(network, Network)
    test = [example for example, side in (corpus.official_split() or {}).items() if side == "test"]
    parts: list[dict[str, tuple[torch.Tensor, torch.Tensor]]] = []
    for example in counted(test, len(test), "films"):
        with stream_clips(example.path, [preprocessor.windowing.plan]) as clips, torch.inference_mode():
            _, clip = next(iter(clips))
            parts.append(network.encoded(*collate([preprocessor(clip)], preprocessor.window_steps)))
    encoded = {sense: tuple(torch.cat([part[sense][place] for part in parts]) for place in (0, 1)) for sense in SENSES}
    true = np.array([str(example.target) for example in test])
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(test)))

    def score(moved: str) -> float:
        mixed = {
            sense: (value[order], length[order]) if sense == moved else (value, length)
            for sense, (value, length) in encoded.items()
        }
        with torch.inference_mode():
            answers = bundle.objective.decode(network.fused(mixed))
        return uar(np.array([max(said.scores, key=said.scores.__getitem__) for said in answers]), true)

    return {"as they are": score(""), "other sound": score("audio"), "other picture": score("video")}


def told(name: str, answers: Sequence[ScoredAnswer]) -> float:
    value, films, actors = uar_of(answers)
    spans = (f"{low:.3f} - {high:.3f}" for low, high in (films, actors))
    print(f"  {name:34} {value:+.3f}   over films {next(spans)}   over actors {next(spans)}")
    return value


def bench_seed(runs: Path, corpus: Manifest, seed: int) -> dict[str, float]:
    """Print all figures of a seed; returns those that the mean over seeds is told of."""
    both = runs / f"both-{seed}"
    scores = json.loads((both / "metrics.json").read_text(encoding="utf-8"))
    print(f"seed {seed}: {scores['num_examples']} films, split {scores['split_sha256'][:12]}, UAR")
    fused = told("both", read_answers(both / "answers.csv"))
    alone, own = {}, {}
    for sense in SENSES:
        alone[sense] = told(f"{sense} alone, of both", read_answers(both / f"answers_{sense}.csv"))
        own[sense] = told(f"{sense}, its own network", read_answers(runs / f"{sense}-{seed}" / "answers.csv"))
    figures = {
        "both": fused,
        **{f"{sense} alone, of both": value for sense, value in alone.items()},
        **{f"{sense}, its own network": value for sense, value in own.items()},
        "gain over the better single sense": fused - max(*alone.values(), *own.values()),
        **{f"cost of {sense} alone": own[sense] - alone[sense] for sense in SENSES},
        **shuffled(load_bundle(both / "bundle"), corpus, seed),
    }
    for name in list(figures)[5:]:
        print(f"  {name:34} {figures[name]:+.3f}")
    return figures


def main() -> int:
    if len(sys.argv) != 3:
        print("usage: python scripts/bench_sentiment.py RUNS MANIFEST", file=sys.stderr)
        return 2
    runs, corpus = Path(sys.argv[1]), Manifest(sys.argv[2])
    torch.set_num_threads(1)
    told_of = [
        bench_seed(runs, corpus, int(folder.name.removeprefix("both-")))
        for folder in sorted(runs.glob("both-*"))
        if all(
            (folder.with_name(folder.name.replace("both", part)) / "metrics.json").is_file()
            for part in ("both", *SENSES)
        )
    ]
    print(f"mean over {len(told_of)} seeds, and standard deviation")
    for name in told_of[0] if told_of else ():
        values = [figures[name] for figures in told_of]
        print(f"  {name:34} {np.mean(values):+.3f}   {np.std(values):.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
