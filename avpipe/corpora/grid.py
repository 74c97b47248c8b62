"""GRID: short spoken commands, seen and heard."""

import math
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from avpipe.corpora.corpus import Corpus, choose_label, find_root
from avpipe.corpora.example import Example
from avpipe.media import FILM_SUFFIXES, find_media

_WORDS: tuple[dict[str, str], ...] = (
    {"b": "bin", "l": "lay", "p": "place", "s": "set"},
    {"b": "blue", "g": "green", "r": "red", "w": "white"},
    {"a": "at", "b": "by", "i": "in", "w": "with"},
    {letter: letter for letter in "abcdefghijklmnopqrstuvxyz"},
    {"z": "zero", "1": "one", "2": "two", "3": "three", "4": "four"}
    | {"5": "five", "6": "six", "7": "seven", "8": "eight", "9": "nine"},
    {"a": "again", "n": "now", "p": "please", "s": "soon"},
)
"""By their signs in a name: command, colour, preposition, letter (all but w), digit, adverb."""

_SPEAKER = re.compile(r"s\d+")
_NO_WORDS = ("sil", "sp")
_TICKS_PER_SEC = 25_000.0
"""Of an alignment: a thousandth of a frame."""
_LONGEST_SEC = 3.1
"""Films are of 75 frames, 3 s; some end a few frames later."""


class Grid(Corpus):
    """Sentences of six words, such as ``bin blue at f two now``, each a film of three seconds.

    The film's name is the code of its sentence (``bbaf2n``), a folder above it named ``s1``, ``s2`` ... its speaker,
    who is the group; a folder of films without such folders has no groups. Where there is an alignment
    (``bbaf2n.align``, lines ``start end word``), beside the film, in ``align`` beside it or above it, or in
    ``align/<speaker>`` or ``alignments/<speaker>``, the text is what it says. An alignment that says other words than
    the name is told; one that does not fit - no such lines, times out of order or beyond the film - is told and leaves
    the text to the name. Films with other names are left out.

    Reference: M. Cooke, J. Barker, S. Cunningham, X. Shao, "An audio-visual corpus for speech perception and automatic
    speech recognition", JASA 120(5), 2006, doi:10.1121/1.2229005.
    """

    name = "grid"
    licence = "CC BY 4.0"
    has_classes = False

    def __init__(self, root: str | Path | None = None, label: str = "text") -> None:
        self.label = choose_label(self.name, label, ("text",))
        self.root = find_root(self.name, root, "grid", "GRID from zenodo.org/records/3625687")

    @property
    def notes(self) -> tuple[str, ...]:
        return self._scanned[1]

    def scan(self) -> Iterator[Example]:
        yield from self._scanned[0]

    @cached_property
    def _scanned(self) -> tuple[tuple[Example, ...], tuple[str, ...]]:
        """Examples, and what is wrong with their alignments."""
        examples, notes = [], []
        for path in find_media(self.root):
            text = sentence(path.stem)
            if path.suffix.lower() not in FILM_SUFFIXES or text is None:
                continue
            above = reversed(path.relative_to(self.root).parent.parts)
            speaker = next((part for part in above if _SPEAKER.fullmatch(part)), "")
            alignment = self._alignment(path, speaker)
            if alignment is not None:
                said, doubt = _read_alignment(alignment)
                if not doubt and said != text:
                    doubt = f"says {said!r}, and the film's name {text!r}: the alignment is taken"
                notes += [f"{alignment}: {doubt}"] if doubt else []
                text = said or text
            examples.append(Example(path, text, group=speaker))
        return tuple(examples), tuple(notes)

    def _alignment(self, path: Path, speaker: str) -> Path | None:
        """The alignment of a film, where there is one."""
        name = f"{path.stem.lower()}.align"
        folders = [path.parent]
        while folders[-1] != self.root and folders[-1] != folders[-1].parent:
            folders.append(folders[-1].parent)
        places = [folder / inner for folder in folders for inner in ("", "align", *_under(speaker))]
        # A folder of several speakers' alignments in one heap would give one's words to another.
        own = [place for place in places if not speaker or speaker in place.relative_to(self.root).parts]
        return next((place / name for place in own if (place / name).is_file()), None)


def _under(speaker: str) -> tuple[str, ...]:
    return (f"align/{speaker}", f"alignments/{speaker}") if speaker else ("alignments",)


def sentence(code: str) -> str | None:
    """What the code of a sentence says; None: it is no code."""
    signs = code.lower()
    if len(signs) != len(_WORDS) or any(sign not in words for sign, words in zip(signs, _WORDS, strict=True)):
        return None
    return " ".join(words[sign] for sign, words in zip(signs, _WORDS, strict=True))


def _read_alignment(path: Path) -> tuple[str, str]:
    """(words without silences, what is wrong with the alignment); no words where it cannot be read."""
    words: list[str] = []
    ended = 0.0
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return "", "cannot be read: the text is that of the film's name"
    for number, line in enumerate(lines, start=1):
        cells = line.split()
        if not cells:
            continue
        try:
            start, end, word = float(cells[0]), float(cells[1]), cells[2]
        except (ValueError, IndexError):
            return "", f"line {number} is no 'start end word': the text is that of the film's name"
        if not (math.isfinite(end) and ended <= start <= end):
            return "", f"line {number}: times out of order: the text is that of the film's name"
        ended = end
        if word.lower() not in _NO_WORDS:
            words.append(word.lower())
    if not words:
        return "", "holds no word: the text is that of the film's name"
    seconds = ended / _TICKS_PER_SEC
    if seconds > _LONGEST_SEC:
        return "", f"ends at {seconds:.2f} s, beyond a film of 3 s: the text is that of the film's name"
    return " ".join(words), ""
