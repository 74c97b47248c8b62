"""Whether a GPU gives the answers that the processor gives, and how fast a folder is labelled by either.

    AVPIPE_CORPORA=DIR python -m scripts.check_cuda [--bundles digits ...] [--copies 40] [OUTPUT.json]

Labels a folder of recordings of ``data/samples`` and one of films of ``fights``, each so many times over, by ``avpipe
predict`` with ``device=cpu``, with ``device=cuda`` (bfloat16) and with ``device=cuda device.precision=32-true``: whole
processes by the clock, start-up included, which a run over the folder's first file tells alone. ``denoise`` writes one
recording by either. Prints how many labels agree and how far scores lie apart; exit status 1 where a label of 32 bits
differs, or one of bfloat16 whose two likeliest scores lie further apart than 0.1.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from avpipe.files import write_text

HEARING, SEEING = ("digits", "emotion", "speaker", "digit_strings"), ("scenes", "action_fights")
WAYS = {
    "cpu": ("device=cpu",),
    "cuda": ("device=cuda",),
    "cuda, 32 bits": ("device=cuda", "device.precision=32-true"),
}
CLEAR = 0.1
SAMPLES = Path("data/samples")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, nargs="?")
    parser.add_argument("--bundles", nargs="+", default=[*HEARING, *SEEING])
    parser.add_argument("--copies", type=int, default=40)
    asked = parser.parse_args()
    told, right = {}, True
    with tempfile.TemporaryDirectory(prefix="avpipe-cuda-") as temporary:
        root = Path(temporary)
        for bundle in asked.bundles:
            folder = media(root, bundle in SEEING, asked.copies)
            told[bundle], agreed = compared(bundle, folder, root)
            right &= agreed
        told["denoise"] = denoised(root)
    if asked.output:
        write_text(asked.output, json.dumps(told, indent=2) + "\n")
    return 0 if right else 1


def media(root: Path, seeing: bool, copies: int) -> Path:
    """A folder of links."""
    folder = root / ("films" if seeing else "sounds")
    if not folder.is_dir():
        folder.mkdir()
        films = sorted((Path(os.environ["AVPIPE_CORPORA"]) / "fights").glob("*/*.mp4"))[: 2 * copies]
        names = ("zero.wav", "one.wav", "two.flac", "three.m4a", "four_stereo_44100.mp3")
        paths = films if seeing else [SAMPLES / name for name in names] * copies
        for number, path in enumerate(paths):
            # Copies, as equal content is answered once.
            copy = folder / f"{number:04}{path.suffix}"
            copy.write_bytes(path.read_bytes())
            if path.suffix in (".wav", ".flac"):
                samples, rate = soundfile.read(path)
                soundfile.write(copy, samples * (1.0 - 0.4 * number / len(paths)), rate)
    return folder


def labelled(bundle: str, source: Path, output: Path, *options: str) -> tuple[float, dict[str, Mapping[str, Any]]]:
    """Seconds that it took, and the answers by file."""
    shutil.rmtree(output, ignore_errors=True)
    command = [sys.executable, "-m", "avpipe", "predict", f"bundle={bundle}", f"input={source}", f"output={output}"]
    began = time.perf_counter()
    done = subprocess.run([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    took = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"{bundle} {options}: {done.stderr[-2000:]}")
    lines = (output / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    return took, {record["path"]: record["tasks"][bundle] for record in map(json.loads, lines)}


def compared(bundle: str, folder: Path, root: Path) -> tuple[dict[str, Any], bool]:
    """What is told of a bundle, and whether its answers agree."""
    count, told, answers = len(list(folder.iterdir())), {}, {}
    first = sorted(folder.iterdir())[0]
    for way, options in WAYS.items():
        alone, _ = labelled(bundle, first, root / "one", *options)
        took, answers[way] = labelled(bundle, folder, root / "all", *options)
        told[way] = {"files": count, "sec": round(took, 1), "start_up_sec": round(alone, 1)}
        told[way]["files_per_sec"] = round(count / max(took - alone, 0.1), 1)
    right = True
    for way in list(WAYS)[1:]:
        same, apart, clear = agreement(answers["cpu"], answers[way])
        told[way] |= {"same": same, "scores_apart": round(apart, 5), "clear_differ": clear}
        right &= not clear if way == "cuda" else same == count
    print(bundle, json.dumps(told, indent=1), flush=True)
    return told, right


def agreement(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> tuple[int, float, int]:
    """Equal answers, the farthest that two scores lie apart, and unequal ones that were clear."""
    same, apart, clear = 0, 0.0, 0
    for name, one in ours.items():
        other = theirs[name]
        equal = said(one) == said(other)
        same += equal
        scores, others = one.get("scores") or {}, other.get("scores") or {}
        apart = max([apart, *(abs(value - others.get(key, value)) for key, value in scores.items())])
        likeliest = sorted(scores.values())[-2:]
        clear += not equal and (len(likeliest) < 2 or likeliest[1] - likeliest[0] > CLEAR)
    return same, apart, clear


def said(answer: Mapping[str, Any]) -> Any:
    """Its label, its words, or its transitions by kind and time."""
    if answer.get("boundaries") is not None:
        return [(each["kind"], round(each["time_sec"], 3)) for each in answer["boundaries"]]
    return answer.get("label") if answer.get("text") is None else answer["text"]


def denoised(root: Path) -> dict[str, float]:
    """Seconds of a minute of noisy speech by either, and the decibels between what they wrote."""
    draw = np.random.default_rng(0)
    speech, rate = soundfile.read(SAMPLES / "one.wav", dtype="float32")
    noisy = np.resize(speech, 60 * rate) + 0.01 * draw.standard_normal(60 * rate).astype(np.float32)
    soundfile.write(root / "noisy.wav", noisy, rate, "FLOAT")
    told, written = {}, {}
    for device in ("cpu", "cuda"):
        path = root / f"{device}.wav"
        arguments = ["denoise", f"input={root / 'noisy.wav'}", f"output={path}", f"device={device}"]
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "avpipe", *arguments], check=True, stdout=subprocess.DEVNULL)
        told[f"{device}_sec"] = round(time.perf_counter() - began, 1)
        written[device], _ = soundfile.read(path)
    apart = written["cpu"] - written["cuda"]
    told["apart_db"] = round(float(10 * np.log10(np.mean(apart**2) / np.mean(written["cpu"] ** 2) + 1e-12)), 1)
    print("denoise", told)
    return told


if __name__ == "__main__":
    sys.exit(main())
