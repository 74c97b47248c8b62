"""From a clip to the tensors that a network takes: one deterministic way, for training and for inference alike."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks

from avpipe.media import Clip, ClipFormat, WindowPlan

Features = dict[str, Tensor]
"""What a network takes, by sense.

Shape:
    ``"audio"``: (1, n_mels, frames). ``"video"``: (3, T, H, W). ``"waveform"``: (channels, samples), for enhancement.
    All without a batch axis until :func:`collate`.
"""

TIME_AXIS = {"audio": 2, "video": 1, "waveform": 1}
"""The axis of time in each sense's features, without a batch axis."""


class LogMel(nn.Module):
    """Log-mel spectrogram: natural logarithm, floor 1e-10, Slaney scale and norm, as librosa computes it.

    Args:
        sample_rate: of the waveform, in Hz.
        n_fft: length of the Hann window and of the transform, in samples.
        hop_length: distance of two frames, in samples.
        n_mels: number of mel bands.
        f_min: lower edge of the lowest band, in Hz.
        f_max: upper edge of the highest band, in Hz; None: half the sample rate.
        mean: subtracted from the logarithm; fixed, so that an answer never depends on other files.
        std: the logarithm less ``mean`` is divided by this.
        subtract_clip_mean: take each band's mean over the clip for ``mean``: the voice moves on, the room and the
            microphone stay behind. Not for steady sounds, of which it leaves nothing.
        trim_db: leave out what comes before and after the frames that are at most this much weaker than the clip's
            strongest one, but for 0.1 s; None: nothing. Clips that were cut out by hand begin and end with silences
            of any length, which a clip's mean would be a mean of.

    Reference:
        S. Davis, P. Mermelstein, "Comparison of parametric representations for monosyllabic word recognition in
        continuously spoken sentences", IEEE TASSP, 1980 (mel-spaced bands); bands and norm as in M. Slaney's Auditory
        Toolbox, 1998. Frames are centred with zeros at the edges (librosa's ``pad_mode="constant"``).
    """

    FLOOR = 1e-10
    TRIM_MARGIN_SEC = 0.1

    def __init__(
        self,
        sample_rate: int,
        n_fft: int,
        hop_length: int,
        n_mels: int,
        f_min: float = 0.0,
        f_max: float | None = None,
        mean: float = 0.0,
        std: float = 1.0,
        subtract_clip_mean: bool = False,
        trim_db: float | None = None,
    ) -> None:
        super().__init__()
        if trim_db is not None and trim_db <= 0:
            raise ValueError(f"trim_db={trim_db} must be above 0")
        self.sample_rate = sample_rate
        self.trim_db = trim_db
        self.hop_length = hop_length
        self.mean = mean
        self.std = std
        self.subtract_clip_mean = subtract_clip_mean
        self.n_fft = n_fft
        top_hz = sample_rate / 2 if f_max is None else f_max
        bands = melscale_fbanks(n_fft // 2 + 1, f_min, top_hz, n_mels, sample_rate, norm="slaney", mel_scale="slaney")
        self.register_buffer("bands", bands, persistent=False)
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    bands: Tensor
    window: Tensor

    @property
    def clip_format(self) -> ClipFormat:
        return ClipFormat(sample_rate=self.sample_rate, mono=True)

    def num_steps(self, duration_sec: float) -> int:
        """Number of frames of a waveform of ``duration_sec``."""
        return 1 + round(duration_sec * self.sample_rate) // self.hop_length

    def forward(self, waveform: Tensor) -> Tensor:
        """
        Shape:
            waveform: (..., channels, samples) in [-1, 1]; returns (..., channels, n_mels, 1 + samples // hop_length),
            with ``trim_db`` fewer frames, the same of all channels.
        """
        rows = waveform.reshape(-1, waveform.shape[-1])
        # On a CPU a batch as a whole falls out of the cache between the steps, and takes three times as long.
        step = 1 if rows.device.type == "cpu" else len(rows)
        mel = torch.cat([self._log_mel(rows[first : first + step]) for first in range(0, len(rows), step)])
        mel = mel.reshape(*waveform.shape[:-1], *mel.shape[1:])
        if self.trim_db is not None:
            mel = self._trimmed(mel, self.trim_db)
        mean = mel.mean(-1, keepdim=True) if self.subtract_clip_mean else self.mean
        return (mel - mean) / self.std

    def _trimmed(self, mel: Tensor, trim_db: float) -> Tensor:
        power = mel.exp().sum(-2).flatten(0, -2).amax(0)
        heard = (power > power.max() * 10.0 ** (-trim_db / 10.0)).nonzero()
        margin = round(self.TRIM_MARGIN_SEC * self.sample_rate / self.hop_length)
        return mel[..., max(0, int(heard[0]) - margin) : int(heard[-1]) + 1 + margin]

    def _log_mel(self, rows: Tensor) -> Tensor:
        """(N, samples) to (N, n_mels, frames); power without the root that torchaudio's ``abs`` takes first."""
        spectrum = torch.stft(
            rows, self.n_fft, self.hop_length, window=self.window, pad_mode="constant", return_complex=True
        ).transpose(1, 2)
        power = spectrum.real.square().addcmul_(spectrum.imag, spectrum.imag)
        return (power @ self.bands).clamp_min_(self.FLOOR).log_().transpose(1, 2)


class Waveform(nn.Module):
    """The sound as it is, for networks that carry their own transform.

    Args:
        sample_rate: of the waveform, in Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        self.sample_rate = sample_rate

    @property
    def clip_format(self) -> ClipFormat:
        return ClipFormat(sample_rate=self.sample_rate, mono=True)

    def num_steps(self, duration_sec: float) -> int:
        """Number of samples in ``duration_sec``."""
        return round(duration_sec * self.sample_rate)

    def forward(self, waveform: Tensor) -> Tensor:
        """
        Shape:
            waveform: (channels, samples) in [-1, 1]; returned as it is.
        """
        return waveform


class FrameStack(nn.Module):
    """Frames at even times, cropped to the middle square and standardised.

    Args:
        size_px: length of the picture's shorter side, scaled to in the decoder.
        crop_px: side of the square taken from the middle.
        stride_sec: time between two frames, so that films of 15, 25 and 60 frames a second mean the same.
        mean: of the red, green and blue values in [0, 1].
        std: of the same.
    """

    def __init__(
        self,
        size_px: int,
        crop_px: int,
        stride_sec: float,
        mean: Sequence[float] = (0.432, 0.395, 0.376),
        std: Sequence[float] = (0.228, 0.221, 0.217),
    ) -> None:
        super().__init__()
        if crop_px > size_px:
            raise ValueError(f"crop_px={crop_px} is more than size_px={size_px}")
        self.size_px = size_px
        self.crop_px = crop_px
        self.stride_sec = stride_sec
        self.register_buffer("mean", torch.tensor(mean)[:, None, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None, None], persistent=False)

    mean: Tensor
    std: Tensor

    @property
    def clip_format(self) -> ClipFormat:
        return ClipFormat(audio=False, video=True, size_px=self.size_px, stride_sec=self.stride_sec)

    def num_steps(self, duration_sec: float) -> int:
        """Number of frames in ``duration_sec``; the last may be on show for less than ``stride_sec``."""
        return max(1, math.ceil(duration_sec / self.stride_sec - 1e-6))

    def forward(self, frames: Tensor) -> Tensor:
        """
        Shape:
            frames: (T, H, W, 3), uint8; returns (3, T, crop_px, crop_px), float32.
        """
        top, left = ((side - self.crop_px) // 2 for side in frames.shape[1:3])
        middle = frames[:, top : top + self.crop_px, left : left + self.crop_px]
        return (middle.permute(3, 0, 1, 2).float() / 255.0 - self.mean) / self.std


class Preprocessor(nn.Module):
    """From a clip to features; the data module and the predictor use it, and nothing else makes features.

    Args:
        window_sec: length of the windows that a network sees, in seconds; a shorter file is one padded window.
        hop_sec: distance between the starts of two windows, in seconds.
        audio: from sound to features; None where the network does not listen.
        video: from frames to features; None where the network does not look.
        waveform: the sound itself; None where the network does not filter it.
    """

    def __init__(
        self,
        window_sec: float,
        hop_sec: float,
        audio: LogMel | None = None,
        video: FrameStack | None = None,
        waveform: Waveform | None = None,
    ) -> None:
        super().__init__()
        if audio is None and video is None and waveform is None:
            raise ValueError("a preprocessor needs audio, video or waveform")
        if audio is not None and waveform is not None and audio.sample_rate != waveform.sample_rate:
            raise ValueError(f"audio of {audio.sample_rate} Hz beside a waveform of {waveform.sample_rate} Hz")
        if not 0 < hop_sec <= window_sec:
            raise ValueError(f"hop_sec={hop_sec} must lie above 0 and at or below window_sec={window_sec}")
        self.window_sec = window_sec
        self.hop_sec = hop_sec
        self.audio = audio
        self.video = video
        self.waveform = waveform

    @property
    def senses(self) -> tuple[str, ...]:
        return tuple(sense for sense in TIME_AXIS if getattr(self, sense) is not None)

    @property
    def clip_format(self) -> ClipFormat:
        """What the decoder has to deliver."""
        heard = self.audio or self.waveform
        sound = heard.clip_format if heard else ClipFormat(audio=False)
        picture = self.video.clip_format if self.video else ClipFormat(audio=False)
        return ClipFormat(
            audio=sound.audio,
            video=picture.video,
            sample_rate=sound.sample_rate,
            mono=sound.mono,
            size_px=picture.size_px,
            stride_sec=picture.stride_sec,
        )

    @property
    def plan(self) -> WindowPlan:
        """The windows of a whole file."""
        return WindowPlan(self.window_sec, self.hop_sec, self.clip_format)

    @property
    def window_steps(self) -> dict[str, int]:
        """Length of each sense's time axis in a full window, to which :func:`collate` pads."""
        modules = {"audio": self.audio, "video": self.video, "waveform": self.waveform}
        return {sense: module.num_steps(self.window_sec) for sense, module in modules.items() if module is not None}

    def forward(self, clip: Clip) -> Features:
        """The features of the senses that the clip has; a sense that it lacks is absent."""
        return self.from_tensors(*self.tensors(clip))

    def tensors(self, clip: Clip) -> tuple[Tensor | None, Tensor | None]:
        """The clip's waveform and frames, of the senses that are made features of."""
        waveform = frames = None
        heard = self.audio or self.waveform
        if heard is not None and clip.waveform is not None and clip.waveform.shape[1]:
            if clip.sample_rate != heard.sample_rate:
                raise ValueError(f"a clip of {clip.sample_rate} Hz for features of {heard.sample_rate} Hz")
            waveform = torch.from_numpy(np.require(clip.waveform, requirements="W"))
        if self.video is not None and clip.frames is not None and len(clip.frames):
            frames = torch.from_numpy(np.require(clip.frames, requirements="W"))
        return waveform, frames

    def from_tensors(self, waveform: Tensor | None, frames: Tensor | None) -> Features:
        """The features of what :meth:`tensors` returned, on any device.

        Shape:
            waveform: (channels, samples). frames: (T, H, W, 3), uint8.
        """
        features: Features = {}
        if self.audio is not None and waveform is not None:
            features["audio"] = self.audio(waveform)
        if self.video is not None and frames is not None:
            features["video"] = self.video(frames)
        if self.waveform is not None and waveform is not None:
            features["waveform"] = self.waveform(waveform)
        return features


def collate(items: Sequence[Features], window_steps: dict[str, int]) -> tuple[Features, dict[str, Tensor]]:
    """Stack features into one batch of fixed shape, zeros behind what is shorter, and tell the true lengths.

    A sense that an item lacks is all zeros with length 0; a sense that no item has is absent.

    Shape:
        returns features (B, ...) and, for each sense, lengths (B,) in steps of its time axis.
    """
    batch: Features = {}
    lengths: dict[str, Tensor] = {}
    for sense, steps in window_steps.items():
        example = next((item[sense] for item in items if sense in item), None)
        if example is None:
            continue
        axis = TIME_AXIS[sense]
        shape = list(example.shape)
        shape[axis] = steps
        batch[sense] = example.new_zeros(len(items), *shape)
        lengths[sense] = torch.zeros(len(items), dtype=torch.long, device=example.device)
        for row, item in enumerate(items):
            if sense in item:
                steps_here = min(item[sense].shape[axis], steps)
                batch[sense][row].narrow(axis, 0, steps_here).copy_(item[sense].narrow(axis, 0, steps_here))
                lengths[sense][row] = steps_here
    return batch, lengths


@contextmanager
def single_threaded() -> Iterator[None]:
    """Compute on one thread, so that features are bit-equal in a worker process and in this one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
