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
                read once, when training begins; of mouths: lips; of both: lenet5, alexnet, vgg16_bn, resnet18,
                googlenet, inception_v3, densenet121, mobilenet_v2, efficientnet_b0, and by torchvision
                (encoder.name=vgg16, resnet34 to 152, densenet169, mobilenet_v3_small, mobilenet_v3_large,
                efficientnet_b1 to b7, efficientnet_v2_s, and those; encoder.weights=none, imagenet or a file),
                timm (encoder.name=..., pip install "avpipe[timm]"; encoder.weights=none or a file); avpipe describe
                tells what each costs
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
from typing import Any

from avpipe.cli.command import SWITCHES, run


def main(config: Mapping[str, Any]) -> int:
    # Not sooner: torch and Lightning take seconds to load, and a word that is no key is to be refused at once.
    from avpipe.cli.learning import learn

    return learn(config)


def _sweep() -> int:
    from avpipe.cli.sweep import run_sweep

    return run_sweep("train")


if __name__ == "__main__":
    sys.exit(_sweep() if set(SWITCHES) & set(sys.argv[1:]) else run("train", main))
