"""A search for the text of a window: among the words of a list, weighed by a language model."""

import math
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from avpipe.answers import BLANK, TextAnswers, Word, joined, plain_text, runs, written_text
from avpipe.errors import ArgumentError
from avpipe.files import muted, sha256_of

if TYPE_CHECKING:
    from torchaudio.models.decoder import CTCDecoder

_NEVER = -1e6
"""Logarithm of the likelihood of what may not be; the search takes no infinity."""

_LARGEST_BEAM = 10_000

_MOST_SHOWN = 10
"""Letters that are named."""


@dataclass(frozen=True, slots=True)
class BeamSettings:
    """How to search.

    Raises:
        ArgumentError: for numbers that cannot be.
    """

    beam_size: int = 50
    """Beginnings of texts that are followed at a time."""
    lexicon: str | Path | None = None
    """A text whose words may be said, and no others; a line with a tab is a word, as it is to be written, and how it is
    spelled. None: any."""
    lm: str | Path | None = None
    """An n-gram model of words, ARPA or KenLM's binary form."""
    lm_weight: float = 2.0
    """Of its logarithms, to base 10, beside the network's natural ones."""
    word_score: float = 0.0
    """Added for each word: above 0 more and shorter ones, below 0 fewer and longer ones."""

    def __post_init__(self) -> None:
        if not 1 <= self.beam_size <= _LARGEST_BEAM:
            raise ArgumentError(f"decoding.beam_size={self.beam_size}", f"is not from 1 to {_LARGEST_BEAM}")
        for name in ("lm_weight", "word_score"):
            if not math.isfinite(getattr(self, name)):
                raise ArgumentError(f"decoding.{name}={getattr(self, name)}", "is no number")


class BeamSearch:
    """Finds the words whose likeliest path, language model and number score highest, and when they were said.

    Where any letters may be said (units that are no words, and no lexicon) it finds the text that all its paths
    together make likeliest; a language model needs words to tell of. Between two words lies at least one step of
    :attr:`TextAnswers.separator`, or where no unit separates, of the blank. A language model takes each window for a
    sentence.

    Args:
        transcription: whose outputs are searched.
        settings: how.

    Raises:
        ArgumentError: if flashlight-text is not installed, if a file cannot be read or tells nothing usable.

    Reference:
        J. Kahn et al., "Flashlight: Enabling Innovation in Tools for Machine Learning", ICML 2022 (its decoders, as
        torchaudio offers them); K. Heafield, "KenLM: Faster and Smaller Language Model Queries", WMT 2011.
    """

    def __init__(self, transcription: TextAnswers, settings: BeamSettings) -> None:
        if find_spec("flashlight") is None:
            raise ArgumentError("decoding=beam", "its search is not installed", 'pip install "avpipe[lm]"')
        self.units = transcription.units
        self._written: dict[str, str] = {}
        """How the list writes its words, which models of words know in small letters."""
        self.warnings: list[str] = []
        """What a user should know of the files, a line each."""
        spellings = self._spellings(transcription, settings.lexicon)
        self.says_words = bool(spellings)
        """Whether it finds whole words, and not units."""
        if settings.lm is not None and not self.says_words:
            reason = "is a model of words, and any letters may be said"
            raise ArgumentError(f"decoding.lm={settings.lm}", reason, "give decoding.lexicon, its words, as well")
        # Where no unit stands between words, an output more does, which is as likely as the blank.
        between = [place for place, unit in enumerate(self.units, 1) if unit == transcription.separator]
        self._separator = between[0] if between else len(self.units) + 1
        self._decoder = _decoder(len(self.units), self._separator, spellings, settings)
        if settings.lm is not None:
            self._check_known(list(spellings), settings.lm)
        self.told: Mapping[str, Any] = {
            "name": "beam",
            "beam_size": settings.beam_size,
            "lexicon_sha256": None if settings.lexicon is None else sha256_of(Path(settings.lexicon)),
            "lm_sha256": None if settings.lm is None else sha256_of(Path(settings.lm)),
            "lm_weight": settings.lm_weight,
            "word_score": settings.word_score,
        }
        """The settings, with the contents of the files in place of their names."""

    def __call__(self, log_probs: np.ndarray) -> list[Word]:
        """
        Shape:
            log_probs: (steps, outputs), natural logarithms; there may be no step.

        Returns:
            words, or where there is no lexicon units, with times in steps.
        """
        if not len(log_probs):
            return []
        heard = self._ended(log_probs) if self.says_words else log_probs
        (hypotheses,) = self._decoder(torch.from_numpy(np.ascontiguousarray(heard))[None])
        if not hypotheses:
            return []
        best = hypotheses[0]
        if not self.says_words:
            return self._aligned(log_probs, best.tokens.tolist())
        spelled = [list(word) for is_gap, word in groupby(best.tokens.tolist(), self._separator.__eq__) if not is_gap]
        # A spelling more than there are words is of one that the window's end cut off.
        return self._timed(log_probs, best.words, spelled[: len(best.words)])

    def _ended(self, log_probs: np.ndarray) -> np.ndarray:
        """One step more, in which the last word ends."""
        if self._separator == log_probs.shape[1]:
            log_probs = np.concatenate([log_probs, log_probs[:, BLANK, None]], 1)
        end = np.full((1, log_probs.shape[1]), _NEVER, log_probs.dtype)
        end[0, self._separator] = 0.0
        return np.concatenate([log_probs, end])

    def _timed(self, log_probs: np.ndarray, words: Sequence[str], spelled: Sequence[Sequence[int]]) -> list[Word]:
        gap = [self._separator] if self._separator <= len(self.units) else []
        places = [place for spelling in spelled for place in (*gap, *spelling)][len(gap) :]
        units = self._aligned(log_probs, places)
        told, first = [], 0
        for word, spelling in zip(words, spelled, strict=True):
            whole = joined(units[first : first + len(spelling)])
            told.append(Word(self._written.get(word, word), whole.start_sec, whole.end_sec, whole.score))
            first += len(spelling) + len(gap)
        return told

    def _aligned(self, log_probs: np.ndarray, places: Sequence[int]) -> list[Word]:
        found = runs(log_probs, forced_path(log_probs, places))
        return [run.named(self.units[run.place - 1]) for run in found]

    def _spellings(self, transcription: TextAnswers, lexicon: str | Path | None) -> dict[str, list[list[int]]]:
        """The outputs of each word that may be said, in all its spellings."""
        if lexicon is None:
            entries = [(word, word) for word in transcription.own_words()]
        else:
            entries = list(dict.fromkeys(_entries(lexicon)))
        found: dict[str, list[list[int]]] = defaultdict(list)
        left_out: list[tuple[str, str]] = []
        for written, spelling in entries:
            places = transcription.spelled(spelling)
            if places:
                word = plain_text(written)
                found[word].append(places)
                self._written.setdefault(word, written)
            else:
                left_out.append((written, spelling))
        if lexicon is not None and not found:
            raise _no_word(transcription, lexicon, left_out)
        if left_out:
            foreign = set().union(*(transcription.foreign(spelling) for _, spelling in left_out))
            told = f"{len(left_out)} of {len(entries)} words are left out: the bundle never learned {_shown(foreign)}"
            self.warnings.append(f"decoding.lexicon={lexicon}: {told}")
        return dict(found)

    def _check_known(self, words: Sequence[str], lm: str | Path) -> None:
        model, places = self._decoder.lm, self._decoder.word_dict

        def score(word: str) -> float:
            return float(model.score(model.start(False), places.get_index(word))[1])

        # The model tells of each word that it does not know what it tells of the unknown word.
        unknown = score("<unk>")
        num_unknown = sum(score(word) == unknown for word in words)
        if num_unknown == len(words) > 1:
            remedy = "are its words in small letters, as those of transcripts?"
            raise ArgumentError(f"decoding.lm={lm}", "knows none of the words that may be said", remedy)
        if num_unknown:
            self.warnings.append(f"decoding.lm={lm}: {num_unknown} of {len(words)} words are unknown to it")


def forced_path(log_probs: np.ndarray, places: Sequence[int]) -> np.ndarray:
    """The likeliest path that says just these units.

    Shape:
        log_probs: (steps, outputs); returns (steps,).

    Reference:
        L. Kürzinger et al., "CTC-Segmentation of Large Corpora for German End-to-End Speech Recognition", SPECOM 2020;
        here :func:`torchaudio.functional.forced_align`, which frees no beginning and no end.
    """
    from torchaudio.functional import forced_align

    if not places:
        return np.full(len(log_probs), BLANK)
    path, _ = forced_align(torch.from_numpy(log_probs)[None], torch.tensor([places]), blank=BLANK)
    return path[0].numpy()


def _no_word(transcription: TextAnswers, lexicon: str | Path, left_out: Sequence[tuple[str, str]]) -> ArgumentError:
    """The error of a list of which nothing can be said."""
    if not left_out:
        return ArgumentError(f"decoding.lexicon={lexicon}", "holds no word", "give a text of words, or leave it out")
    written, spelling = left_out[0]
    foreign = _shown(transcription.foreign(spelling))
    reason = f"holds no word that this bundle can say: of {written!r} it never learned {foreign}"
    return ArgumentError(f"decoding.lexicon={lexicon}", reason, f"it knows {_shown(set(transcription.units) - {' '})}")


def _shown(units: Iterable[str]) -> str:
    """Some units, and whether there are more."""
    named = sorted(units)
    return ", ".join(named[:_MOST_SHOWN]) + (", ..." if len(named) > _MOST_SHOWN else "")


def _entries(lexicon: str | Path) -> Iterator[tuple[str, str]]:
    """(word as it is to be written, what it is spelled as) of a text, folded as transcripts are but for capitals."""
    remedy = "name a text of words, as UTF-8, or leave it out"
    try:
        text = Path(lexicon).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ArgumentError(f"decoding.lexicon={lexicon}", error.strerror or "cannot be read", remedy) from error
    except UnicodeDecodeError as error:
        raise ArgumentError(f"decoding.lexicon={lexicon}", "is no text in UTF-8", remedy) from error
    for line in text.splitlines():
        word, tab, spelling = line.partition("\t")
        # "m i s t e r" and "mister" are the same.
        written, letters = ("".join(part.split()) for part in (written_text(word), plain_text(spelling)))
        if not tab:
            yield from ((each, each) for each in plain_text(line).split())
        elif written:
            yield written, letters or plain_text(written)


def _decoder(
    num_units: int, separator: int, spellings: Mapping[str, Sequence[Sequence[int]]], settings: BeamSettings
) -> "CTCDecoder":
    from torchaudio.models.decoder import ctc_decoder

    # Outputs go by their numbers, as a letter may be anything, a blank too.
    outputs = [str(place) for place in range(max(num_units, separator if spellings else 0) + 1)]
    lines = [
        " ".join([word, *map(str, places), str(separator)])
        for word, spelled in sorted(spellings.items())
        for places in spelled
    ]
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".lexicon") as file, muted(2):
        # KenLM writes its progress, and advice, past Python.
        file.write("".join(f"{line}\n" for line in lines))
        file.flush()
        try:
            return ctc_decoder(
                lexicon=file.name if lines else None,
                tokens=outputs,
                lm=None if settings.lm is None else _readable(settings.lm),
                beam_size=settings.beam_size,
                lm_weight=settings.lm_weight,
                word_score=settings.word_score,
                # Paths of words are counted one by one: a pause between two could be said in many ways, and a text
                # would be the likelier the longer its pauses.
                log_add=not lines,
                blank_token=str(BLANK),
                sil_token=str(separator if lines else BLANK),
            )
        except (RuntimeError, UnicodeError) as error:
            remedy = "give ARPA, or what KenLM's build_binary makes of it"
            raise ArgumentError(f"decoding.lm={settings.lm}", "is no n-gram model", remedy) from error


def _readable(lm: str | Path) -> str:
    try:
        with Path(lm).open("rb"):
            return str(lm)
    except OSError as error:
        raise ArgumentError(f"decoding.lm={lm}", error.strerror or "cannot be read") from error
