"""avpipe train: learn a task from a corpus

usage: avpipe train task=TASK corpus=CORPUS corpus.root=DIR [run_dir=DIR] [device=auto|cpu|cuda|mps] [seed=0]
                    [trainer.max_epochs=N] [encoder=NAME] [cv=5] [key=value ...] [--config-dir DIR]

Writes run_dir/bundle (for predict and evaluate), metrics.json (scores on the test part), report.html (open it in a
browser), answers.csv, confusion.csv, split.csv, history.csv, logs/ and checkpoints/. The same command again goes on
where it was stopped, and ends with the weights of a run that never was.

  task          emotion, digits (where it is left out), speaker, speaker_id, speech_recognition, sound_event, action,
                scenes, lip_reading, audio_visual_speech (lips and sound), sentiment, denoise, or a YAML of yours
  corpus        folders (class folders), manifest (CSV or JSONL), or a corpus by name (avpipe list)
  corpus.root   its folder; where it is left out, $AVPIPE_CORPORA/<corpus>
  experiment    digits, digit_strings, emotion, speaker, words_pl, denoise, scenes, action_fights, sentiment_demo: what
                made a shipped bundle, whole; denoise_voicebank: a recipe without one
  cv            5, or leave_one_group_out: a network a fold, in run_dir/fold-1 ..., and cv.json over all of them
  seeds         3: as many networks, of seeds seed, seed + 1, ...
  ensemble      true: with cv or seeds, one bundle of all networks
  leakage       true: train on a split by group and on a random one, and tell both scores, their difference (what the
                random one has for too much), and which recordings are equal
  encoder       of sound: residual2d, residual2d_fine, residual2d_deep, ecapa; of frames: residual3d, frames2d, shift2d,
                x3d, motion, shots (for scenes), and torchvision's r3d_18, mc3_18, r2plus1d_18, s3d, with
                encoder.weights=none, kinetics (its own file, looked for where torch.hub keeps downloads) or a file,
                read once, when training begins; of mouths: lips; of both: lenet5, torchvision (encoder.name=alexnet,
                vgg16, vgg16_bn, resnet18 to 152, googlenet, inception_v3, densenet121, densenet169, mobilenet_v2,
                mobilenet_v3_small, mobilenet_v3_large, efficientnet_b0 to b7, efficientnet_v2_s; encoder.weights=none,
                imagenet or a file), timm (encoder.name=..., pip install "avpipe[timm]"; encoder.weights=none or a
                file); avpipe describe tells what each costs
  audio_encoder, video_encoder
                of tasks with both senses, in place of encoder; fusion=concatenation, gating, low_rank, cross_modal
  objective     of sentiment: classification, or with task.label=score regression (objective.low, objective.high);
                of transcripts: transcription (letters), transcription_words, transcription_pieces (pieces of words:
                objective.num_pieces=200, pip install "avpipe[subwords]")
  split.by      auto (official, else group), official, group, random
  data          data.batch_size, data.sampling=natural|balanced|companions; data.workers, data.prefetch, data.threads:
                auto, or numbers (processes that load, batches that each holds ready, threads that torch computes on)
  cache         decoded, features (where the augmentation is of features alone), none; cache.path, cache.max_gb
  augment       mel, words, voice, speech, noisy, features, mixup, cutmix, frames, frames_strong, frames_lit, lips,
                none, and others (avpipe list)
  optim         adamw, sgd; optim.lr, optim.weight_decay; find_lr=true tries rates before it begins
  schedule      one_cycle, cosine, constant; schedule.warm_up_fraction
  trainer       trainer.devices=4 trainer.strategy=ddp (a process a device; trainer.num_nodes with torchrun or SLURM),
                trainer.max_epochs, trainer.gradient_clip_val, trainer.accumulate_grad_batches
  device        auto, cpu, cuda, mps; device.precision=bf16-mixed; device.compile=true (torch.compile: needs a C++
                compiler, takes a minute or two to begin; a step then takes a half to a third of its time)
  ema_decay     of the running mean of weights that is validated and kept; 0: none
  init_from     a bundle of the same encoder, of this task or of another, whose weights to begin with
  transfer      what of them learns: full (all), features (all but the encoder), last_blocks (transfer.count=2), staged
                (block after block from the top), auto (by the corpus's size), scratch (nothing is given);
                transfer.lr_decay=0.7 from layer to layer, transfer.batch_norm=train|eval
  select        epoch that becomes the bundle: last or best
  patience      epochs without a better validation score until training stops
  calibration   calibration.refuse_right: part of the right validation answers that become "unknown"
  profile       true: measure where the time goes, and write profile.md, profile.json and profile.png (slower on a GPU)
  logger        [csv], [csv,tensorboard]
  -m            a sweep: a training for each combination of values with commas (encoder=a,b optim.lr=1e-3,3e-4), each in
                a folder of its own, and sweep.html, sweep.json, sweep.csv over all; the same command runs what is
                missing, unfinished or failed. sweep=optuna, hydra/launcher=joblib: pip install "avpipe[sweeps]"
  --config-dir  a folder of your own YAML files, laid out as conf/ is

example: avpipe train task=sound_event corpus=folders corpus.root=~/sounds trainer.max_epochs=20
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from avpipe.bundle import load_bundle, read_origin, record_metrics
from avpipe.cli.command import run
from avpipe.cli.sweep import SWITCHES, run_sweep
from avpipe.device import choose_device, worker_count
from avpipe.inference.answers import write_answers
from avpipe.inference.evaluate import evaluate
from avpipe.inference.leakage import print_leakage, write_leakage, write_leakage_page
from avpipe.inference.pages import write_pooled_page, write_training_page
from avpipe.inference.pooled import ScoredRun, print_pooled, read_pooled, write_pooled
from avpipe.inference.scores import print_scores, write_scores
from avpipe.training import Job, Plan, calibrate, claim, is_first_process, locked, make_plan, save_ensemble, train


def main(config: Mapping[str, Any]) -> int:
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


if __name__ == "__main__":
    sys.exit(run_sweep("train") if set(SWITCHES) & set(sys.argv[1:]) else run("train", main))
