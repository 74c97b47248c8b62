"""Which examples train, which validate, which test."""

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avpipe.corpora.corpus import SIDES, Corpus, relative_to_root
from avpipe.corpora.equality import equal_recordings
from avpipe.corpora.errors import CorpusError
from avpipe.corpora.example import Example
from avpipe.corpora.stratify import join, share_out
from avpipe.errors import ArgumentError
from avpipe.files import written_whole
from avpipe.media import FILM_SUFFIXES

METHODS = ("auto", "official", "group", "random")
COLUMNS = ("path", "label", "group", "split", "start_sec", "end_sec")


@dataclass(frozen=True)
class Split:
    """The examples of a corpus on three sides, each sorted by path."""

    train: tuple[Example, ...]
    val: tuple[Example, ...]
    test: tuple[Example, ...]
    root: Path
    """The corpus's root, which the paths are hashed relative to."""
    method: str
    """``official``, ``group``, ``random``, or the fold's name such as ``fold 1 of 5``."""
    seed: int
    dropped: tuple[Example, ...] = ()
    """Left out: equal to a recording on a side that matters more (test before val before train)."""
    other_roots: tuple[Path, ...] = ()
    """Of the corpus: paths in these folders are hashed relative to them."""
    warnings: tuple[str, ...] = ()
    """What the scores on this split do not tell, a line each."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the training side, sorted."""
        return tuple(sorted({label_of(example) for example in self.train}))

    @property
    def sha256(self) -> str:
        r"""SHA-256 over the sorted lines ``path\tstart\tend\tlabel\tgroup\tsplit\n`` in UTF-8.

        Paths, also those of targets that are files, are relative to the corpus's root, with forward slashes; times are
        as Python's ``repr`` writes a float; an end that is the file's end is empty.
        """
        roots = (self.root, *self.other_roots)
        lines = sorted(
            "\t".join(
                (
                    relative_to_root(each.path, *roots),
                    *_times(each),
                    relative_to_root(each.target, *roots) if isinstance(each.target, Path) else label_of(each),
                    each.group,
                    side,
                )
            )
            for side, each in self._sides()
        )
        text = "".join(f"{line}\n" for line in lines)
        return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()

    def write_manifest(self, path: Path) -> None:
        """Write the split as CSV that ``corpus=manifest`` reads, whole or not at all.

        Files below the manifest's folder are named relative to it, so that they can move together; others absolutely.
        """
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        folder = path.absolute().parent
        for side, example in self._sides():
            name = example.path.relative_to(folder) if example.path.is_relative_to(folder) else example.path
            writer.writerow((name.as_posix(), label_of(example), example.group, side, *_times(example)))
        with written_whole(path) as part:
            part.write_bytes(text.getvalue().encode(errors="surrogateescape"))

    def _sides(self) -> Iterator[tuple[str, Example]]:
        for side in SIDES:
            examples: tuple[Example, ...] = getattr(self, side)
            yield from ((side, example) for example in examples)


def make_split(
    corpus: Corpus, by: str = "auto", seed: int = 0, val_fraction: float = 0.15, test_fraction: float = 0.2
) -> Split:
    """Split a corpus; two recordings with equal decoded samples never stand on two sides.

    Args:
        corpus: what to split.
        by: ``official``: as the corpus lays down. ``group``: no group on two sides; examples without one train and
            are never scored, unless no example has one: then each, with its equal recordings, is a group of its own.
            ``random``: groups are ignored. ``auto``: official where there is such a split, else by group.
        seed: of what is drawn.
        val_fraction: of the examples, where the split is drawn.
        test_fraction: of the examples, where the split is drawn.

    Raises:
        ArgumentError: an unknown ``by``, or fractions that leave nothing to train on.
        CorpusError: no labels, one label, fewer than two groups, a label to be scored that is never trained.
    """
    check_arguments(by, val_fraction, test_fraction)
    if by in ("group", "random") and corpus.fixed_split:
        raise ArgumentError(f"split.by={by}", f"the corpus {corpus.name} has its own split only", "leave it out")
    examples = corpus.examples()
    check_targets(corpus, examples)
    equal = equal_recordings(examples, corpus.root)
    official = corpus.official_split() if by in ("auto", "official") else None
    if official is not None:
        method = "official"
        sides = _with_validation(corpus, official, equal, seed, val_fraction)
    elif by == "official":
        raise CorpusError(f"corpus={corpus.name}", "has no official split for this label", "give split.by=group")
    else:
        method = "random" if by == "random" else "group"
        fractions = (1 - val_fraction - test_fraction, val_fraction, test_fraction)
        sides = _draw(corpus, examples, equal, method == "group", fractions, seed)
    scored = method == "official" or test_fraction > 0
    split = lay_out(corpus, examples, sides, equal, method, seed, scored)
    _check_sides(corpus, split, scored)
    return split


def lay_out(
    corpus: Corpus,
    examples: Sequence[Example],
    sides: Mapping[Example, str],
    equal: Iterable[Sequence[Example]],
    method: str,
    seed: int,
    scored: bool,
) -> Split:
    """The split in which each example stands on its side, but for what equals a recording on another one.

    Args:
        corpus: that the examples are of.
        examples: all of them, in the order to keep.
        sides: of each example.
        equal: sets of equal recordings.
        method: as the split is to name it.
        seed: as the split is to name it.
        scored: whether there is to be a test part.
    """
    crossing = _crossing(sides, equal)
    kept = {side: tuple(each for each in examples if sides[each] == side and each not in crossing) for side in SIDES}
    dropped = tuple(example for example in examples if example in crossing)
    warnings = _warnings(corpus, kept, dropped, method, scored)
    return Split(
        **kept,
        root=corpus.root,
        method=method,
        seed=seed,
        dropped=dropped,
        other_roots=corpus.other_roots,
        warnings=(*corpus.notes, *warnings),
    )


def _draw(
    corpus: Corpus,
    examples: Sequence[Example],
    equal: Sequence[tuple[Example, ...]],
    by_group: bool,
    fractions: Sequence[float],
    seed: int,
) -> dict[Example, str]:
    """A side for each example, drawn; ``fractions`` are those of ``SIDES``."""
    grouped = [example for example in examples if example.group] if by_group else []
    units = join(grouped or examples, equal, by_group)
    if len(units) < 2:
        what = f"has one group only, {grouped[0].group!r}" if grouped else "has one recording only"
        raise CorpusError(f"corpus={corpus.name}", what, "add others" + (", or give split.by=random" * bool(grouped)))
    # Free text has no classes to keep level: it counts as one.
    labels = [label_of(example) if corpus.has_classes else "" for example in examples]
    columns = {label: column for column, label in enumerate(sorted(set(labels)))}
    column_of = {example: columns[label] for example, label in zip(examples, labels, strict=True)}
    counts = np.zeros((len(units), len(columns)), dtype=np.int64)
    for row, unit in enumerate(units):
        np.add.at(counts[row], [column_of[example] for example in unit], 1)
    names = [min(name_of(corpus, example) for example in unit) for unit in units]
    seen = counts.any(axis=0)  # what only examples without a group have is not shared out
    drawn = share_out(counts[:, seen], names, fractions, seed)
    sides = {example: side for unit, side in zip(units, drawn, strict=True) for example in unit}
    return {example: sides.get(example, "train") for example in examples}


def _with_validation(
    corpus: Corpus,
    official: dict[Example, str],
    equal: Sequence[tuple[Example, ...]],
    seed: int,
    val_fraction: float,
) -> dict[Example, str]:
    """An official split; where it has no validation part, one is drawn from its training part, by group."""
    sides = set(official.values())
    for side in ("train", "test"):
        if side not in sides:
            reason = f"its official split has no {side} part here"
            raise CorpusError(f"corpus={corpus.name}", reason, "complete the corpus, or give split.by=group")
    train = [example for example, side in official.items() if side == "train"]
    if "val" in sides or val_fraction == 0 or len({example.group or example.path for example in train}) < 2:
        return official
    return official | _draw(corpus, train, equal, True, (1 - val_fraction, val_fraction, 0.0), seed)


def _crossing(sides: Mapping[Example, str], equal: Iterable[Sequence[Example]]) -> set[Example]:
    """What is to be left out, so that no two equal recordings stand on two sides: test keeps its own, then val."""
    crossing: set[Example] = set()
    for same in equal:
        keeper = next(side for side in ("test", "val", "train") if any(sides[each] == side for each in same))
        crossing |= {each for each in same if sides[each] != keeper}
    return crossing


def check_arguments(by: str, val_fraction: float, test_fraction: float) -> None:
    """Raise an ArgumentError for what :func:`make_split` cannot take."""
    if by not in METHODS:
        raise ArgumentError(f"split.by={by}", "unknown way to split", f"choose from {', '.join(METHODS)}")
    for key, fraction in (("val_fraction", val_fraction), ("test_fraction", test_fraction)):
        if not 0 <= fraction < 1:
            raise ArgumentError(f"split.{key}={fraction}", "is no fraction", "give a number from 0 to below 1")
    if val_fraction + test_fraction >= 1:
        reason = f"with split.val_fraction={val_fraction} it leaves nothing to train on"
        raise ArgumentError(f"split.test_fraction={test_fraction}", reason, "their sum must be below 1")


def check_targets(corpus: Corpus, examples: Sequence[Example]) -> None:
    """Raise a CorpusError where an example has no label, or all have the same one."""
    if unlabelled := next((example for example in examples if example.target is None), None):
        raise CorpusError(f"corpus={corpus.name}", f"{unlabelled.path} has no label", "training needs one of each")
    labels = {label_of(example) for example in examples}
    if corpus.has_classes and len(labels) < 2:
        raise CorpusError(corpus.root, f"only one label, {labels.pop()!r}", "telling apart needs two labels or more")


def _check_sides(corpus: Corpus, split: Split, scored: bool) -> None:
    """Something must be scored, and a label that is scored and never trained cannot be learnt."""
    subject, other = f"corpus={corpus.name}", "random" if split.method == "group" else "group"
    if scored and not split.test:
        one = "recording" if split.method == "random" else "group"
        reason = f"no label stands in more than one {one}, so that none can be both trained and scored"
        raise CorpusError(subject, reason, f"add recordings, or give split.by={other}")
    for side, part in (("val", split.val), ("test", split.test)):
        unknown = sorted({label_of(example) for example in part} - set(split.labels))
        if corpus.has_classes and unknown:
            reason = f"label {unknown[0]!r} stands in {side} but never in train" + and_others(unknown)
            raise CorpusError(subject, reason, f"give recordings of it to train, or split.by={other}")


def _warnings(
    corpus: Corpus, sides: dict[str, tuple[Example, ...]], dropped: Sequence[Example], method: str, scored: bool
) -> Iterator[str]:
    labels = {side: {label_of(example) for example in sides[side]} for side in SIDES}
    if scored and corpus.has_classes and (missing := sorted(labels["train"] - labels["test"])):
        yield f"label {missing[0]!r} is not in test and cannot be scored" + and_others(missing)
    if not sides["val"]:
        yield "there is no validation part: the best epoch cannot be told"
    for example in dropped:
        yield f"{corpus.relative_path(example)} is left out: it equals a recording on another side"
    if stretched := {example.path for example in sides["train"]} & {example.path for example in sides["test"]}:
        yield f"{len(stretched)} files have stretches both in train and in test: the scores may be too good"
    groups = {side: {example.group for example in sides[side]} - {""} for side in SIDES}
    if method != "group" and (shared := groups["train"] & groups["test"]):
        yield (
            f"{len(shared)} of {len(groups['test'])} test groups are trained on too: "
            "the scores do not tell how unseen ones fare (split.by=group does)"
        )
    films = (example.path.suffix.lower() in FILM_SUFFIXES for side in SIDES for example in sides[side])
    if method != "official" and not any(groups.values()) and any(films):
        yield (
            "no groups are known: clips cut from one film may stand both in train and in test, and the scores be too "
            "good (folders: corpus.group_from, manifest: a column group)"
        )


def and_others(names: Sequence[str]) -> str:
    """What a line that names the first of ``names`` says of the rest."""
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""


def label_of(example: Example) -> str:
    """The target as text."""
    return "" if example.target is None else str(example.target)


def _times(example: Example) -> tuple[str, str]:
    return repr(float(example.start_sec)), "" if example.end_sec is None else repr(float(example.end_sec))


def name_of(corpus: Corpus, example: Example) -> str:
    """What tells an example from all others of its corpus, and hangs on no place on disk."""
    return "\t".join((corpus.relative_path(example), *_times(example)))
