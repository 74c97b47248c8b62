"""Common Voice: sentences read by volunteers, one language a folder."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from avpipe.corpora.corpus import Corpus, choose_label, find_root
from avpipe.corpora.errors import CorpusError
from avpipe.corpora.example import Example
from avpipe.corpora.tables import listed_file, read_table

_TABLES = {"train": "train.tsv", "val": "dev.tsv", "test": "test.tsv"}
_ALL = "validated.tsv"


class CommonVoice(Corpus):
    """One language: ``clips/`` and, beside it, tables of what is said in which clip and by whom.

    ``label=text`` is the sentence as it was shown to the reader; the group is the speaker. ``label=speaker`` has no
    groups: each clip is one of its own. The clips are those of ``train.tsv``, ``dev.tsv`` and ``test.tsv``, which share
    no speaker: they are the official split, for the text. Where none of the three is there, all of ``validated.tsv``
    are taken, and there is no official split.

    Known defects, handled: sentences hold quotation marks, which are no quoting of the table (so it is read without
    any); old releases name clips without their suffix ``.mp3``. Speakers are known by the browser they used, so one
    person may count as two.

    Reference: R. Ardila and others, "Common Voice: A Massively-Multilingual Speech Corpus", LREC 2020,
    arXiv:1912.06670.
    """

    name = "common_voice"
    licence = "CC0-1.0"

    def __init__(self, root: str | Path | None = None, label: str = "text") -> None:
        self.label = choose_label(self.name, label, ("text", "speaker"))
        self.has_classes = self.label == "speaker"
        source = "one language of Common Voice from Mozilla"
        self.root = find_root(self.name, root, "common_voice", source)

    def scan(self) -> Iterator[Example]:
        yield from self._sides

    def official_split(self) -> dict[Example, str] | None:
        if self.label == "speaker" or "" in self._sides.values():
            return None  # the tables set speakers apart, whom that label needs on every side
        return dict(self._sides)

    @cached_property
    def _sides(self) -> dict[Example, str]:
        """Every clip and the side of its table; empty where there are no tables of sides."""
        tables = {side: self.root / name for side, name in _TABLES.items() if (self.root / name).is_file()}
        if not tables and not (self.root / _ALL).is_file():
            reason = f"holds neither {', '.join(_TABLES.values())} nor {_ALL}"
            raise CorpusError(self.root, reason, "give corpus.root=DIR, the folder of one language")
        found: dict[Example, str] = {}
        for side, table in (tables or {"": self.root / _ALL}).items():
            found |= dict.fromkeys(self._clips(table), side)
        return found

    def _clips(self, table: Path) -> Iterator[Example]:
        for _, row in read_table(table, ("client_id", "path", "sentence"), delimiter="\t", quoted=False):
            name = row["path"] if Path(row["path"]).suffix else f"{row['path']}.mp3"
            path = listed_file(self.root / "clips" / name, table)
            if self.label == "speaker":
                yield Example(path, row["client_id"])
            else:
                yield Example(path, row["sentence"], group=row["client_id"])
