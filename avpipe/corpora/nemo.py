"""nEMO: acted emotion in Polish, with transcripts."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from avpipe.corpora.corpus import Corpus, choose_label, find_root
from avpipe.corpora.errors import CorpusError
from avpipe.corpora.example import Example
from avpipe.corpora.sentiment import sentiment_of
from avpipe.corpora.tables import read_table
from avpipe.errors import ArgumentError
from avpipe.media import find_media

_NAME = re.compile(r"(?P<speaker>[A-Z]+\d+)_(?P<emotion>[a-z]+)_(?P<sentence>\d+)")
_NUM_SENTENCES = 90
_QUOTATION_MARKS = str.maketrans("", "", '"„”“«»')


class Nemo(Corpus):
    """Six speakers, six emotions, ninety sentences that all speakers share.

    The group is the speaker. For ``label=speaker`` it is the sentence, of which every speaker has every one.
    ``label=text`` is the normalised transcript. The split (this project's: the authors laid down none) tests on
    WR0 and validates on TP0, unless other speakers are named.

    Known defects, handled: ``speaker_id`` has leading blanks; some transcripts hold quotation marks, which are no
    quoting of the table (so it is read without any) and no part of a normalised transcript (so they are taken out).

    Args:
        root: the folder with ``data.tsv``; None: ``$AVPIPE_CORPORA/nemo``.
        label: emotion, sentiment, speaker, gender or text.
        sentences: the first and the last of those that are read: what is said well of sentences that training heard
            tells nothing of others.
        test_speaker: who tests.
        val_speaker: who validates.

    Reference: I. Christop, "nEMO: Dataset of Emotional Speech in Polish", LREC-COLING 2024, arXiv:2404.06292.
    """

    name = "nemo"
    licence = "CC BY-NC-SA 4.0"

    def __init__(
        self,
        root: str | Path | None = None,
        label: str = "emotion",
        sentences: Sequence[int] = (1, _NUM_SENTENCES),
        test_speaker: str = "WR0",
        val_speaker: str = "TP0",
    ) -> None:
        self.label = choose_label(self.name, label, ("emotion", "sentiment", "speaker", "gender", "text"))
        self.has_classes = self.label != "text"
        bounds = list(sentences)
        if len(bounds) != 2 or not all(type(each) is int for each in bounds) or not 1 <= bounds[0] <= bounds[1]:
            remedy = f"give the first and the last of 1 to {_NUM_SENTENCES}: corpus.sentences=[1,70]"
            raise ArgumentError(f"corpus.sentences={bounds}", "are no sentences", remedy)
        if test_speaker == val_speaker:
            remedy = "name another with corpus.val_speaker="
            raise ArgumentError(f"corpus.test_speaker={test_speaker}", "validates already", remedy)
        self._sentences = range(bounds[0], bounds[1] + 1)
        self._sides = {val_speaker: "val", test_speaker: "test"}
        self.root = find_root(
            self.name, root, "nemo", "nEMO (Dataset of Emotional Speech in Polish) from its GitHub page"
        )

    def scan(self) -> Iterator[Example]:
        # What the name tells is taken from the name: the table is read only for what it alone tells.
        table = self._table() if self.label in ("gender", "text") else {}
        for path in find_media(self.root):
            name = _NAME.fullmatch(path.stem)
            if name and int(name["sentence"]) in self._sentences:
                yield Example(
                    path,
                    self._target(name, table, path),
                    group=name["sentence" if self.label == "speaker" else "speaker"],
                )

    def official_split(self) -> dict[Example, str] | None:
        if self.label == "speaker":
            return None  # it sets speakers apart, whom this label needs on every side
        sides = {example: self._sides.get(example.group, "train") for example in self.examples()}
        for speaker, side in self._sides.items():
            if side not in sides.values():
                remedy = f"name one of its speakers with corpus.{side}_speaker="
                raise CorpusError(self.root, f"holds nothing of {speaker}, whom the {side} side needs", remedy)
        return sides

    def _target(self, name: re.Match[str], table: dict[str, str], path: Path) -> str:
        if self.label == "sentiment":
            return sentiment_of(name["emotion"])
        return name[self.label] if self.label in ("emotion", "speaker") else self._listed(table, path)

    def _listed(self, table: dict[str, str], path: Path) -> str:
        if path.stem not in table:
            raise CorpusError(path, "stands not in data.tsv", "download the corpus anew, or remove the file")
        return table[path.stem]

    def _table(self) -> dict[str, str]:
        """The target of each file, by the file's name without suffix (which depends on how it was packed)."""
        column = "normalized_text" if self.label == "text" else self.label
        rows = read_table(self.root / "data.tsv", ("file_id", column), delimiter="\t", quoted=False)
        return {Path(row["file_id"]).stem: row[column].translate(_QUOTATION_MARKS) for _, row in rows}
