"""From one vector a sense to one vector.

A fusion is made from the vectors' lengths by sense, has ``out_dim``, and is called with the vectors and with how much
there is of each sense: 0 steps where an item lacks it, whose vector is zeros then. What an item lacks must not be
looked at.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, cat, nn

Lengths = Mapping[str, Tensor]
"""(B,) a sense, in steps; 0: the item lacks it."""


class Identity(nn.Module):
    """One sense: its vector as it is.

    Args:
        feature_dims: length of the sense's vector, by its name.
    """

    def __init__(self, feature_dims: Mapping[str, int]) -> None:
        super().__init__()
        if len(feature_dims) != 1:
            raise ValueError(f"identity fuses one sense, not {len(feature_dims)} ({', '.join(feature_dims)})")
        (self.out_dim,) = feature_dims.values()

    def forward(self, embeddings: dict[str, Tensor], lengths: Lengths | None = None) -> Tensor:
        """
        Shape:
            embeddings: (B, dim) for the one sense; returns (B, out_dim).
        """
        (embedding,) = embeddings.values()
        return embedding


class Concatenation(nn.Module):
    """The senses' vectors one after the other; zeros stand for a sense that the batch lacks.

    Args:
        feature_dims: length of each sense's vector, by its name.
    """

    def __init__(self, feature_dims: Mapping[str, int]) -> None:
        super().__init__()
        self.feature_dims = dict(feature_dims)
        self.out_dim = sum(feature_dims.values())

    def forward(self, embeddings: dict[str, Tensor], lengths: Lengths | None = None) -> Tensor:
        """
        Shape:
            embeddings: (B, dim) for each sense; returns (B, out_dim).
        """
        present = next(iter(embeddings.values()))
        parts = [
            embeddings[sense] if sense in embeddings else present.new_zeros(len(present), dim)
            for sense, dim in self.feature_dims.items()
        ]
        return cat(parts, dim=1)


class GatedFusion(nn.Module):
    """A vector between those of the senses, at each of its places nearer to that sense which the gates open for.

    Args:
        feature_dims: length of each sense's vector, by its name.
        dim: length of the vector that comes of them.

    Reference:
        J. Arevalo et al., "Gated Multimodal Units for Information Fusion", 2017, arXiv:1702.01992. Their sigmoid is the
        softmax over two senses; here it is taken over the senses that an item has, so that one alone is whole.
    """

    def __init__(self, feature_dims: Mapping[str, int], dim: int = 64) -> None:
        super().__init__()
        total = sum(feature_dims.values())
        self.states = nn.ModuleDict({sense: nn.Linear(length, dim) for sense, length in feature_dims.items()})
        self.gates = nn.ModuleDict({sense: nn.Linear(total, dim, bias=False) for sense in feature_dims})
        self.out_dim = dim

    def forward(self, embeddings: dict[str, Tensor], lengths: Lengths) -> Tensor:
        """
        Shape:
            embeddings: (B, dim) and lengths: (B,) for each sense; returns (B, out_dim), zeros for an item without any.
        """
        every = cat([embeddings[sense] for sense in self.states], dim=1)
        present = torch.stack([lengths[sense] > 0 for sense in self.states])[:, :, None]
        states = torch.stack([layer(embeddings[sense]).tanh() for sense, layer in self.states.items()])
        gates = torch.stack([self.gates[sense](every) for sense in self.states])
        weights = gates.masked_fill(~present, -1e4).softmax(0) * present
        return (weights * states).sum(0)


class LowRankFusion(nn.Module):
    """All products of what the senses tell, by factors of low rank.

    Args:
        feature_dims: length of each sense's vector, by its name.
        dim: length of the vector that comes of them.
        rank: number of factors.

    Reference:
        Z. Liu et al., "Efficient Low-rank Multimodal Fusion with Modality-Specific Factors", 2018, arXiv:1806.00064.
        The 1 that they set behind each vector is all that is left of a sense which an item lacks. Vectors go through a
        normalisation of each by itself first, as products of products of large numbers do not train.
    """

    def __init__(self, feature_dims: Mapping[str, int], dim: int = 64, rank: int = 4) -> None:
        super().__init__()
        self.norms = nn.ModuleDict({sense: nn.LayerNorm(length) for sense, length in feature_dims.items()})
        self.factors = nn.ModuleDict({sense: nn.Linear(length, rank * dim) for sense, length in feature_dims.items()})
        self.weights = nn.Parameter(torch.full((rank,), 1.0 / rank))
        self.bias = nn.Parameter(torch.zeros(dim))
        self.out_dim = dim

    def forward(self, embeddings: dict[str, Tensor], lengths: Lengths) -> Tensor:
        """
        Shape:
            embeddings: (B, dim) and lengths: (B,) for each sense; returns (B, out_dim).
        """
        product: Tensor | float = 1.0
        for sense, factor in self.factors.items():
            present = (lengths[sense] > 0)[:, None]
            product = product * factor(self.norms[sense](embeddings[sense]) * present)
        assert isinstance(product, Tensor)
        return self.weights @ product.reshape(-1, len(self.weights), self.out_dim) + self.bias
