"""An answer for every step of time."""

from collections.abc import Callable, Mapping
from typing import cast

import torch
from torch import Tensor, nn

from avpipe.features import Features, Preprocessor
from avpipe.networks.masking import ignores_padding, time_mask
from avpipe.networks.network import Encoder, Output
from avpipe.networks.time_conv import TimeConv


class SequenceNetwork(nn.Module):
    """Senses through their encoders, all at one pace, and a linear head on every step.

    Several senses' vectors stand one after the other in each step; of a sense that an item lacks, or that ends before
    another, they are zeros. The answer is as long as the longest of the item's senses.

    Args:
        encoders: an :class:`Encoder` a sense, by its name; it has a ``time_stride``. The first one's steps are those
            of the network; others take as many seconds a step.
        num_outputs: of the head; for transcription, the number of units and the blank.
        joint: of several senses: makes the layers between the vectors of all and the head, for vectors of a length.
        sense_dropout: of several senses: part of the training items that lack one of them, drawn, so that the network
            learns to answer without it.

    Reference:
        P. Ma et al., "Auto-AVSR: Audio-Visual Speech Recognition with Automatic Labels", 2023, arXiv:2303.14307 (front
        ends of sound and lips at 25 steps a second, concatenated). They have an encoder behind each front end, and
        attention; here the convolutions over time are common to both.
    """

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        num_outputs: int,
        joint: Callable[[int], TimeConv] | None = None,
        sense_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not encoders or (len(encoders) > 1) != (joint is not None):
            found = f"{len(encoders)} ({', '.join(encoders)}) {'without' if joint is None else 'with'} joint layers"
            raise ValueError(f"a sequence network has one sense, or several and joint layers, not {found}")
        if not 0.0 <= sense_dropout < 1.0:
            raise ValueError(f"sense_dropout={sense_dropout} must lie in [0, 1)")
        self.encoders = nn.ModuleDict(dict(encoders))
        self.sense = next(iter(encoders))
        """Whose steps are the network's."""
        self.sense_dropout = sense_dropout
        width = sum(cast(Encoder, encoder).out_dim for encoder in encoders.values())
        self.joint = joint(width) if joint is not None else None
        self.head = nn.Conv1d(width if self.joint is None else self.joint.out_dim, num_outputs, 1)

    @property
    def num_outputs(self) -> int:
        """Width of the head."""
        return self.head.out_channels

    @property
    def ignores_padding(self) -> bool:
        """Whether its encoders do; the layers over all senses do."""
        return ignores_padding(*self.encoders.values())

    @property
    def time_stride(self) -> int:
        """Frames of the first sense's features a step."""
        return cast(int, self.encoders[self.sense].time_stride)

    @property
    def context_steps(self) -> int | None:
        """Steps to either side that a step depends on, but for the few of a silent front end; None: not known."""
        parts = [getattr(encoder, "context_steps", None) for encoder in self.encoders.values()]
        if self.joint is None:
            return parts[0]
        return self.joint.context_steps + max(part or 0 for part in parts)

    def step_sec(self, preprocessor: Preprocessor) -> float:
        """Seconds a step.

        Raises:
            ValueError: the senses differ in it.
        """
        paces = {
            sense: cast(int, encoder.time_stride) * preprocessor.frame_sec(sense)
            for sense, encoder in self.encoders.items()
        }
        if max(paces.values()) - min(paces.values()) > 1e-9:
            told = ", ".join(f"{sense} {pace:g} s" for sense, pace in paces.items())
            raise ValueError(f"senses of different steps: {told}")
        return paces[self.sense]

    def forward(self, features: Features, lengths: dict[str, Tensor]) -> Output:
        """
        Shape:
            features: (B, ...) a sense; lengths: (B,) a sense, in steps of its time axis.
            The value is (B, steps, num_outputs), its lengths (B,).
        """
        if self.joint is None:
            sequence, steps = self.encoders[self.sense](features[self.sense], lengths[self.sense])
            return Output(self.head(sequence).transpose(1, 2), lengths=steps)
        sequence, steps = self._beside(features, lengths)
        return Output(self.head(self.joint.convolved(sequence, steps)).transpose(1, 2), lengths=steps)

    def _beside(self, features: Features, lengths: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """(B, width, steps), the senses' vectors one after the other, and the lengths (B,) of the longest sense."""
        found = {
            sense: encoder(features[sense], lengths[sense])
            for sense, encoder in self.encoders.items()
            if sense in features
        }
        longest = max(sequence.shape[2] for sequence, _ in found.values())
        example = next(iter(found.values()))[0]
        heard = self._heard(torch.stack([steps > 0 for _, steps in found.values()]))
        parts = []
        for sense, encoder in self.encoders.items():
            if sense not in found:
                parts.append(example.new_zeros(len(example), cast(Encoder, encoder).out_dim, longest))
                continue
            sequence, steps = found[sense]
            mask = time_mask(steps, sequence.shape[2]) & heard[list(found).index(sense)][:, None]
            parts.append(nn.functional.pad(sequence * mask[:, None], (0, longest - sequence.shape[2])))
        return torch.cat(parts, 1), torch.stack([steps for _, steps in found.values()]).amax(0)

    def _heard(self, present: Tensor) -> Tensor:
        """Which senses count, those that are there, but for one that is left out of some items in training.

        Shape:
            present: (senses, B), bool; returns the same.
        """
        if not self.training or not self.sense_dropout or len(present) < 2:
            return present
        left_out = torch.rand(present.shape[1], device=present.device) < self.sense_dropout
        which = torch.randint(len(present), (present.shape[1],), device=present.device)
        dropped = nn.functional.one_hot(which, len(present)).T.bool() & left_out & (present.sum(0) > 1)
        return present & ~dropped
