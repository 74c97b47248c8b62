"""Features inside a graph: of batches of waveforms and of frames, with their true lengths."""

from typing import cast

import torch
from torch import Tensor, nn

from avpipe.export.power import PowerSpectrum
from avpipe.features import Features, LogMel, Preprocessor
from avpipe.networks.masking import time_mask

INPUT_OF = {"audio": "waveform", "video": "frames", "waveform": "waveform"}
"""What a graph takes for each sense."""


class MelGraph(nn.Module):
    """What :class:`avpipe.features.LogMel` makes, of a batch, and without a complex number or an unknown shape.

    What is left out at a clip's ends moves the rest to
    the front, and the length tells of it.

    Args:
        mel: whose settings are taken.
    """

    def __init__(self, mel: LogMel) -> None:
        super().__init__()
        self.mel = mel
        self.margin = round(mel.TRIM_MARGIN_SEC * mel.sample_rate / mel.hop_length)
        # A band that weighs no bin needs none of them.
        heard = int(mel.bands.sum(1).nonzero().max()) + 1
        self.power = PowerSpectrum(mel.window, mel.hop_length, heard)
        self.register_buffer("bands", mel.bands[self.power.order].contiguous(), persistent=False)

    bands: Tensor

    def forward(self, waveform: Tensor, samples: Tensor) -> tuple[Tensor, Tensor]:
        """
        Shape:
            waveform: (B, 1, samples); samples: (B,), 0 where there is no sound.
            returns (B, 1, n_mels, frames) and lengths (B,) in frames.
        """
        half = self.mel.n_fft // 2
        padded = nn.functional.pad(waveform * time_mask(samples, waveform.shape[2])[:, None], (half, half))
        power = self.power(padded[:, 0], 1 + waveform.shape[2] // self.mel.hop_length)
        mel = (power @ self.bands).clamp_min(self.mel.FLOOR).log().transpose(1, 2)
        lengths = torch.where(samples > 0, 1 + samples // self.mel.hop_length, 0)
        mask = time_mask(lengths, mel.shape[2])
        if self.mel.trim_db is not None:
            mel, lengths = self._trimmed(mel, mask, lengths)
            mask = time_mask(lengths, mel.shape[2])
        mean: Tensor | float = self.mel.mean
        if self.mel.subtract_clip_mean:
            mean = (mel * mask[:, None]).sum(2, keepdim=True) / lengths.clamp_min(1)[:, None, None]
        return ((mel - mean) / self.mel.std * mask[:, None])[:, None], lengths

    def _trimmed(self, mel: Tensor, mask: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        power = mel.exp().sum(1) * mask
        loudest = power.amax(1, keepdim=True)
        heard = (power > loudest * 10.0 ** (-cast(float, self.mel.trim_db) / 10.0)).to(power.dtype)
        places = torch.arange(mel.shape[2], device=mel.device)
        last = (heard * (places + 1)).amax(1).long()
        first = mel.shape[2] - (heard * (mel.shape[2] - places)).amax(1).long()
        begin = (first - self.margin).clamp_min(0)
        kept = torch.where(lengths > 0, torch.minimum(last + self.margin, lengths) - begin, 0)
        index = (begin[:, None] + places).clamp_max(mel.shape[2] - 1)
        return mel.gather(2, index[:, None].expand(-1, mel.shape[1], -1)), kept


class FrontEnd(nn.Module):
    """What a preprocessor makes of the windows that :class:`avpipe.windowing.Windowing` gives.

    Args:
        preprocessor: of the bundle.
    """

    def __init__(self, preprocessor: Preprocessor) -> None:
        super().__init__()
        self.mel = MelGraph(preprocessor.audio) if preprocessor.audio is not None else None
        self.video = preprocessor.video
        self.filters = preprocessor.waveform is not None

    def forward(self, arrays: dict[str, Tensor], counts: dict[str, Tensor]) -> tuple[Features, dict[str, Tensor]]:
        """
        Shape:
            arrays: ``waveform``, (B, 1, samples), and ``frames``, (B, T, H, W, 3), uint8; counts: (B,) of samples and
            of frames. Returns features (B, ...) and lengths (B,), a sense.
        """
        features, lengths = {}, {}
        if self.mel is not None:
            features["audio"], lengths["audio"] = self.mel(arrays["waveform"], counts["waveform"])
        if self.filters:
            features["waveform"] = arrays["waveform"]
            lengths["waveform"] = torch.full_like(arrays["waveform"][:, 0, 0], arrays["waveform"].shape[2])
        if self.video is not None:
            planes = arrays["frames"].permute(0, 4, 1, 2, 3).float()
            seen = self.video.standardised(planes)
            mask = time_mask(counts["frames"], seen.shape[2])[:, None, :, None, None]
            features["video"], lengths["video"] = seen * mask, counts["frames"]
        return features, lengths
