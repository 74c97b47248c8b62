"""Reading the tables that say what a corpus holds."""

import csv
import math
from pathlib import Path
from typing import NamedTuple

from avpipe.corpora.errors import CorpusError


class Row(NamedTuple):
    """A line of a table."""

    line: int
    """Number of the (last) line in the file, from 1, so that an editor finds it."""
    cells: dict[str, str]
    """By column; blanks around names and cells are taken off."""


def read_table(path: Path, columns: tuple[str, ...], delimiter: str = ",", quoted: bool = True) -> list[Row]:
    """The rows of a table with a header, in UTF-8 with or without byte order mark, with any line ends.

    Args:
        path: the file.
        columns: what it must have; other columns are kept.
        delimiter: what stands between two cells.
        quoted: False where quotation marks are part of the text.

    Raises:
        CorpusError: it is missing, no text, has no such column, or a row has more or fewer cells than the header.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE)
            header = [name.strip() for name in next(reader, [])]
            _check_columns(path, header, columns)
            return [_row(path, reader.line_num, header, cells) for cells in reader if cells]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise unreadable(path, error) from error


def finite(cell: str) -> float | None:
    """A cell as a number; None: it is none, or no finite one."""
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def unreadable(path: Path, error: Exception) -> CorpusError:
    """The error to raise for a list that cannot be read at all."""
    if isinstance(error, UnicodeDecodeError):
        return CorpusError(path, "is not UTF-8 text", "save it as UTF-8")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return CorpusError(path, f"cannot be read ({reason})", "is this the right file?")


def listed_file(path: Path, table: Path) -> Path:
    """``path``, which ``table`` lists.

    Raises:
        CorpusError: it is not there.
    """
    if not path.is_file():
        raise CorpusError(path, f"is listed in {table.name} and not there", "download the corpus anew")
    return path


def _check_columns(path: Path, header: list[str], columns: tuple[str, ...]) -> None:
    for column in columns:
        if column not in header:
            found = ", ".join(header) or "nothing"
            raise CorpusError(f"{path}, line 1", f"no column {column!r} (found: {found})", "add a header line with it")
    if repeated := sorted({name for name in header if header.count(name) > 1}):
        raise CorpusError(f"{path}, line 1", f"column {repeated[0]!r} stands twice", "remove one")


def _row(path: Path, line: int, header: list[str], cells: list[str]) -> Row:
    if len(cells) != len(header):
        reason = f"{len(cells)} cells under a header of {len(header)}"
        raise CorpusError(f"{path}, line {line}", reason, "a cell that holds the delimiter must be quoted")
    return Row(line, dict(zip(header, (cell.strip() for cell in cells), strict=True)))
