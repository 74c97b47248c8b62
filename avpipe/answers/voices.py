"""Whose voice it is."""

import base64
import copy
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from avpipe.answers.answers import Answers
from avpipe.answers.decoded import Decoded
from avpipe.answers.labels import UNKNOWN
from avpipe.answers.similarity import cosines, normalised


class VoiceAnswers(Answers):
    """A vector of length 1, near to those of the same voice; of a file the mean direction of its windows'.

    Args:
        dim: length of the vectors.
        cohort: how many voices of training, the nearest ones, normalise a similarity; 0: it is the plain cosine.
        threshold: the similarity from which on two recordings are taken to be of one voice; None: not known.
        spread: the unit in which scores leave the threshold.
        cohort_vectors: float32 in base64, a row a voice of training; with ``cohort=0`` there are none.
    """

    def __init__(
        self, dim: int, cohort: int, threshold: float | None, spread: float, cohort_vectors: str | None = None
    ) -> None:
        self.dim = dim
        self.cohort = cohort
        self.threshold = threshold
        self.spread = spread
        self.people: tuple[str, ...] = ()
        """Whom answers may name; see :meth:`with_people`."""
        self._enrolled = np.zeros((0, dim), np.float32)
        self._cohort_vectors = np.frombuffer(base64.b64decode(cohort_vectors or ""), np.float32).reshape(-1, dim)

    @property
    def cohort_vectors(self) -> np.ndarray:
        """(voices, dim), those of the voices of training."""
        return self._cohort_vectors

    @property
    def settings(self) -> dict[str, Any]:
        vectors = base64.b64encode(self.cohort_vectors.tobytes()).decode() if self.cohort else None
        return {
            "dim": self.dim,
            "cohort": self.cohort,
            "threshold": self.threshold,
            "spread": self.spread,
            "cohort_vectors": vectors,
        }

    def similarities(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """How alike vectors are, the higher the more: cosines, or with ``cohort`` deviations from those with others.

        Shape:
            one: (N, dim); other: (M, dim); both of length 1. Returns (N, M), float32.
        """
        if not self.cohort:
            return cosines(one, other)
        return normalised(one, other, self.cohort_vectors, self.cohort)

    def with_people(self, people: Sequence[str], vectors: np.ndarray) -> Self:
        """This objective, which then also says who of ``people`` it hears, or ``unknown``.

        The score of a person is a logistic function of the similarity: one half at the threshold, and 0.73 a
        ``spread`` above. It ranks and can be read at a glance. It is no probability: how often the people of a gallery
        speak in what will be asked, nobody has told. The label's score is the nearest person's, so that of ``unknown``
        lies below one half.

        Args:
            people: their names, each once.
            vectors: of length 1, a row a person.

        Raises:
            ValueError: if no threshold is known, or a name stands for nobody.
        """
        if self.threshold is None:
            raise ValueError("without a threshold nobody can be told from strangers")
        if not people or len(set(people)) != len(people) or UNKNOWN in people:
            raise ValueError(f"people must be one or more different ones, none of them called {UNKNOWN}")
        knowing = copy.copy(self)
        knowing.people, knowing._enrolled = tuple(people), np.asarray(vectors, np.float32)
        return knowing

    def said(self, scores: np.ndarray, lengths: np.ndarray | None = None) -> list[Decoded]:
        """
        Shape:
            scores: (B, dim), of any length.
        """
        return [self._answer(vector) for vector in scores.astype(np.float64)]

    def combine(self, windows: Sequence[Decoded], weights: Sequence[float]) -> Decoded:
        """The mean, weighted by the windows' seconds; its direction is the answer (:meth:`finished`).

        Of full length, it would weigh more than its windows when others join it.
        """
        mean = np.average([window.embedding for window in windows], axis=0, weights=weights)
        return Decoded(embedding=tuple(mean.tolist()))

    def finished(self, combined: Decoded) -> Decoded:
        return self._answer(np.array(combined.embedding))

    def _answer(self, vector: np.ndarray) -> Decoded:
        """What is said of a direction."""
        vector = vector / max(float(np.linalg.norm(vector)), 1e-12)
        embedding = tuple(vector.tolist())
        if not self.people or self.threshold is None:
            return Decoded(embedding=embedding)
        # One at a time, as for many at once a sum may be taken in another order.
        beyond = (self.similarities(vector[None], self._enrolled)[0] - self.threshold) / self.spread
        scores = 0.5 + 0.5 * np.tanh(0.5 * beyond.astype(np.float64))
        nearest = int(beyond.argmax())
        label = self.people[nearest] if beyond[nearest] >= 0 else UNKNOWN
        told = dict(zip(self.people, scores.tolist(), strict=True))
        return Decoded(label, float(scores[nearest]), told, embedding=embedding)
