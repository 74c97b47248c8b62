"""avpipe predict: label a file, a list of files, or every media file of a tree

usage: avpipe predict bundle=BUNDLE [input=]PATH [output=]DIR [key=value ...]

Writes predictions.jsonl, predictions.csv, summary.json and report.html into DIR, and keeps a journal there: the same
command again answers only what is missing or has changed. Of the shots of a film (bundle=scenes) also FILM.shots.csv,
FILM.shots.jpg (a picture a shot) and FILM.edl; other bundles of the same run label each shot.

  bundle       a folder, the name of one that ships (avpipe list; left out: digits), what avpipe export has written, or
               several from one decode:
               bundle=[run/bundle,digits]
  input        a media file, a .txt list of paths (one a line), a folder, or a URL of a file or folder, of any kind that
               fsspec knows (https://, s3://, sftp://; some need a package of their own); lists may name URLs
  output       a folder
  gallery      a folder of people, for bundles that compare voices: one folder a person, which has the person's name,
               with recordings of the voice in it, one or more. The label is then the nearest person's name or unknown
  format       [jsonl,csv] (where it is left out, of shots also edl, a list that editing programs read, a file beside
               the name of each film); audacity, a track of labels beside the name of each recording; of transcripts
               also srt, vtt, txt: a file beside the name of each recording; of voices also npy (embeddings.npy, and
               embeddings.csv with the name of each row) and rttm (who speaks when, a file beside the name of each
               recording; names of the gallery, or speaker_1, speaker_2); for many rows parquet (predictions.parquet; by
               engine=ray a folder of parts that are read together)
  decoding     of transcripts: greedy (where it is left out), or beam (pip install "avpipe[lm]"), a search with
               decoding.lexicon=FILE (a text: its words may be said, and no others; a line with a tab is a word and how
               it is spelled), decoding.lm=FILE (a model of words, ARPA or KenLM), decoding.lm_weight=2,
               decoding.word_score=0, decoding.beam_size=50
  vad          what tells speech from pauses, for times of words, subtitles and rttm: energy (a rule of loudness; where
               it is left out), or silero (pip install "avpipe[vad]"), a network that hears voices
  min_coverage from 0 to 1: where a smaller part of a file can be decoded, the answer is abstained
  min_score    from 0 to 1: a label with a lower score is unknown
  top_k        so many scores are told, the highest; null: all
  timeout_sec, max_memory_mb
               of a file that says nothing for so long, or takes so much memory to decode, the row is an error
               (null: no limit; there is none with workers=0)
  plan         true: nothing is written; a table tells how many files there are, how many of them cannot be read or were
               answered before, and about how long the others would take and how much memory, by a few that are timed
  watch        true: goes on looking at the folder; a file is answered once it has not grown for settle_sec (5), and
               Ctrl-C ends with everything written
  max_fetch_mb a larger file that is named by a URL is an error (null: any size)
  batch_size   windows a batch
  workers      decoding processes, auto or a number
  engine       local, or ray (pip install "avpipe[scale]"): all processors of a Ray cluster, the one of RAY_ADDRESS or
               else one of this machine; all its machines must have avpipe, and the files under the same paths
  runtime      torch; onnx (pip install "avpipe[onnx]"): the same answers, sooner on a CPU, and no torch is
               loaded; a bundle is exported for it once. auto: onnx where that was done, or bundle=MODEL.onnx
  device       auto, cpu, cuda (in bfloat16; device.precision=32-true: as on a processor), mps; device.compile=true:
               what torch.compile makes of the network; that takes a minute, and pays where many hours are labelled

Several of these commands at a time may share DIR: each file is answered by one of them.

exit status: 0 every file was answered, 1 some could not be read (their rows say why), 2 unusable arguments
example: avpipe predict bundle=digits input=recordings output=answers
         avpipe predict bundle=[scenes,emotion] input=films output=answers
         avpipe predict bundle=speaker gallery=people input=meetings output=answers format=[jsonl,rttm]
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import avpipe
from avpipe.answers import ShotAnswers, SoundAnswers, TextAnswers
from avpipe.cli.command import run
from avpipe.device import worker_count
from avpipe.errors import ArgumentError
from avpipe.graphs import Graph
from avpipe.inference import Model, Predictor, enrol, load_models, tell_notices
from avpipe.inference.folder_run import FolderRun
from avpipe.inference.formats import writers
from avpipe.inference.inputs import find_inputs
from avpipe.inference.memory import keep_freed_memory
from avpipe.inference.plan import make_plan
from avpipe.inference.policy import Policy
from avpipe.inference.predictor import Engine
from avpipe.inference.ray_engine import RayEngine
from avpipe.inference.search import beam_settings, searching
from avpipe.inference.subtitles import SUBTITLES
from avpipe.inference.summary import print_plan, print_summary
from avpipe.inference.vad import check_vad
from avpipe.inference.voices import voices_among
from avpipe.inference.watch import Watch, watch_folder
from avpipe.inference.workers import Limits
from avpipe.progress import age_of_process_sec, counted


def main(config: Mapping[str, Any]) -> int:
    check_vad(config["vad"])
    keep_freed_memory()
    if config["watch"]:
        return _watched(config)
    jobs = find_inputs(config["input"])
    run = _prepared(config, len(jobs))
    if config["plan"]:
        loading_sec = age_of_process_sec()
        if any(job.url for job in jobs):
            raise ArgumentError("plan=true", "tells of files on this machine, not of URLs", "leave it out")
        with run.answers() as answers:
            print_plan(make_plan(jobs, answers, run.predictor, run.policy, loading_sec))
        return 0
    with run.journal() as journal:
        num_answered = run.answer(counted(jobs, len(jobs), "files"), journal)
        while waiting := journal.elsewhere():
            run.answer(waiting, journal)
        totals = run.write(jobs, journal)
    print_summary(totals, len(jobs) - num_answered, run.output)
    return 1 if totals["statuses"].get("error") else 0


def _watched(config: Mapping[str, Any]) -> int:
    watch = Watch(Path(config["input"]), config["settle_sec"])
    run = _prepared(config)
    print(f"looking at {watch.folder}; Ctrl-C ends", file=sys.stderr, flush=True)
    totals, num_answered = watch_folder(run, watch)
    print_summary(totals, totals["num_files"] - num_answered, run.output)
    return 1 if totals["statuses"].get("error") else 0


def _prepared(config: Mapping[str, Any], num_jobs: int | None = None) -> FolderRun:
    """What is to be done with each file, of which there are so many; None: nobody knows."""
    bundles = _bundles(config)
    formats = _formats(config["format"], any(isinstance(bundle.objective, ShotAnswers) for bundle in bundles))
    write_each = writers(formats, in_parts=config["engine"] == "ray")
    bundles = searching(bundles, beam_settings(config["decoding"]))
    output = Path(config["output"])
    if output.exists() and not output.is_dir():
        raise ArgumentError(f"output={output}", "is a file", "name a folder")
    settings = {
        "avpipe_version": avpipe.__version__,
        "bundles": {bundle.name: bundle.digest for bundle in bundles},
        "batch_size": config["batch_size"],
    }
    if any(isinstance(bundle, Graph) for bundle in bundles):
        settings["runtime"] = "onnx"
    if decoding := {bundle.name: dict(bundle.objective.decoding) for bundle in bundles if bundle.objective.decoding}:
        settings["decoding"] = decoding
    bundles, about_voices = _for_voices(bundles, formats, config)
    settings.update(about_voices)
    settings.update(_about_speech(bundles, formats, config["vad"]))
    if (precision := config["device"]["precision"]) != "32-true":
        settings["precision"] = precision
    policy = Policy(config["min_coverage"], config["min_score"], config["top_k"])
    if policy.told:
        settings["policy"] = policy.told
    # None spared: the network's threads take what decoding leaves.
    workers = worker_count(config["workers"], spared=0)
    workers = workers if num_jobs is None else min(workers, num_jobs)
    limits = Limits(config["timeout_sec"], config["max_memory_mb"])
    speech, turns = "speech" in settings, "turns" in settings
    predictor = Predictor(bundles, config["batch_size"], workers, turns, speech, config["vad"], limits, sketches=True)
    engine, root = _engine(config["engine"], predictor), Path(config["input"])
    return FolderRun(predictor, engine, policy, settings, write_each, root, output, config["max_fetch_mb"])


def _engine(name: str, predictor: Predictor) -> Engine:
    if name == "local":
        return predictor
    if name == "ray":
        return RayEngine(predictor)
    raise ArgumentError(f"engine={name}", "no such engine", "choose from: local, ray")


def _bundles(config: Mapping[str, Any]) -> list[Model]:
    """
    Raises:
        ArgumentError: for one that is not there, or that labels nothing.
    """
    names = config["bundle"] if isinstance(config["bundle"], list) else [config["bundle"]]
    runtime = config["runtime"]
    if config["engine"] == "ray":  # whose machines are sent the networks, and no graphs
        if runtime == "onnx":
            raise ArgumentError("runtime=onnx", "does not go with engine=ray", "leave one of them out")
        runtime = "torch" if runtime == "auto" else runtime
    bundles = load_models(names, runtime, config["device"])
    for bundle in bundles:
        if isinstance(bundle.objective, SoundAnswers):
            raise ArgumentError(f"bundle={bundle.name}", "filters sound and labels nothing", "use avpipe denoise")
    tell_notices(bundles)
    return bundles


def _formats(asked: Any, finds_shots: bool) -> list[str]:
    """The names of the formats; ``auto``: those that every answer has, and with shots the list that editors read.

    Raises:
        ArgumentError: for a list of shots, if no bundle looks for them.
    """
    if asked == "auto":
        return ["jsonl", "csv", *(["edl"] if finds_shots else [])]
    formats = asked if isinstance(asked, list) else [asked]
    if "edl" in formats and not finds_shots:
        raise ArgumentError("format=edl", "no bundle of those named looks for shots", "add one of task=scenes")
    return formats


def _for_voices(
    bundles: list[Model], formats: Sequence[str], config: Mapping[str, Any]
) -> tuple[list[Model], dict[str, Any]]:
    """The bundles, introduced to the people of the gallery, and what of all this determines answers."""
    settings: dict[str, Any] = {}
    if "npy" in formats:
        voices_among(bundles, "format=npy")
    if "rttm" in formats:
        voices_among(bundles, "format=rttm", thresholds=True)
        settings["turns"] = True
    if config["gallery"] is not None:
        workers = worker_count(config["workers"])
        gallery = enrol(bundles, Path(config["gallery"]), config["batch_size"], workers)
        bundles = gallery.known_to(bundles)
        settings["gallery"] = {"people": list(gallery.people), "sha256": gallery.sha256}
    return bundles, settings


def _about_speech(bundles: Sequence[Model], formats: Sequence[str], vad: str) -> dict[str, Any]:
    """Whether stretches of speech are asked for, and the rule by which they, turns and the times of words are found.

    Raises:
        ArgumentError: if subtitles are asked for, and no bundle transcribes.
    """
    settings: dict[str, Any] = {}
    transcribing = any(isinstance(bundle.objective, TextAnswers) for bundle in bundles)
    if asked := [name for name in formats if name in SUBTITLES]:
        if not transcribing:
            reason = f"no bundle of {', '.join(bundle.name for bundle in bundles)} transcribes"
            raise ArgumentError(f"format={asked[0]}", reason, "name one of task=speech_recognition, or leave it out")
        settings["speech"] = True
    if "rttm" in formats or transcribing:
        settings["vad"] = vad
    return settings


if __name__ == "__main__":
    sys.exit(run("predict", main, positional=("input", "output")))
