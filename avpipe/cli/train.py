"""avpipe train: learn a task from a corpus

usage: avpipe train task=TASK corpus=CORPUS corpus.root=DIR [run_dir=DIR] [device=auto|cpu|cuda|mps] [seed=0]
                    [trainer.max_epochs=N] [encoder=NAME] [cv=5] [key=value ...] [--config-dir DIR]

Writes run_dir/bundle (for predict and evaluate), metrics.json (scores on the test part), report.html (open it in a
browser), answers.csv, confusion.csv, split.csv, history.csv, logs/ and checkpoints/. The same command again goes on
where it was stopped, and ends with the weights of a run that never was.

  task          emotion, digits (where it is left out), speaker, speaker_id, speech_recognition, sound_event, action,
                sentiment, denoise, or a YAML of yours
  corpus        folders (class folders), manifest (CSV or JSONL), or a corpus by name (avpipe list)
  corpus.root   its folder; where it is left out, $AVPIPE_CORPORA/<corpus>
  experiment    digits, digit_strings, emotion, speaker, words_pl, denoise, sentiment_demo: what made a shipped
                bundle, whole; denoise_voicebank
  cv            5, or leave_one_group_out: a network a fold, in run_dir/fold-1 ..., and cv.json over all of them
  seeds         3: as many networks, of seeds seed, seed + 1, ...
  ensemble      true: with cv or seeds, one bundle of all networks
  encoder       of sound: residual2d, residual2d_fine, residual2d_deep, ecapa; of frames: residual3d, frames2d, shift2d,
                x3d, and torchvision's r3d_18, mc3_18, r2plus1d_18, s3d, with encoder.weights=none, kinetics (its own
                file, looked for where torch.hub keeps downloads) or a file, read once, when training begins
  audio_encoder, video_encoder
                of tasks with both senses, in place of encoder; fusion=concatenation, gating, low_rank, cross_modal
  objective     of sentiment: classification, or with task.label=score regression (objective.low, objective.high);
                of transcripts: transcription (letters), transcription_words, transcription_pieces (pieces of words:
                objective.num_pieces=200, pip install "avpipe[subwords]")
  split.by      auto (official, else group), official, group, random
  data          data.batch_size, data.workers, data.sampling=natural|balanced|companions
  cache         decoded, features (where the augmentation is of features alone), none; cache.path, cache.max_gb
  augment       mel, words, voice, speech, noisy, features, mixup, cutmix, frames, frames_strong, none, and others
                (avpipe list)
  optim         adamw, sgd; optim.lr, optim.weight_decay; find_lr=true tries rates before it begins
  schedule      one_cycle, cosine, constant; schedule.warm_up_fraction
  trainer       trainer.max_epochs, trainer.gradient_clip_val, trainer.accumulate_grad_batches
  device        auto, cpu, cuda, mps; device.precision=bf16-mixed; device.compile=true (torch.compile: needs a C++
                compiler, takes a minute or two to begin; a step then takes a half to a third of its time)
  ema_decay     of the running mean of weights that is validated and kept; 0: none
  init_from     a bundle of the same network, whose weights to begin with
  select        epoch that becomes the bundle: last or best
  patience      epochs without a better validation score until training stops
  calibration   calibration.refuse_right: part of the right validation answers that become "unknown"
  logger        [csv], [csv,tensorboard]
  --config-dir  a folder of your own YAML files, laid out as conf/ is

example: avpipe train task=sound_event corpus=folders corpus.root=~/sounds trainer.max_epochs=20
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from avpipe.bundle import load_bundle, read_origin, record_metrics
from avpipe.cli.command import run
from avpipe.device import choose_device, worker_count
from avpipe.inference.answers import write_answers
from avpipe.inference.evaluate import evaluate
from avpipe.inference.pages import write_pooled_page, write_training_page
from avpipe.inference.pooled import ScoredRun, print_pooled, read_pooled, write_pooled
from avpipe.inference.scores import print_scores, write_scores
from avpipe.training import Job, Plan, calibrate, claim, locked, make_plan, save_ensemble, train


def main(config: Mapping[str, Any]) -> int:
    plan = make_plan(config)
    with locked(plan.folder):
        if not plan.is_single:
            claim(plan.folder, config, plan.learned.sha256)
        for settings, job in plan.jobs:
            if not plan.is_single:
                print(f"{job.folder.name} of {len(plan.jobs)}: {job.split.method}, seed {settings['seed']}", flush=True)
            train(settings, job)
        calibrate(plan)
        for settings, job in plan.jobs:
            _score(settings, job)
        if not plan.is_single:
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


if __name__ == "__main__":
    sys.exit(run("train", main))
