"""Speed of the media floor and of the log-mel features against the libraries that people would otherwise use.

Prints one line a comparison: the peer's median seconds divided by ours, over interleaved repeats of one run; above 1
ours is faster. Exit status 1 where a ratio misses its mark.

Needs, besides the project's own environment (where librosa, soundfile and soxr already are), the peers alone:

    .venv/bin/pip install --target .scratch/peers --no-deps opencv-python torchcodec
    apt-get install ffmpeg        # torchcodec loads the system's FFmpeg libraries
    PYTHONPATH=.scratch/peers .venv/bin/python scripts/bench_media.py

An absent peer is named and left out. The Opus files are those of RAVDESS below ``$AVPIPE_CORPORA`` (or
``../shared/corpora``), else made from noise. The film (5 minutes of moving pictures, 720p, H.264) is made once, in
``.scratch/bench``.
"""

import importlib
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from avpipe.media import read_clip, write_audio, write_video

CACHE = Path(__file__).resolve().parents[1] / ".scratch" / "bench"
RATE_HZ = 16_000
FPS = 25
MINUTES = 5.0
PLACES = 20
FRAMES = 16
STRIDE = 2
REPEATS = 7

Job = Callable[[], Any]


def peer(name: str) -> ModuleType | None:
    """A module to compare with; None, and a line that says so, where it is absent."""
    try:
        return importlib.import_module(name)
    except (ImportError, RuntimeError, OSError) as error:
        print(f"{name}: absent ({str(error).splitlines()[0]})")
        return None


def medians(jobs: dict[str, Job], repeats: int = REPEATS) -> dict[str, float]:
    """Median seconds of each job, the jobs taking turns; one round before it counts warms the caches."""
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for round_ in range(repeats + 1):
        for name, job in jobs.items():
            begun = time.perf_counter()
            job()
            if round_:
                seconds[name].append(time.perf_counter() - begun)
    return {name: statistics.median(times) for name, times in seconds.items()}


def report(title: str, jobs: dict[str, Job], mark: float) -> bool:
    """Run the jobs, print ours against the fastest of the others; whether the mark is met."""
    if len(jobs) < 2:
        print(f"{title}: no peer to compare with")
        return True
    took = medians(jobs)
    best = min((name for name in took if name != "avpipe"), key=took.__getitem__)
    ratio = took[best] / took["avpipe"]
    times = ", ".join(f"{name} {1000 * sec:.1f} ms" for name, sec in took.items())
    print(f"{title}: {ratio:.2f}x {best} (mark {mark}x; {times})")
    return ratio >= mark


def bench_wav() -> bool:
    """Wav files to 16 kHz mono, against soundfile and soxr called by hand."""
    import soundfile
    import soxr

    paths = []
    for rate, channels in ((44_100, 2), (48_000, 1), (16_000, 1)):
        path = CACHE / f"noise_{rate}_{channels}.wav"
        if not path.exists():
            noise = np.random.default_rng(rate).standard_normal((channels, 20 * rate)) * 0.1
            write_audio(path, noise.astype(np.float32), rate)
        paths.append(path)

    def by_hand(path: Path) -> np.ndarray:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        resampled: np.ndarray = soxr.resample(samples.mean(axis=1), rate, RATE_HZ, quality="HQ")
        return resampled

    jobs: dict[str, Job] = {
        "avpipe": lambda: [read_clip(path, sample_rate=RATE_HZ, mono=True) for path in paths],
        "soundfile+soxr": lambda: [by_hand(path) for path in paths],
    }
    return report("wav to 16 kHz mono", jobs, 0.9)


def opus_paths() -> list[Path]:
    """Forty Opus files of speech, or of noise where there is no corpus."""
    corpora = Path(os.environ.get("AVPIPE_CORPORA", CACHE.parents[2] / "shared" / "corpora"))
    paths = sorted((corpora / "ravdess").glob("*/*.opus"))[::30]
    if paths:
        return paths
    path = CACHE / "noise.opus"
    write_audio(path, (np.random.default_rng(0).standard_normal((1, 480_000)) * 0.1).astype(np.float32), 48_000)
    return [path] * 8


def bench_opus() -> bool:
    """Opus files to 16 kHz mono, against torchcodec and librosa."""
    paths = opus_paths()
    jobs: dict[str, Job] = {
        "avpipe": lambda: [read_clip(path, sample_rate=RATE_HZ, mono=True) for path in paths],
    }
    decoders = peer("torchcodec.decoders")
    if decoders is not None:
        decode = decoders.AudioDecoder
        jobs["torchcodec"] = lambda: [
            decode(path, sample_rate=RATE_HZ, num_channels=1).get_all_samples() for path in paths
        ]
    librosa = peer("librosa")
    if librosa is not None:
        jobs["librosa"] = lambda: [librosa.load(path, sr=RATE_HZ, mono=True) for path in paths]
    return report(f"{len(paths)} Opus files to 16 kHz mono", jobs, 0.9)


def drawn_film(minutes: float) -> Iterator[np.ndarray]:
    """A textured picture that pans while bright squares fly over it: real motion for the encoder."""
    rng = np.random.default_rng(0)
    rough = rng.integers(0, 255, (48, 96, 3), dtype=np.uint8)
    ground = np.kron(rough, np.ones((32, 32, 1), dtype=np.uint8))
    ground = (ground * 0.7 + rng.integers(0, 60, ground.shape)).astype(np.uint8)
    for index in range(int(minutes * 60 * FPS)):
        picture = np.roll(ground, (index * 2, index * 5), axis=(0, 1))[:720, :1280].copy()
        for square in range(6):
            top = int(300 + 280 * np.sin(index / 17 + square))
            left = int(600 + 560 * np.cos(index / 23 + 2 * square))
            picture[top : top + 90, left : left + 90] = 40 * square + 20
        yield picture


def long_film() -> Path:
    """The film of moving pictures, drawn once."""
    film = CACHE / "film_720p.mp4"
    if not film.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        print(f"drawing {film} once ...")
        write_video(film, drawn_film(MINUTES), fps=FPS, codec="libx264", options={"preset": "fast", "crf": "23"})
    return film


def bench_film() -> bool:
    """Sixteen frames at stride 2 from 20 places of a film, against OpenCV."""
    cv2 = peer("cv2")
    film = long_film()
    rng = np.random.default_rng(1)
    starts = rng.integers(0, int(MINUTES * 60 * FPS) - STRIDE * FRAMES, PLACES).tolist()

    def ours() -> list[np.ndarray]:
        clips = []
        for start in starts:
            clip = read_clip(film, start / FPS, FRAMES * STRIDE / FPS, audio=False, video=True, stride_sec=STRIDE / FPS)
            assert clip.frames is not None
            clips.append(clip.frames)
        return clips

    jobs: dict[str, Job] = {"avpipe": ours}
    if cv2 is not None:
        jobs["opencv"] = lambda: [_opencv_clip(cv2, film, start) for start in starts]
        same = all(np.abs(a.astype(int) - b).max() <= 3 for a, b in zip(ours(), jobs["opencv"](), strict=True))
        print(f"frames equal to OpenCV's within 3 levels: {same}")
        if not same:
            return False
    return report(f"{FRAMES} frames at stride {STRIDE} from {PLACES} places of a 720p film", jobs, 0.9)


def _opencv_clip(cv2: Any, film: Path, start: int) -> np.ndarray:
    capture = cv2.VideoCapture(str(film))
    try:
        capture.set(cv2.CAP_PROP_POS_FRAMES, start)
        frames = []
        for index in range((FRAMES - 1) * STRIDE + 1):
            capture.grab()
            if index % STRIDE == 0:
                frames.append(cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB))
        return np.stack(frames)
    finally:
        capture.release()


def bench_log_mel() -> bool:
    """Log-mel features of a hundred short recordings, against librosa."""
    import torch

    from avpipe.features import LogMel

    librosa = peer("librosa")
    torch.set_num_threads(1)  # as in a worker process, one of several; librosa uses one as well
    waveforms = np.random.default_rng(2).standard_normal((100, 3 * RATE_HZ)).astype(np.float32)
    mel = LogMel(sample_rate=RATE_HZ, n_fft=512, hop_length=160, n_mels=64)
    batch = torch.from_numpy(waveforms).unsqueeze(1)

    def by_librosa() -> np.ndarray:
        power = librosa.feature.melspectrogram(  # type: ignore[union-attr]
            y=waveforms, sr=RATE_HZ, n_fft=512, hop_length=160, n_mels=64, pad_mode="constant"
        )
        log_mel: np.ndarray = np.log(np.maximum(power, 1e-10))
        return log_mel

    @torch.inference_mode()
    def ours() -> torch.Tensor:
        return mel(batch)

    jobs: dict[str, Job] = {"avpipe": ours}
    if librosa is not None:
        jobs["librosa"] = by_librosa
    return report("log-mel of a batch of 100 recordings of 3 s", jobs, 1.5)


def main() -> int:
    """Run every comparison; 0 if all marks are met."""
    CACHE.mkdir(parents=True, exist_ok=True)
    met = [bench() for bench in (bench_wav, bench_opus, bench_film, bench_log_mel)]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
