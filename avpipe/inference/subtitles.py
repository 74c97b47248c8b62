"""Transcripts as subtitles and as plain text: a file beside the name of each recording."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from avpipe.inference.per_recording import Record, write_each

PAUSE_SEC = 0.7
"""From word to word, at which a subtitle ends."""

LONGEST_SEC = 6.0
LONGEST_LINE = 42
"""Characters; a subtitle has two lines at most.

Reference: BBC, "Subtitle Guidelines", 2024 (about 37 to 42 characters a line, two lines, one to seven seconds).
"""

LINGER_SEC = 0.5
"""For which a subtitle stays behind its last word, unless the next begins."""


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle."""

    start_sec: float
    end_sec: float
    lines: tuple[str, ...]


def cues(words: Sequence[Record]) -> Iterator[Cue]:
    """Words as subtitles, which end where the speaker pauses, or else where they would be too long.

    Args:
        words: with ``text``, ``start_sec`` and ``end_sec``, in their order.
    """
    parts: list[list[Record]] = []
    for word in words:
        if not parts or _is_full(parts[-1], word):
            parts.append([])
        parts[-1].append(word)
    for part, after in zip_longest(parts, parts[1:]):
        end_sec = part[-1]["end_sec"] + LINGER_SEC
        if after is not None:
            end_sec = min(end_sec, after[0]["start_sec"])
        yield Cue(part[0]["start_sec"], end_sec, tuple(_lines([word["text"] for word in part])))


def _is_full(part: Sequence[Record], word: Record) -> bool:
    """Whether a word does not belong to the words before it any more."""
    pauses = word["start_sec"] - part[-1]["end_sec"] >= PAUSE_SEC
    long = word["end_sec"] - part[0]["start_sec"] > LONGEST_SEC
    return pauses or long or len(list(_lines([each["text"] for each in (*part, word)]))) > 2


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

    def content(answer: Record) -> str:
        numbered = enumerate(_cues(answer), 1)
        return "".join(f"{number}\n{_span(cue, ',')}\n{_text(cue)}\n\n" for number, cue in numbered)

    return _write_each(folder, records, ".srt", content)


def write_vtt(folder: Path, records: Iterable[Record]) -> Path:
    """``<recording>.vtt`` for each transcript: WebVTT, which browsers show."""

    def content(answer: Record) -> str:
        return "WEBVTT\n\n" + "".join(f"{_span(cue, '.')}\n{_text(cue)}\n\n" for cue in _cues(answer))

    return _write_each(folder, records, ".vtt", content)


def write_txt(folder: Path, records: Iterable[Record]) -> Path:
    """``<recording>.txt`` for each transcript: a line a subtitle would be."""

    def content(answer: Record) -> str:
        return "".join(f"{' '.join(cue.lines)}\n" for cue in _cues(answer))

    return _write_each(folder, records, ".txt", content)


def _write_each(folder: Path, records: Iterable[Record], suffix: str, content: Callable[[Record], str]) -> Path:
    return write_each(
        folder, records, suffix, lambda answer: answer["text"] is not None, lambda _, answer: content(answer)
    )


def _cues(answer: Record) -> Iterator[Cue]:
    return cues(answer.get("words", ()))


def _text(cue: Cue) -> str:
    return "\n".join(cue.lines)


def _span(cue: Cue, point: str) -> str:
    return f"{_time(cue.start_sec, point)} --> {_time(cue.end_sec, point)}"


def _time(sec: float, point: str) -> str:
    whole, milliseconds = divmod(round(sec * 1000), 1000)
    minutes, seconds = divmod(whole, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}{point}{milliseconds:03}"
