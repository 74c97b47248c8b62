"""What networks that listen take."""

import torch
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks

from avpipe.media import ClipFormat


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

    @property
    def frame_sec(self) -> float:
        """Distance of two frames."""
        return self.hop_length / self.sample_rate

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

    @property
    def frame_sec(self) -> float:
        """Distance of two samples."""
        return 1.0 / self.sample_rate

    def num_steps(self, duration_sec: float) -> int:
        """Number of samples in ``duration_sec``."""
        return round(duration_sec * self.sample_rate)

    def forward(self, waveform: Tensor) -> Tensor:
        """
        Shape:
            waveform: (channels, samples) in [-1, 1]; returned as it is.
        """
        return waveform
