"""Speed of the media floor and of the log-mel features against the libraries that people would otherwise use.

Prints one line a comparison: the fastest peer's median seconds divided by ours, over interleaved repeats of one run;
above 1 ours is faster. Exit status 1 where a ratio misses its mark.

Needs, besides the project's own environment (where librosa, soundfile and soxr already are), the peers alone:

    .venv/bin/pip install --target .scratch/peers --no-deps opencv-python torchcodec
    apt-get install ffmpeg        # torchcodec loads the system's FFmpeg libraries
    PYTHONPATH=.scratch/peers .venv/bin/python -m scripts.bench_media

An absent peer is named and left out. The Opus files are those of RAVDESS below ``$AVPIPE_CORPORA`` (or
``../shared/corpora``), else made from noise. The film (5 minutes of moving pictures, 720p, H.264) is made once, in
``.scratch/bench``.
"""

import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from avpipe.media import read_clip, write_audio, write_video
from scripts.measure import REPEATS, Comparison, Job, Row, at_the_matrix_peak, at_the_memory_peak

CACHE = Path(__file__).resolve().parents[1] / ".scratch" / "bench"
RATE_HZ = 16_000
FPS = 25
MINUTES = 5.0
PLACES = 20
FRAMES = 16
STRIDE = 2


def bench_wav(repeats: int = REPEATS) -> Row:
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
        "soundfile + soxr": lambda: [by_hand(path) for path in paths],
    }
    alone: Job = lambda: [soundfile.read(path, dtype="float32") for path in paths]  # noqa: E731
    return Comparison("media", "3 wav files to 16 kHz mono", jobs, bound=("reading alone", alone, 1.0)).run(repeats)


def opus_paths() -> list[Path]:
    """Forty Opus files of speech, or of noise where there is no corpus."""
    corpora = Path(os.environ.get("AVPIPE_CORPORA", CACHE.parents[2] / "shared" / "corpora"))
    paths = sorted((corpora / "ravdess").glob("*/*.opus"))[::30]
    if paths:
        return paths
    path = CACHE / "noise.opus"
    write_audio(path, (np.random.default_rng(0).standard_normal((1, 480_000)) * 0.1).astype(np.float32), 48_000)
    return [path] * 8


def bench_opus(repeats: int = REPEATS) -> Row:
    """Opus files to 16 kHz mono, against torchcodec and librosa."""
    paths = opus_paths()
    compared = Comparison("media", f"{len(paths)} Opus files to 16 kHz mono")
    compared.jobs["avpipe"] = lambda: [read_clip(path, sample_rate=RATE_HZ, mono=True) for path in paths]
    if found := compared.against("torchcodec", "torchcodec.decoders"):
        decode = found[0].AudioDecoder
        compared.jobs["torchcodec"] = lambda: [
            decode(path, sample_rate=RATE_HZ, num_channels=1).get_all_samples() for path in paths
        ]
    if found := compared.against("librosa", "librosa"):
        load = found[0].load
        compared.jobs["librosa"] = lambda: [load(path, sr=RATE_HZ, mono=True) for path in paths]
    compared.bound = "the decoder alone", lambda: [decoded(path) for path in paths], 1.0
    return compared.run(repeats)


def decoded(path: Path) -> int:
    """Run FFmpeg's decoder over the sound of a file, and throw away what comes."""
    import av

    with av.open(str(path)) as container:
        container.streams.audio[0].codec_context.thread_type = "NONE"
        return sum(frame.samples for frame in container.decode(audio=0))


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


def bench_film(repeats: int = REPEATS) -> Row:
    """Sixteen frames at stride 2 from 20 places of a film, against OpenCV."""
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

    compared = Comparison("media", f"{FRAMES} frames at stride {STRIDE}, {PLACES} places of a 720p film")
    compared.jobs["avpipe"] = ours
    note = ""
    if found := compared.against("opencv", "cv2"):
        theirs = partial(_opencv_clips, found[0], film, starts)
        compared.jobs["opencv"] = theirs
        apart = max(np.abs(a.astype(int) - b).max() for a, b in zip(ours(), theirs(), strict=True))
        note = f"frames differ by {apart} of 255 levels at most"
    seconds = (FRAMES - 1) * STRIDE / FPS

    def decode() -> None:
        for start in starts:
            decoded_until(film, start / FPS, start / FPS + seconds)

    compared.bound = "the decoder alone", decode, 1.0
    return compared.run(repeats, note)


def decoded_until(film: Path, start_sec: float, end_sec: float) -> None:
    """Decode a film from the key frame before a time until the frame of another, with nothing done to the frames."""
    import av

    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        assert stream.time_base is not None
        begin = stream.start_time or 0
        if start_sec > 0:
            container.seek(begin + int(start_sec / stream.time_base), stream=stream)
        for packet in container.demux(stream):
            # No other frame needs these, nor is any shown.
            early = packet.pts is not None and (packet.pts - begin) * stream.time_base < start_sec - 2 / FPS
            stream.codec_context.skip_frame = "NONREF" if early else "DEFAULT"
            for frame in packet.decode():
                if frame.pts is not None and (frame.pts - begin) * stream.time_base >= end_sec - 0.5 / FPS:
                    return


def _opencv_clips(cv2: Any, film: Path, starts: list[int]) -> list[np.ndarray]:
    return [_opencv_clip(cv2, film, start) for start in starts]


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


def bench_log_mel(repeats: int = REPEATS) -> Row:
    """Log-mel features of a hundred short recordings, against librosa."""
    import torch

    from avpipe.features import LogMel

    n_fft, hop_length, n_mels = 512, 160, 64
    waveforms = np.random.default_rng(2).standard_normal((100, 3 * RATE_HZ)).astype(np.float32)
    mel = LogMel(sample_rate=RATE_HZ, n_fft=n_fft, hop_length=hop_length, n_mels=n_mels)
    batch = torch.from_numpy(waveforms).unsqueeze(1)

    @torch.inference_mode()
    def ours() -> torch.Tensor:
        return mel(batch)

    compared = Comparison("features", "log-mel of a batch of 100 recordings of 3 s", {"avpipe": ours})
    if found := compared.against("librosa", "librosa"):
        of = found[0].feature.melspectrogram
        compared.jobs["librosa"] = lambda: np.log(
            np.maximum(
                of(y=waveforms, sr=RATE_HZ, n_fft=n_fft, hop_length=hop_length, n_mels=n_mels, pad_mode="constant"),
                1e-10,
            )
        )
    # A real transform takes 2.5 n log2 n operations, half as many multiply-adds; each bin lies in two bands at most.
    steps = waveforms.size / hop_length
    compared.bound = at_the_matrix_peak(steps * (1.25 * n_fft * np.log2(n_fft) + n_fft + n_fft / 2))
    return compared.run(repeats)


def bench_frames(repeats: int = REPEATS) -> Row:
    """Frames of a clip to standardised floats, against torchvision's transforms."""
    import torch
    from torchvision.transforms import v2

    from avpipe.config import compose, instantiate, plain

    video = instantiate(plain(compose("train", ["task=action"]))["preprocess"]["video"])
    frames = np.random.default_rng(3).integers(0, 256, (16, *video.shape_px, 3), dtype=np.uint8)
    mean, std = (value.flatten().tolist() for value in (video.mean, video.std))
    to_floats = [v2.CenterCrop(video.crop_px), v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, std)]
    changes = v2.Compose(to_floats)
    tensor = torch.from_numpy(frames)
    jobs: dict[str, Job] = {
        "avpipe": lambda: [video(tensor) for _ in range(20)],
        "torchvision": lambda: [changes(tensor.permute(0, 3, 1, 2)).transpose(0, 1).contiguous() for _ in range(20)],
    }
    bound = at_the_memory_peak(20 * 4 * 3 * 16 * video.crop_px**2)
    return Comparison("features", "20 clips of 16 frames to floats of 112x112", jobs, bound=bound).run(repeats)


def main() -> int:
    """Run every comparison; 0 if all marks are met."""
    import torch

    CACHE.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # as in a worker process, one of several; librosa uses one as well
    met = []
    for bench, mark in (
        (bench_wav, 0.9),
        (bench_opus, 0.9),
        (bench_film, 0.9),
        (bench_log_mel, 1.5),
        (bench_frames, 0.9),
    ):
        row = bench()
        print(row)
        met.append(row.ratio is None or row.ratio >= mark)
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
