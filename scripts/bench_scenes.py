"""Shots found by avpipe and by PySceneDetect, and how long that takes, in one run.

    pip install -c constraints.txt -e . scenedetect==0.7.2 opencv-python
    AVPIPE_CORPORA=DIR python -m scripts.bench_scenes [BUNDLE] [OUTPUT.json] [--minutes 3]

**Right and wrong**, on the test films of ``made_films``: cuts at 0 frames, and gradual transitions by overlap, as
``avpipe.objectives.matched`` counts. PySceneDetect does not say of which kind a boundary is. It is granted whatever
suits it: a boundary that lies in a true gradual transition counts as gradual and right, and every other one as a cut.
So it has no false gradual transition at all, and its gradual F1 is bounded by its recall alone. "Any" leaves kinds
aside for everybody: a boundary is right where it lies at a true cut, or shares a frame with a true gradual transition.

PySceneDetect's detectors run as they come, and with the threshold and the least length of a shot that score best on the
validation films (the mean of both F1). ``+ Threshold`` adds its detector of fades to and from black.

**Speed**: a film of 1280x720 of some minutes, H.264, of the test recordings scaled up; from opening the file to the
list of shots, with decoding, each tool in turn, the best of three.

**Variable rate**: a film whose frames are 10 to 100 ms apart. What is counted are the cuts whose time is that of the
frame, to half a millisecond.
"""

import argparse
import importlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from avpipe.bundle import find_bundle, load_bundle
from avpipe.corpora import CUT, GRADUAL, TOLERANCE_SEC, Example, MadeFilms, Transition, make_split, understood
from avpipe.corpora.made_films import recordings_of
from avpipe.files import write_text
from avpipe.inference import Predictor
from avpipe.media import read_clip, write_video
from avpipe.objectives import bootstrap_interval, matched, rates
from scripts.measure import Bound, Row, peer

SHAPE_PX = (720, 1280)
THRESHOLDS = {"Adaptive": (2.0, 3.0, 4.0), "Content": (18.0, 27.0, 36.0)}
USUAL = {"Adaptive": 3.0, "Content": 27.0}
LEAST_FRAMES = (1, 15)
"""Of a shot; PySceneDetect's own is 15."""
ROUNDS = 3
Find = Callable[[Path], list[float]]
"""Times at which shots of a film begin, but for its first."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", default="scenes")
    parser.add_argument("output", nargs="?", type=Path)
    parser.add_argument("--minutes", type=float, default=3.0, help="of the film that is timed")
    asked = parser.parse_args()
    predictor = Predictor([load_bundle(find_bundle(asked.bundle))])
    corpus = MadeFilms()
    split = make_split(corpus)
    detectors = peers(split.val)
    told: dict[str, Any] = {"split_sha256": split.sha256, "num_films": len(split.test)}
    told["detectors"] = list(detectors)
    told["scores"] = scores(predictor, detectors, split.test)
    show(told["scores"])
    with tempfile.TemporaryDirectory() as folder:
        film = write_film(Path(folder) / "film.mp4", asked.minutes)
        told["frames_per_sec"] = speeds(predictor, film, round(asked.minutes * 60 * 25))
        told["variable_rate"] = variable_rate(predictor, Path(folder) / "variable.mkv")
    print(json.dumps({name: told[name] for name in ("frames_per_sec", "variable_rate")}, indent=2))
    if asked.output:
        write_text(asked.output, json.dumps(told, indent=2) + "\n")


def found_by(predictor: Predictor, film: Path) -> list[Transition]:
    """What avpipe finds."""
    (answer,) = predictor(film).tasks.values()
    return [Transition(each.start_sec, each.end_sec) for each in answer.boundaries or ()]


def detector(kind: str, threshold: float, least: int, fades: bool = False, backend: str = "pyav") -> Find:
    """One of PySceneDetect's, ready to be asked."""
    library = importlib.import_module("scenedetect")

    def find(film: Path) -> list[float]:
        manager = library.SceneManager()
        if kind == "Adaptive":
            manager.add_detector(library.AdaptiveDetector(adaptive_threshold=threshold, min_scene_len=least))
        else:
            manager.add_detector(library.ContentDetector(threshold=threshold, min_scene_len=least))
        if fades:
            manager.add_detector(library.ThresholdDetector(min_scene_len=least))
        manager.detect_scenes(library.open_video(str(film), backend=backend))
        return [float(start.seconds) for start, _ in manager.get_scene_list()[1:]]

    return find


def peers(val: Sequence[Example]) -> dict[str, Find]:
    """The detectors by name: as they come, and as suits the validation films best."""
    chosen: dict[str, Find] = {}
    for kind, usual in USUAL.items():
        chosen[f"{kind}Detector"] = detector(kind, usual, LEAST_FRAMES[-1])
        best = max(
            product(THRESHOLDS[kind], LEAST_FRAMES),
            key=lambda setting: rates(summed(counted(detector(kind, *setting), val)))["f1"],
        )
        chosen[f"{kind}Detector, threshold {best[0]:g}, shots of {best[1]}"] = detector(kind, *best)
        chosen[f"the same + ThresholdDetector ({kind})"] = detector(kind, *best, fades=True)
    return chosen


def counted(find: Find, films: Sequence[Example]) -> list[dict[str, float]]:
    return [granted(find(film.path), film) for film in films]


def granted(starts: Sequence[float], film: Example) -> dict[str, float]:
    """Counts for a tool that tells no kinds: each boundary has the kind that suits it."""
    true = understood(str(film.target))
    gradual = [each for each in true if each.kind == GRADUAL]
    times = read_times(film.path)
    found: list[Transition] = []
    for start in starts:
        # The nearest frame: a tool may count frames, and round.
        time_sec = float(times[np.abs(times - start).argmin()])
        inside = [
            each for each in gradual if each.start_sec - TOLERANCE_SEC <= time_sec <= each.end_sec + TOLERANCE_SEC
        ]
        if not inside:
            found.append(Transition(time_sec, time_sec))
        elif inside[0] not in found:
            found.append(inside[0])
    return {**matched(found, true), **any_kind(found, true)}


def any_kind(found: Sequence[Transition], true: Sequence[Transition]) -> dict[str, float]:
    """Counts with kinds left aside."""
    free = list(true)
    right = 0
    for each in found:
        hit = next((one for one in free if overlaps(each, one)), None)
        if hit is not None:
            free.remove(hit)
            right += 1
    return {"any_right": right, "any_found": len(found), "any_true": len(true)}


def overlaps(one: Transition, other: Transition) -> bool:
    if one.kind == other.kind == CUT:
        return abs(one.start_sec - other.start_sec) <= TOLERANCE_SEC
    return max(one.start_sec, other.start_sec) <= min(one.end_sec, other.end_sec) + TOLERANCE_SEC


def read_times(film: Path) -> np.ndarray:
    times = read_clip(film, audio=False, video=True, size_px=(2, 2)).frame_times_sec
    assert times is not None
    return times


def summed(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: sum(row[name] for row in rows) for name in rows[0]}


def scores(predictor: Predictor, detectors: dict[str, Find], films: Sequence[Example]) -> dict[str, dict[str, Any]]:
    """F1 and its 95 % interval over films, of each tool."""
    rows: dict[str, list[dict[str, float]]] = {"avpipe": []}
    for film in films:
        found, true = found_by(predictor, film.path), understood(str(film.target))
        rows["avpipe"].append({**matched(found, true), **any_kind(found, true)})
    rows |= {name: counted(find, films) for name, find in detectors.items()}

    told = {}
    for name, counts in rows.items():

        def measured(places: Sequence[int], counts: list[dict[str, float]] = counts) -> dict[str, float]:
            total = summed([counts[place] for place in places])
            return {**rates(total), "any_f1": 2 * total["any_right"] / (total["any_found"] + total["any_true"])}

        intervals = bootstrap_interval([film.group for film in films], measured)
        told[name] = {"counts": summed(counts), **measured(range(len(films))), "intervals": intervals}
    return told


def show(told: dict[str, dict[str, Any]]) -> None:
    for name, row in told.items():
        parts = []
        for metric in ("cut_f1", "gradual_f1", "any_f1"):
            low, high = row["intervals"][metric]
            parts.append(f"{metric} {row[metric]:.4f} ({low:.3f} - {high:.3f})")
        print(f"{name:60s} {'  '.join(parts)}", flush=True)


def write_film(path: Path, minutes: float) -> Path:
    """A film of the test recordings, one after the other, again and again."""

    def frames() -> Iterator[np.ndarray]:
        left = round(minutes * 60 * 25)
        while True:
            for each in recordings_of(None)["test"]:
                shown = read_clip(each.path, audio=False, video=True, size_px=SHAPE_PX).frames
                assert shown is not None
                yield from shown[:left]
                left -= min(left, len(shown))
                if not left:
                    return

    write_video(path, frames(), fps=25, options={"preset": "veryfast", "crf": "23"})
    return path


def speeds(predictor: Predictor, film: Path, frames: int, only_ours: bool = False) -> dict[str, float]:
    """Frames a second, the best of some rounds in which each tool has its turn."""
    tools: dict[str, Callable[[Path], object]] = {"avpipe": predictor}
    for kind, usual in () if only_ours else USUAL.items():
        tools[f"{kind}Detector"] = detector(kind, usual, LEAST_FRAMES[-1], backend="opencv")
    best = dict.fromkeys(tools, 0.0)
    for _ in range(ROUNDS):
        for name, ask in tools.items():
            begun = time.perf_counter()
            ask(film)
            best[name] = max(best[name], frames / (time.perf_counter() - begun))
    return {name: round(value, 1) for name, value in best.items()}


def variable_rate(predictor: Predictor, path: Path) -> dict[str, Any]:
    """How many cuts between recordings are told at the very time of their frame."""
    draw = np.random.default_rng(0)
    parts = [
        read_clip(each.path, audio=False, video=True, size_px=(240, 320)).frames for each in recordings_of(None)["test"]
    ]
    lengths = draw.integers(12, 50, len(parts))
    frames = np.concatenate([part[:length] for part, length in zip(parts, lengths, strict=True) if part is not None])
    times = np.cumsum(draw.choice([0.01, 0.02, 0.033, 0.04, 0.1], len(frames)))
    times -= times[0]
    write_video(path, frames, times_sec=times.round(3).tolist(), codec="libx264")
    shown = read_times(path)
    ends = np.cumsum([min(length, len(part)) for part, length in zip(parts, lengths, strict=True) if part is not None])
    true = [Transition(float(shown[end]), float(shown[end])) for end in ends[:-1]]
    counts = matched(found_by(predictor, path), true)
    usual = detector("Adaptive", USUAL["Adaptive"], 1)(path)
    exact = sum(any(abs(start - each.start_sec) <= TOLERANCE_SEC for start in usual) for each in true)
    return {"cuts": len(true), "avpipe": int(counts["cut_right"]), "avpipe_found": int(counts["cut_found"]),
            "AdaptiveDetector": exact, "AdaptiveDetector_found": len(usual)}  # fmt: skip


def bench_speed(minutes: float) -> Row:
    """Seconds of a film from opening it to its list of shots."""
    import av

    predictor = Predictor([load_bundle(find_bundle("scenes"))])
    absent = () if peer("scenedetect") and peer("cv2") else ("PySceneDetect",)
    frames = round(minutes * 60 * 25)
    with tempfile.TemporaryDirectory() as folder:
        film = write_film(Path(folder) / "film.mp4", minutes)
        rates_ = speeds(predictor, film, frames, only_ours=bool(absent))
        began = time.perf_counter()
        with av.open(str(film)) as container:
            container.streams.video[0].thread_type = "AUTO"
            for _ in container.decode(video=0):
                pass
        bound = Bound("the decoder alone", time.perf_counter() - began)
    took = {name.replace("Detector", "Detector of PySceneDetect"): frames / rate for name, rate in rates_.items()}
    return Row("predict", f"shots of {frames} frames of 1280x720", took, bound, absent, "the best of three rounds")


if __name__ == "__main__":
    main()
