"""Recordings in noise and the same ones clean, in two folders under equal names."""

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from avpipe.corpora.corpus import SIDE_NAMES, Corpus, find_root, relative_to_root
from avpipe.corpora.errors import CorpusError
from avpipe.corpora.example import Example
from avpipe.media import find_media, probe

# clean_trainset_28spk_wav, noisy_testset_wav and what others made of them: clean_trainset_wav_16k
_VOICEBANK = re.compile(r"(?P<kind>clean|noisy)_(?P<side>train|val|valid|validation|dev|test)set(?P<rest>.*)")
_SPEAKER = re.compile(r"(?P<speaker>[ps]\d+)_\d+")
_LAYOUTS = "clean/ and noisy/, train/clean/ and train/noisy/ and so on, or clean_trainset_28spk_wav/ and so on"
_TOLERANCE_SEC = 1e-3
"""Difference in length that containers make by rounding."""


class Paired(Corpus):
    """Pairs of a noisy recording, which is the example, and the clean one, which is its target.

    Layouts: VoiceBank-DEMAND's ``clean_trainset_28spk_wav/``, ``noisy_trainset_28spk_wav/``, ``clean_testset_wav/``,
    ``noisy_testset_wav/``; ``train/clean/``, ``train/noisy/``, ``test/clean/``, ``test/noisy/``; or ``clean/`` and
    ``noisy/`` alone. Where there are test folders the split is theirs. Names are equal but for the suffix, in folders
    below too. The group is the speaker where names are VoiceBank's (``p226_001``), else the folder below.

    Args:
        root: the folder that holds them.
        licence: of the recordings, for the cards of what learns from them.

    Reference: C. Valentini-Botinhao, X. Wang, S. Takaki, J. Yamagishi, "Investigating RNN-based speech enhancement
    methods for noise-robust text-to-speech", SSW 2016, doi:10.21437/SSW.2016-24.
    """

    name = "paired"
    has_classes = False

    def __init__(self, root: str | Path | None = None, licence: str = "not stated") -> None:
        self.root = find_root(self.name, root, "paired", f"pairs of clean and noisy recordings ({_LAYOUTS})")
        self.licence = licence

    def scan(self) -> Iterator[Example]:
        yield from self._sides

    def official_split(self) -> dict[Example, str] | None:
        return dict(self._sides) if {"train", "test"} <= set(self._sides.values()) else None

    @cached_property
    def _sides(self) -> dict[Example, str]:
        """Every pair, checked, and its side; empty where the folders name none."""
        found: dict[Example, str] = {}
        for side, clean, noisy in self._folders():
            found |= dict.fromkeys(self._pairs(clean, noisy), side)
        return found

    def _folders(self) -> list[tuple[str, Path, Path]]:
        """Side, clean folder and noisy folder."""
        kinds: dict[tuple[str, str], dict[str, Path]] = {}
        for folder in sorted(path for path in self.root.iterdir() if path.is_dir()):
            if match := _VOICEBANK.fullmatch(folder.name):
                kinds.setdefault((SIDE_NAMES[match["side"]], match["rest"]), {})[match["kind"]] = folder
            elif folder.name in ("clean", "noisy"):
                kinds.setdefault(("", ""), {})[folder.name] = folder
            elif folder.name in SIDE_NAMES:
                below = {kind: folder / kind for kind in ("clean", "noisy") if (folder / kind).is_dir()}
                kinds.setdefault((SIDE_NAMES[folder.name], folder.name), {}).update(below)
        for pair in kinds.values():
            if len(pair) == 1:
                ((kind, folder),) = pair.items()
                other = "noisy" if kind == "clean" else "clean"
                raise CorpusError(folder, f"has no {other} folder beside it", f"name them as in {_LAYOUTS}")
        pairs = [(side, pair["clean"], pair["noisy"]) for (side, _), pair in sorted(kinds.items()) if pair]
        if not pairs:
            raise CorpusError(self.root, "holds no folders of clean and noisy recordings", f"name them {_LAYOUTS}")
        if len({bool(side) for side, *_ in pairs}) > 1:
            reason = "holds clean/ and noisy/ beside folders for training and testing"
            raise CorpusError(self.root, reason, "leave one of the two, else it is not told who tests")
        return pairs

    def _pairs(self, clean_folder: Path, noisy_folder: Path) -> Iterator[Example]:
        clean, noisy = (_by_name(folder) for folder in (clean_folder, noisy_folder))
        for here, there, folder in ((noisy, clean, clean_folder), (clean, noisy, noisy_folder)):
            if alone := min(here.keys() - there.keys(), default=None):
                raise CorpusError(here[alone], f"has no partner in {folder}", "add it, or remove this file")
        for name, path in noisy.items():
            _check_lengths(path, clean[name])
            speaker = _SPEAKER.fullmatch(path.stem)
            yield Example(path, clean[name], group=speaker["speaker"] if speaker else name.rpartition("/")[0])


def _by_name(folder: Path) -> dict[str, Path]:
    """The media of a folder by their names in it, without suffix: noisy FLAC may go with clean wav."""
    found: dict[str, Path] = {}
    for path in find_media(folder):
        name = relative_to_root(path.with_suffix(""), folder)
        if name in found:
            raise CorpusError(path, f"has the same name as {found[name].name}", "remove one of them")
        found[name] = path
    return found


def _check_lengths(noisy: Path, clean: Path) -> None:
    noisy_sec, clean_sec = probe(noisy).duration_sec, probe(clean).duration_sec
    if noisy_sec is not None and clean_sec is not None and abs(noisy_sec - clean_sec) > _TOLERANCE_SEC:
        reason = f"lasts {noisy_sec:.3f} s and its partner {clean} {clean_sec:.3f} s"
        raise CorpusError(noisy, reason, "cut them alike: they are compared sample by sample")
