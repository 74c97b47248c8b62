"""Cross-validation: every recording is tested once, by a network that never heard its group."""

from collections.abc import Iterator, Sequence
from operator import itemgetter

import numpy as np

from avpipe.corpora.corpus import Corpus
from avpipe.corpora.equality import equal_recordings
from avpipe.corpora.errors import CorpusError
from avpipe.corpora.example import Example
from avpipe.corpora.split import Split, and_others, check_targets, label_of, lay_out, name_of
from avpipe.corpora.stratify import join
from avpipe.errors import ArgumentError

LEAVE_ONE_GROUP_OUT = "leave_one_group_out"
_LEAST = 3
_CHOICES = f"give a number of folds from {_LEAST}, or {LEAVE_ONE_GROUP_OUT}"

_Unit = tuple[str, tuple[Example, ...]]
"""What stands in one part together, and its name."""


def make_folds(corpus: Corpus, cv: int | str) -> list[Split]:
    """Splits of which each tests on another part; validation is the next part (after the last, the first).

    Where the corpus has groups, these are sorted by name (plain, ``10`` before ``2``) and cut into contiguous parts,
    even in the number of groups; examples without a group train in every fold and are never scored. Where it has none,
    each example, with its equal recordings, is a group of its own. Sorted by name these would put one label into one
    part, so each label's are cut by themselves, which gives every part its share of every label. Of two equal
    recordings in two parts the one of the side that matters more stays: test before val before train. Nothing is drawn.

    Args:
        corpus: what to split.
        cv: the number of folds, or ``leave_one_group_out``: as many as there are groups.

    Raises:
        ArgumentError: ``cv`` is neither, or is below 3.
        CorpusError: no labels, one label, fewer groups than folds, or a label that a fold scores and never trains.
    """
    _check_number(cv)
    if corpus.fixed_split:
        raise ArgumentError(f"cv={cv}", f"the corpus {corpus.name} has its own split only", "leave it out")
    examples = corpus.examples()
    check_targets(corpus, examples)
    equal = equal_recordings(examples, corpus.root)
    grouped = [example for example in examples if example.group]
    units = sorted(_groups(grouped) if grouped else _recordings(corpus, examples, equal), key=itemgetter(0))
    count = _number_of_folds(corpus, cv, len(units), "groups" if grouped else "recordings, and no groups")
    if corpus.has_classes:
        _check_held_apart(corpus, examples, units)
    part_of = _cut(units, count, by_label=not grouped and corpus.has_classes)
    folds = []
    for fold in range(count):
        sides = {example: _side(part_of.get(example), fold, count) for example in examples}
        split = lay_out(corpus, examples, sides, equal, f"fold {fold + 1} of {count}", seed=0, scored=True)
        _check_trained(corpus, split)
        folds.append(split)
    return folds


def _check_number(cv: int | str) -> None:
    if isinstance(cv, bool) or not isinstance(cv, int):
        if cv != LEAVE_ONE_GROUP_OUT:
            raise ArgumentError(f"cv={cv}", "unknown way to cross-validate", _CHOICES)
    elif cv < _LEAST:
        raise ArgumentError(f"cv={cv}", "too few: each fold has a part to train, to validate and to test on", _CHOICES)


def _number_of_folds(corpus: Corpus, cv: int | str, found: int, units: str) -> int:
    wanted = cv if isinstance(cv, int) else max(found, _LEAST)
    if found < wanted:
        remedy = f"give cv={found} or less" if found >= _LEAST else f"cross-validation needs {_LEAST} or more"
        raise CorpusError(f"corpus={corpus.name}", f"has {found} {units}: too few for {wanted} folds", remedy)
    return wanted


def _groups(examples: Sequence[Example]) -> Iterator[_Unit]:
    members: dict[str, list[Example]] = {}
    for example in examples:
        members.setdefault(example.group, []).append(example)
    return ((name, tuple(group)) for name, group in members.items())


def _recordings(corpus: Corpus, examples: Sequence[Example], equal: Sequence[Sequence[Example]]) -> Iterator[_Unit]:
    """Each example, or what equals it or is cut from the same file too, under the name of the first of them."""
    for unit in join(examples, equal, by_group=False):
        yield name_of(corpus, unit[0]), unit


def _cut(units: Sequence[_Unit], count: int, by_label: bool) -> dict[Example, int]:
    """The part that each example stands in, from 0; ``by_label``: the units of each label are cut by themselves."""
    lists: dict[str, list[_Unit]] = {}
    for unit in units:
        lists.setdefault(label_of(unit[1][0]) if by_label else "", []).append(unit)
    part_of = {}
    over = 0
    for _, members in sorted(lists.items()):
        # Even, and what is over goes on where the last label's ended: else the first parts would get all of it.
        sizes = [len(members) // count + ((part - over) % count < len(members) % count) for part in range(count)]
        over += len(members)
        for (_, together), part in zip(members, np.repeat(np.arange(count), sizes).tolist(), strict=True):
            part_of.update(dict.fromkeys(together, part))
    return part_of


def _side(part: int | None, fold: int, count: int) -> str:
    if part is None:
        return "train"
    return {0: "test", 1: "val"}.get((part - fold) % count, "train")


def _check_held_apart(corpus: Corpus, examples: Sequence[Example], units: Sequence[_Unit]) -> None:
    """Refuse a label that stands in one group only: it is never both trained and scored."""
    shared_out = {example for _, members in units for example in members}
    always_trained = {label_of(example) for example in examples if example not in shared_out}
    holders: dict[str, list[Example]] = {}
    for _, members in units:
        for label, example in {label_of(example): example for example in members}.items():
            holders.setdefault(label, []).append(example)
    alone = sorted(label for label, held in holders.items() if len(held) == 1 and label not in always_trained)
    if alone:
        (holder,) = holders[alone[0]]
        where = f"group {holder.group!r}" if holder.group else f"one recording, {corpus.relative_path(holder)},"
        reason = f"label {alone[0]!r} stands in {where} only{and_others(alone)}: it cannot be both trained and scored"
        remedy = "add recordings of it" + " in other groups" * bool(holder.group)
        raise CorpusError(f"corpus={corpus.name}", reason, f"{remedy}, or leave it out")


def _check_trained(corpus: Corpus, split: Split) -> None:
    """Refuse a fold that scores a label which it does not train."""
    if not corpus.has_classes:
        return
    for side, part in (("tests", split.test), ("validates", split.val)):
        unknown = sorted({label_of(example) for example in part} - set(split.labels))
        if unknown:
            reason = f"{split.method} {side} label {unknown[0]!r} and never trains it{and_others(unknown)}"
            raise CorpusError(f"corpus={corpus.name}", reason, "add recordings of it, or give another cv")
