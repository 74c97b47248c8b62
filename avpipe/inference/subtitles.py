"""Transcripts as subtitles and as plain text: a file beside the name of each recording."""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from avpipe.inference.per_recording import Record, write_each
from avpipe.inference.word_times import EARLY_SEC

SUBTITLES = frozenset(("srt", "vtt", "txt"))
"""Formats that are shaped by pauses."""

PAUSE_SEC = 0.7
"""Between two stretches of speech, at which a subtitle ends; where these are not known, from word to word."""

LONGEST_SEC = 6.0
LONGEST_LINE = 42
"""Characters; a subtitle has two lines at most.

Reference: BBC, "Subtitle Guidelines", 2024 (about 37 to 42 characters a line, two lines, one to seven seconds).
"""

SHORTEST_SEC = 1.0
LINGER_SEC = 0.5
"""For which a subtitle stays behind its last word where nobody knows when that fell silent.

No subtitle stays when the next begins.
"""


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle."""

    start_sec: float
    end_sec: float
    lines: tuple[str, ...]


def cues(words: Sequence[Record], speech: Sequence[Sequence[float]] = (), last_sec: float = math.inf) -> Iterator[Cue]:
    """Words as subtitles, which end where the speaker pauses, or else where they would be too long.

    Args:
        words: with ``text``, ``start_sec`` and ``end_sec``, in their order.
        speech: (start, end) in seconds of each stretch in which somebody speaks, in their order; none: not known.
        last_sec: where the recording ends, beyond which no subtitle stays.
    """
    heard = _Speech(speech)
    parts: list[list[Record]] = []
    for word in words:
        if not parts or heard.pauses_between(parts[-1][-1], word) or _is_full(parts[-1], word):
            parts.append([])
        parts[-1].append(word)
    starts = [part[0]["start_sec"] for part in parts]
    for part, (start_sec, next_sec) in zip(parts, pairwise([*starts, last_sec]), strict=True):
        end_sec = min(heard.shown_until(part), next_sec)
        yield Cue(start_sec, end_sec, tuple(_lines([word["text"] for word in part])))


class _Speech:
    """What is known of words from where somebody speaks.

    Args:
        stretches: (start, end) in seconds, in their order; without any, words speak for themselves.
    """

    def __init__(self, stretches: Sequence[Sequence[float]]) -> None:
        self._stretches = stretches
        self._starts = [start for start, _ in stretches]
        between = ((end, start) for (_, end), (start, _) in pairwise(stretches))
        self._pauses = [(start + end) / 2 for start, end in between if end - start >= PAUSE_SEC - 1e-6]

    def pauses_between(self, word: Record, after: Record) -> bool:
        """Whether the speaker pauses between two words, one after the other."""
        gap_sec = after["start_sec"] - word["end_sec"]
        if not self._stretches:
            return gap_sec >= PAUSE_SEC
        before, behind = (bisect_left(self._pauses, _middle(each)) for each in (word, after))
        return before < behind or gap_sec >= PAUSE_SEC + EARLY_SEC

    def shown_until(self, part: Sequence[Record]) -> float:
        """When the subtitle of some words ends, in seconds, unless the next begins."""
        last_sec = part[-1]["end_sec"]
        place = bisect_left(self._starts, last_sec) - 1
        if place < 0 or self._stretches[place][1] <= part[-1]["start_sec"]:
            place += 1  # a soft beginning is found late: the word may lie before its stretch
        if place == len(self._starts) or self._starts[place] > last_sec + LINGER_SEC:
            return last_sec + LINGER_SEC
        silent_sec = min(self._stretches[place][1], last_sec + EARLY_SEC)
        return max(silent_sec, last_sec, part[0]["start_sec"] + SHORTEST_SEC)


def _middle(word: Record) -> float:
    return (word["start_sec"] + word["end_sec"]) / 2


def _is_full(part: Sequence[Record], word: Record) -> bool:
    """Whether a subtitle has no room for a word."""
    long = word["end_sec"] - part[0]["start_sec"] > LONGEST_SEC
    return long or len(list(_lines([each["text"] for each in (*part, word)]))) > 2


def _lines(words: Iterable[str]) -> Iterator[str]:
    """Words in lines; one that is longer than a line has its own."""
    line = ""
    for word in words:
        if line and len(line) + 1 + len(word) > LONGEST_LINE:
            yield line
            line = word
        else:
            line = f"{line} {word}".strip()
    if line:
        yield line


def write_srt(folder: Path, records: Iterable[Record]) -> Path:
    """``<recording>.srt`` for each transcript: SubRip, numbered subtitles."""

    def content(found: Iterator[Cue]) -> str:
        numbered = enumerate(found, 1)
        return "".join(f"{number}\n{_span(cue, ',')}\n{_text(cue)}\n\n" for number, cue in numbered)

    return _write_each(folder, records, ".srt", content)


def write_vtt(folder: Path, records: Iterable[Record]) -> Path:
    """``<recording>.vtt`` for each transcript: WebVTT, which browsers show."""

    def content(found: Iterator[Cue]) -> str:
        return "WEBVTT\n\n" + "".join(f"{_span(cue, '.')}\n{_text(cue)}\n\n" for cue in found)

    return _write_each(folder, records, ".vtt", content)


def write_txt(folder: Path, records: Iterable[Record]) -> Path:
    """``<recording>.txt`` for each transcript: a line a subtitle would be."""

    def content(found: Iterator[Cue]) -> str:
        return "".join(f"{' '.join(cue.lines)}\n" for cue in found)

    return _write_each(folder, records, ".txt", content)


def _write_each(folder: Path, records: Iterable[Record], suffix: str, content: Callable[[Iterator[Cue]], str]) -> Path:
    def found(record: Record, answer: Record) -> Iterator[Cue]:
        return cues(answer.get("words", ()), answer.get("speech", ()), record["coverage"]["asked_sec"])

    return write_each(
        folder,
        records,
        suffix,
        lambda answer: answer["text"] is not None,
        lambda record, answer: content(found(record, answer)),
    )


def _text(cue: Cue) -> str:
    return "\n".join(cue.lines)


def _span(cue: Cue, point: str) -> str:
    return f"{_time(cue.start_sec, point)} --> {_time(cue.end_sec, point)}"


def _time(sec: float, point: str) -> str:
    whole, milliseconds = divmod(round(sec * 1000), 1000)
    minutes, seconds = divmod(whole, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}{point}{milliseconds:03}"
