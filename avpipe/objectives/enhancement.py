"""Speech without the noise that was heard with it."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from avpipe.answers import Decoded, SoundAnswers
from avpipe.networks import Output, Stft
from avpipe.objectives.objective import Batch, Objective, counted_alone
from avpipe.objectives.perceptual import WINDOW_LENGTH, PerceptualDistance

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

METRICS = ("si_sdr", "si_sdr_gain")
"""Of validation. Those of a corpus are what its answers bring, PESQ and STOI besides."""

_SILENCE_POWER = 1e-10
"""Mean square, -100 dB of full scale, up to which there is no speech, or no noise."""


class Enhancement(SoundAnswers, Objective):
    """Distance of the filtered from the clean sound: on compressed spectra, in energy, and to an ear.

    The features are ``waveform``, of two channels: the noisy sound, which the network hears, and the clean one, which
    it is to say. The loss is the mean squared difference of the complex spectra and of their moduli, both compressed
    by a power, less the ratio of speech to error in decibels. That ratio is not scale-invariant, so that the level is
    learned, and it ends at ``ceiling_db``: of clean clips there is nothing to be gained beyond it. Clips are brought to
    one level first.

    Metrics: ``si_sdr``, the scale-invariant ratio of speech to distortion in dB, and ``si_sdr_gain``, by how much it is
    above that of the noisy sound. Clips without speech and clips without noise are not among them.

    Args:
        compression: power that moduli are raised to.
        complex_weight: of the difference of complex spectra.
        modulus_weight: of the difference of moduli.
        ratio_weight: of the ratio of speech to error, per decibel.
        ceiling_db: of that ratio, below the energy of the noisy sound.
        perceptual_weight: of the perceptual distance.
        window_length: of the spectra, in samples.

    Reference:
        S. Braun, I. Tashev, "A consolidated view of loss functions for supervised deep learning-based speech
        enhancement", 2020, arXiv:2009.12286 (compressed spectra, complex and modulus together). J. Le Roux et al.,
        "SDR - half-baked or well done?", 2018, arXiv:1811.02508. The sum of the three as in X. Rong et al., "GTCRN: A
        Speech Enhancement Model Requiring Ultralow Computational Resources", ICASSP 2024; here the ratio is bounded and
        not scale-invariant.
    """

    best_metric = "si_sdr_gain"

    def __init__(
        self,
        compression: float = 0.3,
        complex_weight: float = 30.0,
        modulus_weight: float = 70.0,
        ratio_weight: float = 0.1,
        ceiling_db: float = 30.0,
        perceptual_weight: float = 0.0,
        window_length: int = 512,
    ) -> None:
        Objective.__init__(self)
        if perceptual_weight and window_length != WINDOW_LENGTH:
            raise ValueError(f"window_length={window_length} must be {WINDOW_LENGTH} for a perceptual distance")
        self.compression = compression
        self.complex_weight = complex_weight
        self.modulus_weight = modulus_weight
        self.ratio_weight = ratio_weight
        self.ceiling = 10.0 ** (-ceiling_db / 10.0)
        self.perceptual_weight = perceptual_weight
        self.perceptual = PerceptualDistance()
        self.stft = Stft(window_length, window_length // 2 + 1)

    @classmethod
    def vocabulary(cls, targets: Sequence[Any]) -> dict[str, Any]:
        return {}

    @property
    def num_outputs(self) -> None:
        return None

    def encode(self, target: Any) -> Tensor:
        """
        Shape:
            returns (0,): the target is a channel of the features.
        """
        return torch.empty(0)

    def loss(self, output: Output, batch: Batch) -> Tensor:
        noisy, clean = self._channels(batch)
        level = noisy.square().mean(-1, keepdim=True).sqrt() + 1e-5
        filtered, clean, noisy = (waveform * (0.1 / level) for waveform in (output.value, clean, noisy))
        said, true = self.stft(filtered), self.stft(clean)
        cost = self._spectral(said, true)
        if self.perceptual_weight:
            spoken = clean.square().mean(-1) > _SILENCE_POWER
            distances = self.perceptual(*(each.square().sum(1)[spoken] for each in (said, true)))
            cost = cost + self.perceptual_weight * distances.sum() / len(clean)
        floor = self.ceiling * noisy.square().sum(-1) + 1e-9
        error = (filtered - clean).square().sum(-1) + floor
        ratio_db = 10.0 * torch.log10((clean.square().sum(-1) + floor) / error)
        return cost - self.ratio_weight * ratio_db.mean()

    def _spectral(self, said: Tensor, true: Tensor) -> Tensor:
        """The difference of compressed spectra."""
        (said, said_modulus), (true, true_modulus) = self._compressed(said), self._compressed(true)
        complex_part = self.complex_weight * (said - true).square().sum(1).mean()
        return complex_part + self.modulus_weight * (said_modulus - true_modulus).square().mean()

    def _compressed(self, spectrum: Tensor) -> tuple[Tensor, Tensor]:
        """The spectrum with compressed moduli, (B, 2, T, bins), and those moduli, (B, T, bins)."""
        power = spectrum.square().sum(1) + 1e-10
        modulus = power.pow(self.compression / 2.0)
        return spectrum * (modulus * power.rsqrt())[:, None], modulus

    @staticmethod
    def _channels(batch: Batch) -> tuple[Tensor, Tensor]:
        noisy, clean = batch.features["waveform"].unbind(1)
        return noisy, clean

    def judge(self, output: Output, batch: Batch) -> list[Decoded]:
        """The metrics of each window as its scores; none of a window without speech or without noise."""
        judged = []
        for noisy, clean, filtered, length in zip(
            *self._channels(batch), output.value, batch.lengths["waveform"].tolist(), strict=True
        ):
            heard, true, said = (each[:length].detach().double() for each in (noisy, clean, filtered))
            is_mixture = min(float(each.square().mean()) for each in (true, heard - true)) > _SILENCE_POWER
            judged.append(Decoded(scores=_ratios(heard, true, said) if is_mixture else {}))
        return judged

    def combine(self, windows: Sequence[Decoded], weights: Sequence[float]) -> Decoded:
        """The mean over the windows with speech, weighted by their seconds."""
        spoken = [(window.scores, weight) for window, weight in zip(windows, weights, strict=True) if window.scores]
        total = math.fsum(weight for _, weight in spoken)
        names = spoken[0][0] if spoken else ()
        return Decoded(
            scores={name: math.fsum(scores[name] * weight for scores, weight in spoken) / total for name in names}
        )

    def metrics(self) -> "MetricCollection":
        from torchmetrics import MeanMetric, Metric, MetricCollection

        means: dict[str, Metric | MetricCollection] = {name: MeanMetric(nan_strategy="ignore") for name in METRICS}
        return counted_alone(MetricCollection(means, compute_groups=False))

    def update(self, metrics: "MetricCollection", answers: Sequence[Decoded], targets: Sequence[Any]) -> None:
        for name in METRICS:
            metrics[name].update([answer.scores.get(name, math.nan) for answer in answers])

    def scorer(self, answers: Sequence[Decoded], targets: Sequence[Any]) -> Callable[[Sequence[int]], dict[str, float]]:
        names = list(dict.fromkeys(name for answer in answers for name in answer.scores))

        def measured(places: Sequence[int]) -> dict[str, float]:
            scores = [answers[place].scores for place in places]
            found = {name: [each[name] for each in scores if name in each] for name in names}
            return {name: math.fsum(values) / len(values) for name, values in found.items() if values}

        return measured


def _ratios(noisy: Tensor, clean: Tensor, filtered: Tensor) -> dict[str, float]:
    from torchmetrics.functional.audio import scale_invariant_signal_distortion_ratio

    before, after = (float(scale_invariant_signal_distortion_ratio(each, clean)) for each in (noisy, filtered))
    return {"si_sdr": after, "si_sdr_gain": after - before}
