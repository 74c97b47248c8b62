"""From one vector a sense to one vector."""

from collections.abc import Mapping

from torch import Tensor, cat, nn


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

    def forward(self, embeddings: dict[str, Tensor]) -> Tensor:
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

    def forward(self, embeddings: dict[str, Tensor]) -> Tensor:
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
