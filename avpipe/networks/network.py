"""Encoders, pooling, fusion and a head in one shape for every task."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Protocol, cast

from torch import Tensor, nn
from torch.nn.functional import pad

from avpipe.features import Features
from avpipe.networks.auxiliary import AuxiliaryHead
from avpipe.networks.masking import ignores_padding


@dataclass(frozen=True, slots=True)
class Output:
    """What a network says about a batch.

    Shape:
        value: (B, num_outputs), logits or a score.
        lengths: (B,), true lengths where ``value`` has a time axis.
        embedding: (B, dim), the vector in front of the head.
        auxiliary: (B, num_outputs) each, what heads half-way up say of the same, in training.
    """

    value: Tensor
    lengths: Tensor | None = None
    embedding: Tensor | None = None
    auxiliary: dict[str, Tensor] = field(default_factory=dict)


class Encoder(Protocol):
    """From one sense's features to a sequence of vectors.

    Its ``forward(features, lengths)`` takes (B, ...) and true lengths (B,) in steps of time, and returns the sequence
    (B, out_dim, steps) with its lengths (B,). One that has ``ignores_padding = True`` says the same, but for rounding,
    however much padding stands behind an item: at inference a short one is not padded far. One whose authors train
    heads half-way up has ``taps``, the channels of the maps that these see by name, and ``with_taps``, which returns
    these maps besides.
    """

    out_dim: int

    def __call__(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]: ...


class _Sized(Protocol):
    out_dim: int


Encoded = dict[str, tuple[Tensor, Tensor]]
"""By sense what a fusion takes of it, and its true lengths (B,): 0 where an item lacks the sense."""


class Head(nn.Linear):
    """A linear layer whose answer does not depend on an item's place in the batch, down to the last bit.

    A CPU's product of matrices adds up the rows that do not begin at a multiple of 16 bytes in another order: vectors
    are filled up with zeros to a multiple of four numbers.
    """

    def forward(self, vectors: Tensor) -> Tensor:
        """
        Shape:
            vectors: (B, in_features); returns (B, out_features).
        """
        if not (missing := -self.in_features % 4):
            return super().forward(vectors)
        return nn.functional.linear(pad(vectors, (0, missing)), pad(self.weight, (0, missing)), self.bias)


class Network(nn.Module):
    """Each sense through its encoder and pooling, fused into one vector, and a linear head.

    Of several senses an item may lack some: they weigh nothing, whatever other items of the batch have.

    Args:
        encoders: an :class:`Encoder` a sense, by the sense's name; None: the network lacks the sense.
        pooling: makes a pooling layer for vectors of a given length.
        fusion: makes a fusion layer for the pooled vectors' lengths by sense; or, where what it makes says that it
            ``takes_sequences``, for those of the encoders' vectors.
        num_outputs: of the head; for classification, the number of labels.
        dropout: of the fused vector, in training.
    """

    def __init__(
        self,
        encoders: Mapping[str, nn.Module | None],
        pooling: Callable[[int], nn.Module],
        fusion: Callable[[Mapping[str, int]], nn.Module],
        num_outputs: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict({sense: each for sense, each in encoders.items() if each is not None})
        dims = {sense: cast(Encoder, encoder).out_dim for sense, encoder in self.encoders.items()}
        whole = getattr(getattr(fusion, "func", fusion), "takes_sequences", False)
        self.pooling = nn.ModuleDict({} if whole else {sense: pooling(dim) for sense, dim in dims.items()})
        self.fused_dims = dims | {sense: cast(_Sized, layer).out_dim for sense, layer in self.pooling.items()}
        self.fusion = fusion(self.fused_dims)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(cast(_Sized, self.fusion).out_dim, num_outputs)
        self.auxiliary = nn.ModuleDict(
            {
                f"{sense}_{tap}": AuxiliaryHead(channels, num_outputs)
                for sense, encoder in self.encoders.items()
                for tap, channels in getattr(encoder, "taps", {}).items()
            }
        )
        """Heads half-way up some encoders, in training only."""

    @property
    def num_outputs(self) -> int:
        """Width of the head."""
        return self.head.out_features

    @property
    def senses(self) -> tuple[str, ...]:
        """Names of those that it has."""
        return tuple(self.encoders)

    @property
    def ignores_padding(self) -> bool:
        """Whether its encoders do; whatever stands behind them does."""
        return ignores_padding(*self.encoders.values())

    def forward(self, features: Features, lengths: dict[str, Tensor]) -> Output:
        """
        Shape:
            features: (B, ...) a sense; lengths: (B,) a sense, in steps of its time axis.
        """
        auxiliary: dict[str, Tensor] = {}
        return replace(self.fused(self.encoded(features, lengths, auxiliary)), auxiliary=auxiliary)

    def drop_auxiliary(self) -> None:
        """Leave out the heads that only training needs."""
        self.auxiliary = nn.ModuleDict()

    def answers_by_senses(self, features: Features, lengths: dict[str, Tensor]) -> dict[tuple[str, ...], Output]:
        """What it says when it may use these senses alone: for none, each, and every number of them, up to all.

        Shape:
            features: (B, ...) a sense; lengths: (B,) a sense, in steps of its time axis.
        """
        encoded = self.encoded(features, lengths)
        return {used: self.fused(_without(encoded, used)) for used in subsets(self.senses)}

    def encoded(
        self, features: Features, lengths: dict[str, Tensor], auxiliary: dict[str, Tensor] | None = None
    ) -> Encoded:
        """What there is of each sense to be fused.

        Args:
            features: by sense.
            lengths: of them.
            auxiliary: gets what heads half-way up say, in training.

        Shape:
            features: (B, ...) a sense; lengths: (B,) a sense, in steps of its time axis.
        """
        said = {} if auxiliary is None else auxiliary
        found = {
            sense: self._encoded(sense, features[sense], lengths[sense], said)
            for sense in self.encoders
            if sense in features
        }
        if len(self.encoders) == 1:
            return found
        example, counts = next(iter(found.values()))
        for sense in self.encoders:
            if sense not in found:
                shape = (len(example), self.fused_dims[sense], 1)[: example.ndim]
                found[sense] = example.new_zeros(shape), counts.new_zeros(len(counts))
        return {sense: found[sense] for sense in self.encoders}

    def fused(self, encoded: Encoded) -> Output:
        """The answer to what :meth:`encoded` found."""
        values = {sense: value for sense, (value, _) in encoded.items()}
        embedding = self.fusion(values, {sense: lengths for sense, (_, lengths) in encoded.items()})
        return Output(self.head(self.dropout(embedding)), embedding=embedding)

    def _encoded(
        self, sense: str, features: Tensor, lengths: Tensor, auxiliary: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        present = lengths > 0
        # In training what is lacked must not move the statistics of those that have it. An answer may not depend on
        # how many these are, down to the last bit: there all go through.
        if self.training and len(self.encoders) > 1 and 1 < (count := int(present.sum())) < len(present):
            told: dict[str, Tensor] = {}
            value, steps = self._pooled(sense, features[present], lengths[present], told)
            auxiliary.update({name: _spread(said, present) for name, said in told.items()})
            return _spread(value, present), lengths.new_zeros(len(present)).masked_scatter(present, steps[:count])
        value, steps = self._pooled(sense, features, lengths, auxiliary)
        if len(self.encoders) > 1:
            value = value.masked_fill(~present.reshape(-1, *[1] * (value.ndim - 1)), 0.0)
        return value, steps

    def _pooled(
        self, sense: str, features: Tensor, lengths: Tensor, auxiliary: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        encoder = self.encoders[sense]
        if self.training and self.auxiliary and getattr(encoder, "taps", None):
            sequence, steps, tapped = encoder.with_taps(features, lengths)  # type: ignore[operator]
            for tap, maps in tapped.items():
                auxiliary[f"{sense}_{tap}"] = self.auxiliary[f"{sense}_{tap}"](maps, features, lengths)
        else:
            sequence, steps = encoder(features, lengths)
        return (self.pooling[sense](sequence, steps) if sense in self.pooling else sequence), steps


def _spread(values: Tensor, present: Tensor) -> Tensor:
    """Values of the items that have a sense among those of all; zeros for the others."""
    whole = values.new_zeros(len(present), *values.shape[1:])
    whole[present] = values
    return whole


def subsets(senses: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Each choice of senses, from none to all, in their order."""
    return [chosen for count in range(len(senses) + 1) for chosen in combinations(senses, count)]


def _without(encoded: Encoded, used: tuple[str, ...]) -> Encoded:
    return {
        sense: (value, lengths) if sense in used else (value.new_zeros(value.shape), lengths.new_zeros(lengths.shape))
        for sense, (value, lengths) in encoded.items()
    }
