"""A bundle's straight line from arrays to scores, as one module whose inputs and outputs have names."""

from typing import cast

import torch
from torch import Tensor, nn

from avpipe.answers import Answers, LabelAnswers, ScoreAnswers, ShotAnswers, TextAnswers, VoiceAnswers
from avpipe.bundle import Bundle
from avpipe.export.depthwise import with_rows
from avpipe.export.front_end import INPUT_OF, FrontEnd
from avpipe.features import Features
from avpipe.graphs import TIME_OF
from avpipe.networks import Network, Output, subsets
from avpipe.objectives import Objective

OUTPUTS: dict[type[Answers], str] = {
    LabelAnswers: "scores",
    ShotAnswers: "scores",
    TextAnswers: "log_probs",
    VoiceAnswers: "embedding",
    ScoreAnswers: "score",
}


class ExportedModel(nn.Module):
    """Preprocessor, network and the scores of its objective.

    Args:
        bundle: on the CPU.
    """

    def __init__(self, bundle: Bundle) -> None:
        super().__init__()
        self.front_end = FrontEnd(bundle.preprocessor)
        self.network = with_rows(bundle.network)
        self.objective: Objective = bundle.objective
        self.senses = bundle.senses
        self.arrays = tuple(dict.fromkeys(INPUT_OF[sense] for sense in bundle.preprocessor.senses))
        self.kind = next((name for kind, name in OUTPUTS.items() if isinstance(self.objective, kind)), "clean")
        self.counted = () if self.front_end.filters else self.arrays
        """Those of which it matters how much is true."""
        self.has_steps = isinstance(bundle.objective, ShotAnswers | TextAnswers)

    @property
    def input_names(self) -> list[str]:
        """Arrays, then how many samples or frames of each item are true, but of what is filtered."""
        return [*self.arrays, *(f"{name}_length" for name in self.counted)]

    @property
    def output_names(self) -> list[str]:
        if self.senses:
            return [output_name(self.kind, used, self.senses) for used in self._subsets()]
        steps = ["steps"] if self.has_steps else []
        return [self.kind, *steps]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """
        Shape:
            inputs: by :attr:`input_names`: ``waveform`` (B, 1, samples), ``frames`` (B, T, H, W, 3), and (B,) each.
        """
        count = len(self.arrays)
        arrays = dict(zip(self.arrays, inputs[:count], strict=True))
        return self.said(*self.front_end(arrays, dict(zip(self.counted, inputs[count:], strict=True))))

    def said(self, features: Features, lengths: dict[str, Tensor]) -> tuple[Tensor, ...]:
        """The outputs, of features."""
        if self.senses:
            said = cast(Network, self.network).answers_by_senses(features, lengths)
            return tuple(self._scores(said[used]) for used in self._subsets())
        output: Output = self.network(features, lengths)
        return (self._scores(output), *([cast(Tensor, output.lengths)] if self.has_steps else []))

    def example(self, bundle: Bundle) -> tuple[Tensor, ...]:
        """Two windows, by which the graph is drawn."""
        windowing, draw = bundle.windowing, torch.Generator().manual_seed(0)
        arrays: dict[str, Tensor] = {}
        if "waveform" in self.arrays:
            samples = round(windowing.window_sec * (windowing.format.sample_rate or 0))
            arrays["waveform"] = 0.1 * torch.randn(2, 1, samples, generator=draw)
        if "frames" in self.arrays:
            video = bundle.preprocessor.video
            assert video is not None
            height, width = (windowing.crops.crop_px,) * 2 if windowing.crops else video.shape_px
            shape = 2, video.num_steps(windowing.window_sec), height, width, 3
            arrays["frames"] = torch.randint(0, 256, shape, generator=draw, dtype=torch.uint8)
        lengths = [torch.tensor([arrays[name].shape[TIME_OF[name]], 4]) for name in self.counted]
        return (*arrays.values(), *lengths)

    def _subsets(self) -> list[tuple[str, ...]]:
        """All senses first: who reads one output reads the whole answer."""
        return subsets(self.senses)[::-1]

    def _scores(self, output: Output) -> Tensor:
        return self.objective.scores(output.value).float()


def output_name(kind: str, used: tuple[str, ...], senses: tuple[str, ...]) -> str:
    """Of the answer by some of the senses."""
    return kind if used == senses else f"{kind}_by_{'_'.join(used) or 'nothing'}"
