"""Where what was written down differs most from what was said."""

from collections.abc import Sequence
from dataclasses import dataclass

from avpipe.answers import plain_text
from avpipe.objectives.edits import num_edits
from avpipe.report.answers import ScoredAnswer

MAX_ROWS = 40
LONGEST_TEXT = 400
"""Characters of a text that are shown."""


@dataclass(frozen=True, slots=True)
class TranscriptRow:
    """A transcript with errors."""

    recording: str
    edits: int
    """Words to change, add or leave out."""
    words: int
    """That were said."""
    true: str
    said: str


@dataclass(frozen=True, slots=True)
class Transcripts:
    """The worst of them, by the number of edits."""

    num_examples: int
    num_wrong: int
    rows: tuple[TranscriptRow, ...]


def transcripts_of(answers: Sequence[ScoredAnswer]) -> Transcripts:
    """The transcripts with most edits; texts are folded, as they are for the scores."""
    rows = [_row(answer) for answer in answers]
    wrong = sorted((row for row in rows if row.edits), key=lambda row: (-row.edits, row.words, row.recording))
    return Transcripts(len(answers), len(wrong), tuple(wrong[:MAX_ROWS]))


def _row(answer: ScoredAnswer) -> TranscriptRow:
    true = plain_text(answer.target)
    words = true.split()
    return TranscriptRow(
        answer.name, num_edits(answer.label.split(), words), len(words), _shown(true), _shown(answer.label)
    )


def _shown(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 4]} ..."
