"""The order in which training items come."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from torch.utils.data import Sampler

from avpipe.augment import item_generator


class Order(Protocol):
    """Puts what an epoch drew into batches."""

    def ordered(self, places: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """
        Shape:
            places: (draws,), an item's index or that and a multiple of their number; returned in another order.
        """
        ...


@dataclass(frozen=True, slots=True)
class Buckets:
    """Batches of items of like length, so that little is padded.

    Args:
        lengths_sec: of each item.
        batch_size: items a batch.
    """

    lengths_sec: Sequence[float]
    batch_size: int

    BATCHES: ClassVar[int] = 16
    """Of a bucket: within it items are sorted, so that the longest are not always together."""

    def ordered(self, places: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Places of an epoch, as they were drawn, in whole batches of like length; one that is not whole is the last.

        Shape:
            places: (draws,), an item's index or that and a multiple of their number; returned in another order.
        """
        lengths = np.asarray(self.lengths_sec)
        bucket = self.BATCHES * self.batch_size
        batches = []
        for first in range(0, len(places), bucket):
            part = places[first : first + bucket]
            part = part[np.argsort(lengths[part % len(lengths)], kind="stable")]
            batches += [part[place : place + self.batch_size] for place in range(0, len(part), self.batch_size)]
        whole = [batch for batch in batches if len(batch) == self.batch_size]
        rest = [batch for batch in batches if len(batch) < self.batch_size]
        return np.concatenate([whole[place] for place in generator.permutation(len(whole))] + rest)


@dataclass(frozen=True, slots=True)
class Companions:
    """Batches in which each label stands several times: for losses that compare items.

    Args:
        labels: of each item.
        each: items of a label that stand together; of a label that was drawn more often the rest stands apart.
    """

    labels: Sequence[str]
    each: int = 4

    def ordered(self, places: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Places of an epoch, as they were drawn, those of one label in groups; groups come in a drawn order.

        Shape:
            places: (draws,), an item's index or that and a multiple of their number; returned in another order.
        """
        labels = np.unique(np.asarray(self.labels), return_inverse=True)[1][places % len(self.labels)]
        drawn = [places[labels == label] for label in range(labels.max() + 1)]
        groups = [part[first : first + self.each] for part in drawn for first in range(0, len(part), self.each)]
        return np.concatenate([groups[place] for place in generator.permutation(len(groups))])


@dataclass(frozen=True, slots=True)
class Share:
    """What one of several processes takes of an epoch: of each batch of all of them its own, whole part.

    Batch n of all processes together is batch n of one process whose batches are as large as theirs together. What is
    left over is left out, as every process must take as many steps.

    Args:
        rank: of the process, from 0.
        processes: of the training.
        batch_size: of one process.
        whole: leave out a last batch that is smaller.
    """

    rank: int
    processes: int
    batch_size: int
    whole: bool

    def of(self, places: np.ndarray) -> np.ndarray:
        """
        Shape:
            places: (draws,); returns those of this process, equally many for each.
        """
        if self.whole:
            together = self.processes * self.batch_size
            kept = places[: len(places) // together * together]
            return kept.reshape(-1, self.processes, self.batch_size)[:, self.rank].ravel()
        kept = places[: len(places) // self.processes * self.processes]
        return kept.reshape(self.processes, -1)[self.rank]


class EpochSampler(Sampler[int]):
    """Places of a data set in a seeded order, another one each epoch, with the epoch told in the place.

    Args:
        size: of the data set.
        seed: of the orders.
        weights: (size,), how often each item comes, relative to the others; None: each comes once a pass.
        passes: over all items in an epoch, each in its own order and with its own draws.
        order: puts them into batches; None: they come as they are drawn.
        share: what of it this process takes; None: all.
    """

    def __init__(
        self,
        size: int,
        seed: int,
        weights: Sequence[float] | None = None,
        passes: int = 1,
        order: Order | None = None,
        share: Share | None = None,
    ) -> None:
        self.size = size
        self.seed = seed
        self.passes = passes
        self.order = order
        self.share = share
        self.weights = None if weights is None else np.asarray(weights) / np.sum(weights)
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this before each epoch, also after a resume."""
        self.epoch = epoch

    def __len__(self) -> int:
        whole = self.passes * self.size
        return whole if self.share is None else len(self.share.of(np.arange(whole)))

    def __iter__(self) -> Iterator[int]:
        places = []
        for number in range(self.epoch * self.passes, (self.epoch + 1) * self.passes):
            generator = item_generator(self.seed, number, self.size)
            if self.weights is None:
                indices = generator.permutation(self.size)
            else:
                indices = generator.choice(self.size, self.size, p=self.weights)
            places.append(number * self.size + indices)
        drawn = np.concatenate(places)
        ordered = drawn if self.order is None else self.order.ordered(drawn, generator)
        yield from (ordered if self.share is None else self.share.of(ordered)).tolist()
