"""From a network's scores to answers in a person's terms; numpy only, whatever has computed the scores."""

from avpipe.answers.alignment import BLANK, likeliest_path, runs
from avpipe.answers.answers import Answers
from avpipe.answers.decoded import Boundary, Decoded, FrameScores, Shot, Word
from avpipe.answers.labels import UNKNOWN, LabelAnswers
from avpipe.answers.numbers import ScoreAnswers
from avpipe.answers.pieces import PieceAnswers
from avpipe.answers.shots import ShotAnswers
from avpipe.answers.sounds import SoundAnswers
from avpipe.answers.texts import TextAnswers, WordAnswers, joined, plain_text, written_text
from avpipe.answers.voices import VoiceAnswers

__all__ = [
    "BLANK",
    "UNKNOWN",
    "Answers",
    "Boundary",
    "Decoded",
    "FrameScores",
    "LabelAnswers",
    "PieceAnswers",
    "ScoreAnswers",
    "Shot",
    "ShotAnswers",
    "SoundAnswers",
    "TextAnswers",
    "VoiceAnswers",
    "Word",
    "WordAnswers",
    "joined",
    "likeliest_path",
    "plain_text",
    "runs",
    "written_text",
]
