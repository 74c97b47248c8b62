"""A folder of films with lists of their transitions."""

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from avpipe.corpora.corpus import SIDE_NAMES, Corpus, find_root
from avpipe.corpora.errors import CorpusError
from avpipe.corpora.example import Example
from avpipe.corpora.transitions import Transition, read_shot_table, read_transitions, told, write_transitions
from avpipe.corpora.written import write_folder
from avpipe.files import cache_folder, sha256_of
from avpipe.media import ClipFormat, WindowPlan, find_media, stream_clips

_SHOT_TABLE = "{}.shots.csv"
"""Of a film's name: what ``avpipe predict bundle=scenes`` writes."""

_SHOT_LISTS = ("{}.txt", "{}_gt.txt", "{}-shots.txt")
"""Of a film's name without suffix."""

Frames = Sequence[tuple[int, int]]
"""Transitions by frames, as :class:`Transition` has them by times."""


class CutLists(Corpus):
    """Films, each with a list of the transitions between its shots.

    Lists by times: ``<film>.csv`` or ``<film without suffix>.csv`` beside the film, with the columns ``start_sec`` and,
    for gradual transitions, ``end_sec`` (see :class:`avpipe.corpora.Transition`); or ``<film>.shots.csv``, as ``avpipe
    predict bundle=scenes`` writes it, which a person may have corrected. Lists by frames, numbered from 0:
    RAI's and BBC's ``<film without suffix>.txt`` (``_gt.txt``, ``-shots.txt``), a line a shot with its first and last
    frame, what lies between two shots being a gradual transition; and ClipShots' ``*.json`` in the root, with
    ``transitions`` by the names of films, of which those of two neighbouring frames are cuts. Frames are those that are
    decoded, and their times are looked up in the film, once.

    Films in folders ``train``, ``val`` and ``test`` stand on these sides. The target is the list in one line, as
    :func:`avpipe.corpora.told` writes it.

    Args:
        root: the folder of the films.
        licence: of the films, for the cards of what learns from them.

    Reference:
        S. Tang et al., "Fast Video Shot Transition Localization with Deep Structured Models", 2018, arXiv:1808.04234
        (ClipShots). L. Baraldi, C. Grana, R. Cucchiara, "Shot and scene detection via hierarchical clustering for
        re-using broadcast video", CAIP 2015 (RAI); the same, "A deep siamese network for scene detection in broadcast
        videos", 2015, arXiv:1510.08893 (BBC Planet Earth).
    """

    name = "cut_lists"
    has_classes = False
    sought = "write FILM.csv beside each film, a line a transition with its start_sec and end_sec (see data/README.md)"

    def __init__(self, root: str | Path | None = None, licence: str = "not stated") -> None:
        self.root = find_root(self.name, root, "cut_lists", "films with lists of their cuts (see data/README.md)")
        self.licence = licence

    def scan(self) -> Iterator[Example]:
        yield from self._listed

    def official_split(self) -> dict[Example, str] | None:
        sides = {each: self._side(each.path) for each in self._listed}
        known = {each: side for each, side in sides.items() if side is not None}
        return known if len(known) == len(sides) else None

    def _side(self, film: Path) -> str | None:
        return next((SIDE_NAMES[part] for part in film.relative_to(self.root).parts[:-1] if part in SIDE_NAMES), None)

    @cached_property
    def _listed(self) -> tuple[Example, ...]:
        """The films that have a list.

        Raises:
            CorpusError: a list cannot be read, or tells of frames that its film has not.
        """
        clip_shots = _read_clip_shots(self.root)
        found = []
        for film in find_media(self.root):
            listing = self._listing(film, clip_shots)
            if listing is not None:
                read = read_shot_table if listing.name == _SHOT_TABLE.format(film.name) else read_transitions
                found.append(Example(film, told(read(listing)), annotation=listing))
        return tuple(found)

    def _listing(self, film: Path, clip_shots: Mapping[str, Frames]) -> Path | None:
        """The film's list by times; one by frames is looked up and kept in the cache."""
        for name in (f"{film.name}.csv", f"{film.stem}.csv", _SHOT_TABLE.format(film.name)):
            if film.with_name(name).is_file():
                return film.with_name(name)
        frames = clip_shots.get(film.name)
        if frames is None:
            texts = (film.with_name(name.format(film.stem)) for name in _SHOT_LISTS)
            text = next((path for path in texts if path.is_file()), None)
            frames = None if text is None else _read_shots(text)
        return None if frames is None else _by_times(film, frames)


def _by_times(film: Path, frames: Frames) -> Path:
    """A list by times in the cache, written once for this film and these frames."""
    told_by_frames = hashlib.sha256(repr(list(frames)).encode()).hexdigest()
    folder = cache_folder() / CutLists.name / f"{sha256_of(film)[:16]}-{told_by_frames[:16]}"

    def fill(part: Path) -> None:
        times = _frame_times(film)
        last = max((end for _, end in frames), default=0)
        if last >= len(times):
            raise CorpusError(film, f"has {len(times)} frames, and its list tells of frame {last}", "see the list")
        transitions = [Transition(float(times[first]), float(times[end])) for first, end in frames]
        write_transitions(part / "transitions.csv", transitions)

    write_folder(folder, ["transitions.csv"], fill, "times of frames")
    return folder / "transitions.csv"


def _frame_times(film: Path) -> np.ndarray:
    """Presentation times of all frames that can be decoded, (T,)."""
    plan = WindowPlan(10.0, 10.0, ClipFormat(audio=False, video=True, size_px=(2, 2)))
    with stream_clips(film, [plan]) as clips:
        times = [clip.frame_times_sec for _, clip in clips if clip.frame_times_sec is not None]
    return np.concatenate(times)


def _read_shots(path: Path) -> Frames:
    """A line a shot: its first and its last frame.

    Raises:
        CorpusError: a line is none, or they do not follow one another.
    """
    shots: list[tuple[int, int]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig", errors="replace").splitlines(), 1):
        parts = line.replace(",", " ").split()
        if not parts or (number == 1 and not any(map(str.isdigit, line))):  # a heading
            continue
        if len(parts) < 2 or not all(part.isdigit() for part in parts[:2]):
            raise CorpusError(f"{path}, line {number}", f"no shot: {line[:40]!r}", "write its first and last frame")
        first, last = int(parts[0]), int(parts[1])
        if last < first or (shots and first <= shots[-1][1]):
            raise CorpusError(f"{path}, line {number}", "begins before the shot above has ended", "sort the shots")
        shots.append((first, last))
    return [(before[1] + 1, after[0]) for before, after in itertools.pairwise(shots)]


def _read_clip_shots(root: Path) -> dict[str, Frames]:
    """ClipShots' lists: of a transition the last frame of the old shot, and the first of the new one."""
    found: dict[str, Frames] = {}
    for path in sorted(root.glob("*.json")):
        try:
            content: Any = json.loads(path.read_text(encoding="utf-8"))
            lists = {name: film["transitions"] for name, film in content.items() if "transitions" in film}
            found |= {name: [(int(first) + 1, int(end)) for first, end in sorted(rows)] for name, rows in lists.items()}
        except (ValueError, TypeError, AttributeError, OSError) as error:
            raise CorpusError(path, "is no list of transitions as ClipShots has them", "move it elsewhere") from error
    return found
