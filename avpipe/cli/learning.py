"""What ``avpipe train`` does once its arguments are known to be in order: plan, train, calibrate, score."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from avpipe.bundle import load_bundle, read_origin, record_metrics
from avpipe.device import choose_device, worker_count
from avpipe.inference.answers import write_answers
from avpipe.inference.evaluate import evaluate
from avpipe.inference.leakage import print_leakage, write_leakage, write_leakage_page
from avpipe.inference.pages import write_pooled_page, write_training_page
from avpipe.inference.pooled import ScoredRun, print_pooled, read_pooled, write_pooled
from avpipe.inference.scores import print_scores, write_scores
from avpipe.training import Job, Plan, calibrate, claim, is_first_process, locked, make_plan, save_ensemble, train


def learn(config: Mapping[str, Any]) -> int:
    """Train what the configuration describes; returns the exit status."""
    plan = make_plan(config)
    with locked(plan.folder):
        if not plan.is_single:
            claim(plan.folder, config, plan.learned.sha256)
        for settings, job in plan.jobs:
            if not plan.is_single:
                print(f"{job.folder.name} of {len(plan.jobs)}: {job.split.method}, seed {settings['seed']}", flush=True)
            train(settings, job)
        if not is_first_process():  # of several, one answers for all
            return 0
        if config["leakage"]:
            # Each by itself: what one knows of speakers the other is not to be calibrated by.
            for settings, job in plan.jobs:
                calibrate(replace(plan, jobs=((settings, job),)))
        else:
            calibrate(plan)
        for settings, job in plan.jobs:
            _score(settings, job)
        if config["leakage"]:
            _compare(plan)
        elif not plan.is_single:
            _pool(plan, config)
    return 0


def _score(config: Mapping[str, Any], job: Job) -> None:
    """Score a trained network once, with its calibration and without."""
    output = job.folder / "metrics.json"
    if not output.is_file():
        part = "test" if job.split.test else "val" if job.split.val else "train"
        examples, workers = getattr(job.split, part), worker_count(config["data"]["workers"])
        bundle = load_bundle(job.bundle, choose_device(config["device"]["name"]))
        scores = evaluate(bundle, job.corpus, examples, 16, workers)
        if "ece" in scores.metrics:
            raw = evaluate(
                replace(bundle, objective=bundle.objective.uncalibrated()), job.corpus, examples, 16, workers
            )
            write_answers(job.folder / "uncalibrated.csv", raw.answers)
            scores.metrics["ece_uncalibrated"] = raw.metrics["ece"]
        record_metrics(job.bundle, scores.metrics)
        write_scores(output, bundle.origin, job.split, part, job.corpus.name, scores)
    if not (job.folder / "report.html").is_file():
        write_training_page(job.folder)
    print_scores(output)
    print(f"bundle: {job.bundle}")


def _compare(plan: Plan) -> None:
    """Both splits side by side."""
    output = plan.folder / "leakage.json"
    write_leakage(output, plan.corpus, load_bundle(plan.jobs[0][1].bundle).objective)
    write_leakage_page(output)
    print_leakage(output)


def _pool(plan: Plan, config: Mapping[str, Any]) -> None:
    """One table of all networks, and one bundle of them if asked for."""
    output = plan.folder / "cv.json"
    runs = [ScoredRun(job.folder) for _, job in plan.jobs]
    write_pooled(output, runs, load_bundle(plan.jobs[0][1].bundle).objective, plan.learned.sha256)
    write_pooled_page(output)
    print_pooled(output)
    if config["ensemble"]:
        bundle = plan.folder / "bundle"
        if not bundle.is_dir():
            save_ensemble(plan, bundle)
        if not read_origin(bundle).metrics:
            record_metrics(bundle, read_pooled(output))
        print(f"bundle: {bundle}")
