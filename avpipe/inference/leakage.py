"""One task trained on two splits, by group and at random: what the second scores too much is what groups gave away."""

import csv
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Column, Table

import avpipe
from avpipe.bundle import load_bundle
from avpipe.corpora import Corpus, equal_recordings
from avpipe.files import write_text
from avpipe.inference.evaluate import scorer_of
from avpipe.inference.pooled import ScoredRun
from avpipe.objectives import Objective, bootstrap_draws, interval_of
from avpipe.report import LeakageReport, ScoredAnswer, write_leakage_report

SIDES = ("group", "random")
DRAWS = 1000


def write_leakage(output: Path, corpus: Corpus, objective: Objective) -> None:
    """Write ``leakage.json``: the scores on both splits, their difference, and the recordings that are equal.

    Args:
        output: to write; beside it stand the folders of both runs, ``group`` and ``random``.
        corpus: that was split.
        objective: of either run.
    """
    runs = {side: ScoredRun(output.with_name(side)) for side in SIDES}
    told = {side: run.scores for side, run in runs.items()}
    answers = {side: run.answers for side, run in runs.items()}
    trained = {side: _trained_groups(output.with_name(side)) for side in SIDES}
    equal = equal_recordings(corpus.examples(), corpus.root)
    kept = ("split_sha256", "num_examples", "num_failed", "metrics", "intervals")
    content = {
        **{key: told["group"][key] for key in ("task", "corpus", "seed")},
        "avpipe_version": avpipe.__version__,
        **{
            side: {
                **{key: told[side][key] for key in kept},
                "test_groups": len({answer.group for answer in answers[side]} - {""}),
                "test_groups_trained_on": len(({answer.group for answer in answers[side]} - {""}) & trained[side]),
            }
            for side in SIDES
        },
        "gap": gap_of(objective, answers["group"], answers["random"]),
        "equal_recordings": [[corpus.relative_path(example) for example in same] for same in equal],
    }
    write_text(output, json.dumps(content, indent=2) + "\n")


def _trained_groups(folder: Path) -> set[str]:
    with (folder / "split.csv").open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return {row["group"] for row in csv.DictReader(file) if row["split"] == "train"} - {""}


def gap_of(
    objective: Objective, by_group: Sequence[ScoredAnswer], random: Sequence[ScoredAnswer]
) -> dict[str, dict[str, Any]]:
    """Of each metric, how much more it is on the random split, and between which bounds that lies.

    Each test part has its own draws of groups, as the two are of different networks on different examples.
    """
    drawn, scored = [], []
    for seed, answers in enumerate((by_group, random)):
        measure = scorer_of(objective, answers)
        drawn.append(bootstrap_draws([answer.group for answer in answers], measure, DRAWS, seed))
        scored.append(measure(range(len(answers))))
    shared = [name for name in drawn[0] if name in drawn[1]]
    intervals = interval_of({name: drawn[1][name] - drawn[0][name] for name in shared})
    return {
        name: {"value": scored[1][name] - scored[0][name], "interval": intervals.get(name)}
        for name in scored[0]
        if name in scored[1]
    }


def write_leakage_page(output: Path) -> None:
    """Write ``report.html`` beside ``leakage.json``."""
    told = json.loads(output.read_text(encoding="utf-8"))
    run = ScoredRun(output.with_name("group"))
    bundle = load_bundle(run.folder / "bundle")
    report = LeakageReport(
        title=f"{told['task']} on {told['corpus']}: by group and at random",
        command=shlex.join(["avpipe", "train", *sys.argv[1:]]),
        settings=json.loads(output.with_name("config.json").read_text(encoding="utf-8")),
        content=told,
        finding=finding_of(told),
        answers=run.answers if getattr(bundle.objective, "labels", ()) else (),
        preprocessor=bundle.preprocessor,
    )
    write_leakage_report(output.with_name("report.html"), report)


def finding_of(told: Mapping[str, Any]) -> str:
    """What the difference says, in a sentence."""
    name = next((each for each in ("uar", "accuracy") if each in told["gap"]), next(iter(told["gap"]), None))
    if name is None:
        return "Nothing was measured on both splits."
    gap, random = told["gap"][name], told["random"]
    shared = f"{random['test_groups_trained_on']} of its {random['test_groups']} test groups are trained on"
    values = f"{name} {random['metrics'][name]:.3f} at random and {told['group']['metrics'][name]:.3f} by group"
    if gap["interval"] is None:
        return f"{values}; too few groups to tell how far that may be chance."
    low, high = gap["interval"]
    spread = f"a difference of {gap['value']:.3f} ({low:.3f} to {high:.3f})"
    if low > 0:
        return f"{values}: {spread}. The random split flatters: {shared}, and they are known again."
    return f"{values}: {spread}. There may be no difference: nothing is shown to leak, though {shared}."


def print_leakage(output: Path) -> None:
    """Print what ``leakage.json`` holds."""
    told = json.loads(output.read_text(encoding="utf-8"))
    difference = Column("difference", no_wrap=True)
    table = Table("metric", "by group", "95 % interval", "at random", "95 % interval", difference, "95 % interval")
    table.add_row("examples", str(told["group"]["num_examples"]), "", str(told["random"]["num_examples"]), "", "", "")
    for name, gap in told["gap"].items():
        cells = [name]
        for side in SIDES:
            cells += [f"{told[side]['metrics'][name]:.4f}", _span(told[side]["intervals"].get(name))]
        table.add_row(*cells, f"{gap['value']:+.4f}", _span(gap["interval"]))
    console = Console(markup=False, emoji=False)
    console.print(table)
    console.print(finding_of(told), highlight=False)
    for same in told["equal_recordings"]:
        console.print(f"equal recordings: {', '.join(same)}", soft_wrap=True, highlight=False)
    console.print(f"scores: {output}", soft_wrap=True, highlight=False)


def _span(interval: Sequence[float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.3f} - {interval[1]:.3f}"
