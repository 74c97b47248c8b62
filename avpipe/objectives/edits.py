"""The fewest edits that lead from one sequence to another."""

from collections.abc import Iterator, Sequence

import numpy as np


def num_edits(said: Sequence[str], true: Sequence[str]) -> int:
    """How many insertions, deletions and substitutions lead from one to the other at least.

    Reference: V. I. Levenshtein, "Binary codes capable of correcting deletions, insertions, and reversals", 1966.
    """
    *_, last = _rows(said, true)
    return int(last[-1])


def edited_pairs(said: Sequence[str], true: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(true, said) along one of the shortest ways, from the end; empty where there is nothing opposite."""
    table = np.stack(list(_rows(said, true)))
    row, column = len(said), len(true)
    while row or column:
        here = table[row, column]
        if row and column and here == table[row - 1, column - 1] + (said[row - 1] != true[column - 1]):
            row, column = row - 1, column - 1
            yield true[column], said[row]
        elif row and here == table[row - 1, column] + 1:
            row -= 1
            yield "", said[row]
        else:
            column -= 1
            yield true[column], ""


def _rows(said: Sequence[str], true: Sequence[str]) -> Iterator[np.ndarray]:
    """Edits from each beginning of what was said, a row each, to each beginning of the truth."""
    places = {piece: place for place, piece in enumerate(dict.fromkeys(true))}
    wanted = np.array([places[piece] for piece in true], dtype=np.int64)
    columns = np.arange(len(true) + 1)
    row = columns.copy()
    yield row
    for piece in said:
        above, row = row, np.empty_like(row)
        row[0] = above[0] + 1
        row[1:] = np.minimum(above[1:] + 1, above[:-1] + (wanted != places.get(piece, -1)))
        # A step to the right costs one: the least of all that lie to the left, by their distance.
        row = np.minimum.accumulate(row - columns) + columns
        yield row
