"""The denoising filter beside its peers, on the fixed test mixtures, all in one run.

Prints PESQ-WB, STOI and SI-SDR (no mean removed) of the input and what each filter adds to them, with 95 % bootstrap
intervals over the mixtures; tables by ratio and by kind of noise; real-time factors on one thread; and a line for each
point that the filter is held to. Exit status 1 where a point that must be met is not.

    pip install -c constraints.txt -e '.[denoise-metrics]'
    pip install --target .scratch/peers --no-deps 'noisereduce==3.0.*' 'pyrnnoise==0.4.*'
    PYTHONPATH=.scratch/peers python -m scripts.bench_denoise [--bundle denoise] [--limit N] [--output FILE.json]

An absent peer is named and left out; ``--without-avpipe`` runs the peers alone. noisereduce (not stationary) and
FFmpeg's afftdn (through PyAV) run as they come, and once more with the setting that raised PESQ most of a few on the
validation mixtures: ``prop_decrease=0.8`` and ``nf=-30``. RNNoise is pyrnnoise's library at 48 kHz, fed and read in
floats, resampled by soxr both ways.

A peer's delay is found at its own rate, as the lag within 100 ms at which its outputs correlate most with the clean
speech (cross-correlations of twelve mixtures, each scaled by its energies, summed), and taken out before it is scored;
each gets 200 ms of silence behind the input, to give out what it holds back. Ours must have none and gets none taken
out. Real-time factors leave out resampling; ours runs in blocks of one second through ``Denoiser.stream``.
"""

import argparse
import ctypes
import importlib
import importlib.util
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.machinery import SourceFileLoader
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from avpipe import __version__
from avpipe.corpora import Mixtures, make_split
from avpipe.media import read_clip
from scripts.measure import Bound, Row, at_the_matrix_peak, medians, multiply_adds, peer

RATE_HZ = 16_000
METRICS = ("pesq", "stoi", "si_sdr")
MUST = {"pesq": 0.40, "stoi": 0.015, "si_sdr": 6.5}
AIM = {"pesq": 0.55, "stoi": 0.03, "si_sdr": 8.5}
LARGEST_LOSS = {"pesq": 0.02, "stoi": 0.005, "si_sdr": 0.0}
MUST_RTF, AIM_RTF = 0.03, 0.012
DIGITS = {"pesq": 3, "stoi": 4, "si_sdr": 2}
OURS, INPUT, RNNOISE, BABBLE = "avpipe", "input", "RNNoise", "babble"
TAIL_SEC = 0.2
LONGEST_DELAY_SEC = 0.1
DELAY_FILES = 12
TIMED_SEC = 60
TIMED_ROUNDS = 5
RESAMPLES = 10_000

Filter = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class System:
    """A filter of one channel of float32 at its own rate; the output may be late, and longer."""

    rate_hz: int
    run: Filter


@dataclass(frozen=True)
class Item:
    """One mixture to score."""

    noisy: Path
    clean: Path
    kind: str
    snr_db: float


def rnnoise_library() -> Any:
    """The library within pyrnnoise, whose own front door needs packages that nothing here does; None if absent."""
    found = importlib.util.find_spec("pyrnnoise")
    if found is None or found.origin is None:
        print("pyrnnoise: absent")
        return None
    loader = SourceFileLoader("pyrnnoise_library", str(Path(found.origin).with_name("rnnoise.py")))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    loaded = importlib.util.module_from_spec(spec)
    loader.exec_module(loaded)
    return loaded.lib


def rnnoise(library: Any, samples: np.ndarray) -> np.ndarray:
    """Run RNNoise over a recording at 48 kHz; it takes floats in the range of 16 bits, 10 ms at a time."""
    size = library.rnnoise_get_frame_size()
    frames = np.pad(samples * 32_768.0, (0, -len(samples) % size)).astype(np.float32)
    state = library.rnnoise_create(None)
    try:
        pointer = ctypes.POINTER(ctypes.c_float)
        for start in range(0, len(frames), size):
            place = frames[start:].ctypes.data_as(pointer)
            library.rnnoise_process_frame(state, place, place)
    finally:
        library.rnnoise_destroy.argtypes = [ctypes.c_void_p]
        library.rnnoise_destroy(ctypes.c_void_p(state))
    return frames / 32_768.0


def noisereduce(reducer: Any, part: float, samples: np.ndarray) -> np.ndarray:
    """Run noisereduce, not stationary, which takes out this part of the noise."""
    cleaned: np.ndarray = reducer.reduce_noise(y=samples, sr=RATE_HZ, prop_decrease=part)
    return cleaned


def afftdn(options: str, samples: np.ndarray) -> np.ndarray:
    """Run FFmpeg's filter over a recording."""
    import av
    from av.audio.frame import AudioFrame

    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=RATE_HZ, format="fltp", layout="mono", time_base=None)
    denoise = graph.add("afftdn", options or None)
    sink = graph.add("abuffersink")
    source.link_to(denoise)
    denoise.link_to(sink)
    graph.configure()
    pieces = []

    def pull() -> None:
        while True:
            try:
                frame = sink.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            assert isinstance(frame, AudioFrame)
            pieces.append(frame.to_ndarray()[0])

    for start in range(0, len(samples), 1024):
        frame = AudioFrame.from_ndarray(samples[None, start : start + 1024], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = RATE_HZ, start
        source.push(frame)
        pull()
    source.push(None)
    pull()
    return np.concatenate(pieces)


def ours(denoiser: Any, samples: np.ndarray) -> np.ndarray:
    """Run our filter over a recording in blocks of one second."""
    stream = denoiser.stream(RATE_HZ, 1)
    blocks = [stream.push(samples[None, start : start + RATE_HZ]) for start in range(0, len(samples), RATE_HZ)]
    return np.concatenate([*blocks, stream.finish()], axis=1)[0]


def one_thread() -> None:
    """For everything that runs in this process."""
    importlib.import_module("threadpoolctl").threadpool_limits(1)
    importlib.import_module("torch").set_num_threads(1)


def systems(bundle: str | None) -> dict[str, System]:
    """Every filter that is here; ``bundle``: None leaves ours out."""
    found: dict[str, System] = {}
    if bundle is not None:
        denoiser = importlib.import_module("avpipe").Denoiser(bundle)
        found[OURS] = System(RATE_HZ, partial(ours, denoiser))
    if (reducer := peer("noisereduce")) is not None:
        for name, part in (("noisereduce", 1.0), ("noisereduce 0.8", 0.8)):
            found[name] = System(RATE_HZ, partial(noisereduce, reducer, part))
    if (library := rnnoise_library()) is not None:
        found[RNNOISE] = System(48_000, partial(rnnoise, library))
    for name, options in (("afftdn", ""), ("afftdn nf=-30", "nf=-30")):
        found[name] = System(RATE_HZ, partial(afftdn, options))
    return found


def at_rate(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    """The samples at a filter's rate, with silence behind."""
    padded = np.pad(samples, (0, round(TAIL_SEC * RATE_HZ)))
    return padded if rate_hz == RATE_HZ else soxr.resample(padded, RATE_HZ, rate_hz, quality="HQ")


def filtered(system: System, noisy: np.ndarray, delay: int) -> np.ndarray:
    """The output at 16 kHz, as long as the input, with the delay taken out."""
    output = np.asarray(system.run(at_rate(noisy, system.rate_hz)), dtype=np.float32)
    output = output[delay:] if delay >= 0 else np.pad(output, (-delay, 0))
    if system.rate_hz != RATE_HZ:
        output = soxr.resample(output, system.rate_hz, RATE_HZ, quality="HQ")
    return np.pad(output, (0, max(0, len(noisy) - len(output))))[: len(noisy)]


def delay_of(system: System, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> int:
    """Samples at its own rate by which a filter is late."""
    reach = round(LONGEST_DELAY_SEC * system.rate_hz)
    total = np.zeros(2 * reach + 1)
    for noisy, clean in pairs:
        output, wanted = system.run(at_rate(noisy, system.rate_hz)), at_rate(clean, system.rate_hz)
        size = 1 << (len(output) + len(wanted)).bit_length()
        spectrum = np.fft.rfft(output, size) * np.conj(np.fft.rfft(wanted, size))
        correlation = np.roll(np.fft.irfft(spectrum, size), reach)[: 2 * reach + 1]
        total += correlation / math.sqrt(float(np.square(output).sum() * np.square(wanted).sum()) + 1e-12)
    return int(total.argmax()) - reach


def real_time_factors(found: dict[str, System], noisy: np.ndarray, rounds: int = TIMED_ROUNDS) -> dict[str, float]:
    """Median seconds of one thread a second of sound, the filters taking turns; the first round warms up."""
    inputs = {name: at_rate(noisy, system.rate_hz) for name, system in found.items()}
    took: dict[str, list[float]] = {name: [] for name in found}
    for round_ in range(rounds + 1):
        for name, system in found.items():
            began = time.perf_counter()
            system.run(inputs[name])
            if round_:
                took[name].append(time.perf_counter() - began)
    return {name: statistics.median(times) * found[name].rate_hz / len(inputs[name]) for name, times in took.items()}


def read(path: Path) -> np.ndarray:
    """A mixture's samples."""
    clip = read_clip(path)
    assert clip.waveform is not None
    assert clip.sample_rate == RATE_HZ
    return np.ascontiguousarray(clip.waveform[0])


def si_sdr(estimate: np.ndarray, target: np.ndarray) -> float:
    """Scale-invariant ratio of signal to distortion in dB (Le Roux et al., ICASSP 2019), no mean removed."""
    estimate, target = estimate.astype(np.float64), target.astype(np.float64)
    part = target * (estimate @ target / (target @ target))
    rest = estimate - part
    return float(10 * np.log10((part @ part + 1e-12) / (rest @ rest + 1e-12)))


def scores_of(output: np.ndarray, clean: np.ndarray) -> dict[str, float]:
    """The three metrics of one output; where PESQ hears no utterance in it, 1."""
    pesq, pystoi = importlib.import_module("pesq"), importlib.import_module("pystoi")
    try:
        quality = pesq.pesq(RATE_HZ, clean, output, "wb")
    except pesq.PesqError:
        quality = 1.0
    return {"pesq": float(quality), "stoi": float(pystoi.stoi(clean, output, RATE_HZ)), "si_sdr": si_sdr(output, clean)}


_AT_HAND: dict[str, System] = {}


def _prepare(bundle: str | None) -> None:
    one_thread()
    _AT_HAND.update(systems(bundle))


def score(item: Item, delays: dict[str, int]) -> dict[str, dict[str, float]]:
    """The metrics of the input and of every filter's output."""
    noisy, clean = read(item.noisy), read(item.clean)
    scores = {INPUT: scores_of(noisy, clean)}
    for name, delay in delays.items():
        scores[name] = scores_of(filtered(_AT_HAND[name], noisy, delay), clean)
    return scores


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """Mean, and its 95 % bootstrap interval."""
    drawn = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.percentile(values[drawn].mean(axis=1), (2.5, 97.5))
    return float(values.mean()), float(low), float(high)


class Result:
    """Scores of every filter on every mixture, and what they come to."""

    def __init__(self, items: Sequence[Item], scores: Sequence[dict[str, dict[str, float]]]) -> None:
        self.items = items
        self.values = {
            name: {metric: np.array([each[name][metric] for each in scores]) for metric in METRICS}
            for name in scores[0]
        }
        self.names = [name for name in self.values if name != INPUT]

    def gain(self, name: str, metric: str) -> np.ndarray:
        """Over the input, mixture by mixture."""
        return self.values[name][metric] - self.values[INPUT][metric]

    def groups(self) -> dict[str, np.ndarray]:
        """Which mixtures are of each ratio and of each kind of noise."""
        snrs = np.array([item.snr_db for item in self.items])
        kinds = np.array([item.kind for item in self.items])
        found = {f"{snr_db:+.0f} dB": snrs == snr_db for snr_db in sorted(set(snrs.tolist()))}
        return found | {kind: kinds == kind for kind in sorted(set(kinds.tolist()))}

    def print_tables(self, factors: dict[str, float], delays_ms: dict[str, float]) -> None:
        """All mixtures, then by group."""
        means = "  ".join(f"{metric} {told(self.values[INPUT][metric].mean(), metric)}" for metric in METRICS)
        print(f"\ninput, mean of {len(self.items)} mixtures: {means}\n")
        print(f"{'mean gain (95 % interval)':<26}" + "".join(f"{metric:<30}" for metric in METRICS) + "RTF     delay")
        for name in self.names:
            row = f"{name:<26}"
            for metric in METRICS:
                mean, low, high = (told(value, metric, "+") for value in interval(self.gain(name, metric)))
                row += f"{f'{mean} ({low} .. {high})':<30}"
            print(f"{row}{factors[name]:.4f}  {delays_ms[name]:.2f} ms")
        for metric in METRICS:
            heads = (f"{name:>16}" for name in self.names)
            print(f"\n{f'mean gain in {metric}':<21}{'n':>4}{'input':>9}{''.join(heads)}")
            for group, mask in self.groups().items():
                before = told(self.values[INPUT][metric][mask].mean(), metric)
                cells = (f"{told(self.gain(name, metric)[mask].mean(), metric, '+'):>16}" for name in self.names)
                print(f"{group:<21}{mask.sum():>4}{before:>9}{''.join(cells)}")

    def verdicts(self, factors: dict[str, float]) -> dict[str, bool]:
        """A line for each point, and whether it is met."""
        lines: dict[str, bool] = {}
        for metric in METRICS:
            gain = float(self.gain(OURS, metric).mean())
            line = f"mean gain in {metric} {told(gain, metric, '+')}: must {MUST[metric]:+}, aim {AIM[metric]:+}"
            lines[f"{line} ({'met' if gain >= AIM[metric] else 'missed'})"] = gain >= MUST[metric]
        for name in self.names:
            if name != OURS:
                lines |= self._ahead(name)
        for metric in METRICS:
            lines |= self._losses(metric)
        line = f"real-time factor {factors[OURS]:.4f}: must {MUST_RTF}, aim {AIM_RTF}"
        lines[f"{line} ({'met' if factors[OURS] <= AIM_RTF else 'missed'})"] = factors[OURS] <= MUST_RTF
        return lines

    def _ahead(self, name: str) -> dict[str, bool]:
        parts, means = [], []
        for metric in METRICS:
            mean, low, high = interval(self.values[OURS][metric] - self.values[name][metric])
            parts.append(
                f"{metric} by {told(mean, metric, '+')} ({told(low, metric, '+')} .. {told(high, metric, '+')})"
            )
            means.append(mean)
        return {f"ahead of {name}: {', '.join(parts)}": min(means) > 0}

    def _losses(self, metric: str) -> dict[str, bool]:
        judged = {group: mask for group, mask in self.groups().items() if group != BABBLE or metric == "si_sdr"}
        gains = {group: float(self.gain(OURS, metric)[mask].mean()) for group, mask in judged.items()}
        losers = {group: gain for group, gain in gains.items() if gain < -LARGEST_LOSS[metric]}
        named = losers or dict([min(gains.items(), key=itemgetter(1))])
        parts = ", ".join(f"{group} {told(gain, metric, '+')}" for group, gain in named.items())
        return {f"no group loses more than {LARGEST_LOSS[metric]} of {metric}: least {parts}": not losers}


def told(value: float, metric: str, sign: str = "") -> str:
    """A score with its metric's digits."""
    return f"{value:{sign}.{DIGITS[metric]}f}"


def main() -> int:
    """Time, score, tell; 0 if every point that must be met is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="denoise", help="name or folder of the filter")
    parser.add_argument("--without-avpipe", action="store_true", help="the peers alone")
    parser.add_argument("--limit", type=int, help="this many mixtures, spread evenly")
    parser.add_argument(
        "--workers", type=int, default=2, help="processes that score; timing is done before them, alone"
    )
    parser.add_argument("--output", type=Path, help="a JSON file to write")
    arguments = parser.parse_args()
    bundle = None if arguments.without_avpipe else arguments.bundle

    corpus = Mixtures()
    sha256 = make_split(corpus).sha256
    every = [
        Item(example.path, Path(str(example.target)), mixture.kind, mixture.snr_db)
        for mixture, example in corpus.mixtures
        if mixture.side == "test"
    ]
    count = min(arguments.limit or len(every), len(every))
    items = [every[index * len(every) // count] for index in range(count)]
    print(f"avpipe {__version__}, split {sha256}, {count} of {len(every)} mixtures")

    one_thread()
    found = systems(bundle)
    spread = [items[index * count // DELAY_FILES] for index in range(min(DELAY_FILES, count))]
    pairs = [(read(item.noisy), read(item.clean)) for item in spread]
    delays = {name: delay_of(system, pairs) for name, system in found.items()}
    timed = np.resize(np.concatenate([noisy for noisy, _ in pairs]), TIMED_SEC * RATE_HZ)
    factors = real_time_factors(found, timed)
    if OURS in found and delays[OURS]:
        print(f"{OURS} is late by {delays[OURS]} samples, which are not taken out")
    taken_out = delays | ({OURS: 0} if OURS in found else {})

    with ProcessPoolExecutor(arguments.workers, initializer=_prepare, initargs=(bundle,)) as pool:
        result = Result(items, list(pool.map(partial(score, delays=taken_out), items)))
    result.print_tables(factors, {name: 1000 * delays[name] / found[name].rate_hz for name in found})
    if OURS in found and RNNOISE in found:
        print(f"\nreal-time factor by RNNoise's: {factors[OURS] / factors[RNNOISE]:.2f}")
    verdicts = result.verdicts(factors) if OURS in found else {}
    print()
    for line, met in verdicts.items():
        print(f"{'met   ' if met else 'MISSED'} {line}")
    if arguments.output is not None:
        _write(arguments.output, sha256, result, factors, delays, verdicts)
    return 0 if all(verdicts.values()) else 1


def _write(
    path: Path,
    sha256: str,
    result: Result,
    factors: dict[str, float],
    delays: dict[str, int],
    verdicts: dict[str, bool],
) -> None:
    gains = {name: {metric: interval(result.gain(name, metric)) for metric in METRICS} for name in result.names}
    mixtures = []
    for index, item in enumerate(result.items):
        scores = {name: {metric: float(of[metric][index]) for metric in METRICS} for name, of in result.values.items()}
        mixtures.append({"name": item.noisy.name, "kind": item.kind, "snr_db": item.snr_db, "scores": scores})
    content = {
        "avpipe_version": __version__,
        "split_sha256": sha256,
        "gains": gains,
        "real_time_factors": factors,
        "delays_samples": delays,
        "verdicts": verdicts,
        "mixtures": mixtures,
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def bench_speed(rounds: int) -> Iterator[Row]:
    """Seconds of one thread for a minute of a test mixture, in blocks as they come, by torch and by onnxruntime."""
    one_thread()
    example = next(example for mixture, example in Mixtures().mixtures if mixture.side == "test")
    noisy = np.resize(read(example.path), TIMED_SEC * RATE_HZ)
    found, ours_by = systems(None), {}
    for runtime in ("torch", "onnx"):
        denoiser = importlib.import_module("avpipe").Denoiser("denoise", runtime=runtime)
        ours_by[f"{OURS} by {runtime}"] = System(RATE_HZ, partial(ours, denoiser))
    factors = real_time_factors({**ours_by, **found}, noisy, rounds)
    absent = tuple(name for name in (RNNOISE, "noisereduce") if name not in found)
    by_torch = ours_by[f"{OURS} by torch"]
    what, product, times = at_the_matrix_peak(multiply_adds(lambda: by_torch.run(noisy)))
    bound = Bound(what, medians({what: product})[what] * times)
    for name in ours_by:
        took = {OURS: factors[name], **{peer: factors[peer] for peer in found}}
        took = {who: factor * TIMED_SEC for who, factor in took.items()}
        note = "noisereduce and afftdn do less for speech, see above"
        job = f"{TIMED_SEC} s of sound at 16 kHz, one thread, {name} (real-time factor {factors[name]:.4f})"
        yield Row("denoise", job, took, bound, absent, note)


if __name__ == "__main__":
    sys.exit(main())
