"""An input labelled into an output folder: answers in the journal, files of answers from it, and the page."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from avpipe.files import write_text
from avpipe.inference.formats import Writer
from avpipe.inference.journal import Answers
from avpipe.inference.pictured import PicturedJournal
from avpipe.inference.policy import Policy, Told
from avpipe.inference.prediction import Job
from avpipe.inference.predictor import Engine, Predictor
from avpipe.inference.shot_files import write_sheets
from avpipe.inference.summary import summarise
from avpipe.report import located, write_prediction_report


@dataclass(frozen=True, slots=True)
class FolderRun:
    """What one command asks of the files of an input."""

    predictor: Predictor
    engine: Engine
    """What has the predictor answer: itself, or many copies of it."""
    policy: Policy
    settings: Mapping[str, Any]
    """All besides a file that determines its answer."""
    writers: Sequence[Writer]
    root: Path
    """The input, as given: a file, a list or a folder."""
    output: Path

    @property
    def boxes(self) -> bool:
        """Whether the boxes beside a film determine its answer."""
        return any(bundle.preprocessor.wants_boxes for bundle in self.predictor.bundles)

    def journal(self) -> PicturedJournal:
        return PicturedJournal(self.output, self.settings, self.boxes)

    def answers(self) -> Answers:
        """What stands in the output folder, where nothing is to be written."""
        return Answers(self.output, self.settings, self.boxes)

    def answer(self, jobs: Iterable[Job], journal: PicturedJournal) -> int:
        """Answer those of the jobs that no answer stands for and nobody else has in hand; returns how many."""
        return sum(self.engine.run(journal.pending(jobs), Told(journal, self.policy)).statuses.values())

    def write(self, jobs: Sequence[Job], journal: PicturedJournal) -> dict[str, Any]:
        """Write the files of answers, the page and the summary; returns what stands in the last."""
        with journal.alone():
            for write in self.writers:
                write(self.output, journal.records(jobs))
            totals = summarise(journal.records(jobs), self.settings)
            sheets = {}
            if self.predictor.finds_shots:
                sheets = write_sheets(self.output, journal.records(jobs), partial(located, self.root))
            page = self.output / "report.html"
            records, thumbnail = journal.records(jobs), journal.thumbnail
            write_prediction_report(page, records, self.root, totals, thumbnail=thumbnail, sheets=sheets)
            write_text(self.output / "summary.json", json.dumps(totals, indent=2, ensure_ascii=False) + "\n")
        return totals
