"""The page of a cleaned folder, written while the records stream in."""

import heapq
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avpipe.errors import AvpipeError
from avpipe.report.before_after import before_after_picture, read_excerpt
from avpipe.report.drawing import Picture
from avpipe.report.page import flattened, link, write_page

Record = Mapping[str, Any]

MAX_SHOWN = 20
MAX_ROWS = 2000

_COUNTS = frozenset(("num_files", "statuses", "actions", "sound_sec", "num_warned"))


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file to be looked at and listened to."""

    record: Record
    before_link: str
    after_link: str
    """Addresses relative to the page."""
    picture: Picture | None = None
    trouble: str = ""


class _Rows:
    """The first records, for the table; of all, those with the most to see are kept for pictures."""

    def __init__(self, records: Iterable[Record], max_rows: int, max_shown: int) -> None:
        self._records = records
        self._max_rows = max_rows
        self._max_shown = max_shown
        self._worst: list[tuple[tuple[float, float, int], Record]] = []
        self.num_shown = self.num_more = self.num_cleaned = 0

    def __iter__(self) -> Iterator[Record]:
        for index, record in enumerate(self._records):
            self._consider(record, index)
            if index < self._max_rows:
                self.num_shown += 1
                yield record
            else:
                self.num_more += 1

    def _consider(self, record: Record, index: int) -> None:
        """Keep it if it is among those with warnings, or with the most noise."""
        if record["action"] != "cleaned":
            return
        self.num_cleaned += 1
        ratio = record["snr_before_db"]
        rank = (float(bool(record["warnings"])), 100.0 if ratio is None else -ratio, -index)
        push = heapq.heappush if len(self._worst) < self._max_shown else heapq.heappushpop
        if self._max_shown:
            push(self._worst, (rank, record))

    def worst(self) -> list[Record]:
        return [record for _, record in sorted(self._worst, key=lambda pair: pair[0], reverse=True)]


def write_denoise_report(
    path: Path,
    records: Iterable[Record],
    sources: Mapping[str, Path],
    output: Path,
    totals: Mapping[str, Any],
    *,
    title: str = "Noise taken out",
    max_shown: int = MAX_SHOWN,
    max_rows: int = MAX_ROWS,
) -> Path:
    """Write the page of cleaned files to ``path``.

    Sounds are not in the page: its players refer to the source and to the cleaned file, relative to the page.

    Args:
        path: of the page.
        records: objects of ``denoise.jsonl``, taken one at a time.
        sources: the input file by a record's name.
        output: the folder that the outputs of the records are relative to.
        totals: counts and settings.
        title: of the page.
        max_shown: files with pictures and players: those with warnings first, then those with the most noise.
        max_rows: of the table; the others are counted.
    """
    rows = _Rows(records, max_rows, max_shown)
    content = {
        "title": title,
        "totals": totals,
        "settings": flattened({key: value for key, value in totals.items() if key not in _COUNTS}),
        "rows": rows,
        "max_shown": max_shown,
        "shown": _Shown(rows, sources, output, path),
    }
    return write_page(path, "denoising.html", content)


class _Shown:
    """Files with pictures, made one at a time when the template asks for them: after the table."""

    def __init__(self, rows: _Rows, sources: Mapping[str, Path], output: Path, page: Path) -> None:
        self._rows = rows
        self._sources = sources
        self._output = output
        self._page = page

    def __iter__(self) -> Iterator[ShownFile]:
        numbers = itertools.count(1)
        for record in self._rows.worst():
            before, after = self._sources[record["path"]], self._output / record["output"]
            links = link(before, self._page), link(after, self._page)
            try:
                excerpt = read_excerpt(before, after, record["duration_sec"] or 0.0)
                picture = before_after_picture(excerpt, f"sound-{next(numbers)}")
                yield ShownFile(record, links[0] + excerpt.fragment, links[1] + excerpt.fragment, picture)
            # The page is worth more than one picture in it.
            except (AvpipeError, OSError, ValueError, RuntimeError) as error:
                reason = error.reason if isinstance(error, AvpipeError) else str(error)
                yield ShownFile(record, *links, trouble=f"cannot be shown: {reason}")
