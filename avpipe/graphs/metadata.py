"""What a graph carries besides the network: all that answers need, as plain data in the file itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from avpipe.answers import (
    Answers,
    LabelAnswers,
    PieceAnswers,
    ScoreAnswers,
    ShotAnswers,
    SoundAnswers,
    TextAnswers,
    VoiceAnswers,
    WordAnswers,
)
from avpipe.graphs.errors import GraphError
from avpipe.windowing import Windowing

FORMAT = 1
KEY = "avpipe"
"""Of the entry of a graph's metadata that holds the card."""

_KINDS: tuple[type[Answers], ...] = (
    LabelAnswers,
    PieceAnswers,
    ScoreAnswers,
    ShotAnswers,
    SoundAnswers,
    WordAnswers,
    TextAnswers,
    VoiceAnswers,
)
"""Those that inherit from others before these."""


@dataclass(frozen=True, slots=True)
class Card:
    """Name and origin of a graph, how files are cut for it, and what its scores mean."""

    name: str
    task: str
    digest: str
    """SHA-256 of what determines the answers of the bundle that it was exported from."""
    notice: str
    licence: str
    senses: tuple[str, ...]
    """By which its answers can be told apart; none where there is but one."""
    inputs: Mapping[str, str]
    """By sense the name of the graph's input."""
    output: str
    """Name of the one that answers are made of; of several senses others begin with it."""
    step_sec: float
    windowing: Windowing
    answers: Answers
    least: Mapping[str, Any] = field(default_factory=dict)
    """Steps of each input, by its name, to which a shorter window is padded; of a step's state its shape."""
    quantize: str | None = None
    streaming: bool = False
    """Whether it is one step of a filter, with its state."""

    def to_text(self) -> str:
        """As JSON."""
        kind = next(kind for kind in _KINDS if isinstance(self.answers, kind))
        plain = {name: getattr(self, name) for name in self.__slots__}
        plain["windowing"] = self.windowing.settings
        plain["answers"] = {"kind": kind.__name__, **self.answers.settings}
        return json.dumps({"format": FORMAT, **plain}, ensure_ascii=False)

    @classmethod
    def from_text(cls, path: Path, text: str) -> Self:
        """What :meth:`to_text` gave.

        Raises:
            GraphError: if it is of another format.
        """
        try:
            plain = json.loads(text)
            if (found := plain.pop("format")) != FORMAT:
                raise GraphError(path, f"graph format {found}, and this avpipe reads {FORMAT}", "export it again")
            settings = plain.pop("answers")
            (kind,) = (each for each in _KINDS if each.__name__ == settings["kind"])
            made = kind(**{name: value for name, value in settings.items() if name != "kind"})
            plain["senses"] = tuple(plain["senses"])
            return cls(**{**plain, "windowing": Windowing.from_settings(plain["windowing"]), "answers": made})
        except (ValueError, KeyError, TypeError) as error:
            raise GraphError(path, "what it says of itself cannot be read", "export it again") from error
