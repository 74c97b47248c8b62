"""An input labelled into an output folder: answers in the journal, files of answers from it, and the page."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from avpipe.files import write_text
from avpipe.inference.formats import Writer
from avpipe.inference.journal import Answers
from avpipe.inference.pictured import PicturedJournal
from avpipe.inference.policy import Policy, Told
from avpipe.inference.prediction import Job, Prediction
from avpipe.inference.predictor import Engine, Predictor, Sink
from avpipe.inference.remote import Fetcher
from avpipe.inference.shot_files import write_sheets
from avpipe.inference.summary import summarise
from avpipe.report import located, write_prediction_report


@dataclass(frozen=True, slots=True)
class _Removing:
    """Hands predictions on, and removes the files that were fetched for them."""

    sink: Sink
    fetched: dict[str, Path]

    def add(self, prediction: Prediction) -> None:
        self.sink.add(prediction)
        self.fetched.pop(prediction.path).unlink(missing_ok=True)


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
    max_fetch_mb: float | None = None
    """Of a file that is named by a URL."""

    @property
    def boxes(self) -> bool:
        """Whether the boxes beside a film determine its answer."""
        return any(bundle.windowing.wants_boxes for bundle in self.predictor.bundles)

    def journal(self) -> PicturedJournal:
        return PicturedJournal(self.output, self.settings, self.boxes)

    def answers(self) -> Answers:
        """What stands in the output folder, where nothing is to be written."""
        return Answers(self.output, self.settings, self.boxes)

    def answer(self, jobs: Iterable[Job], journal: PicturedJournal) -> int:
        """Answer those of the jobs that no answer stands for and nobody else has in hand; returns how many."""
        remote: list[Job] = []

        def local() -> Iterator[Job]:
            for job in jobs:
                if job.url:
                    remote.append(job)
                else:
                    yield job

        here = self.engine.run(journal.pending(local()), Told(journal, self.policy)).statuses.total()
        return here + self._answer_remote(remote, journal)

    def _answer_remote(self, jobs: Sequence[Job], journal: PicturedJournal) -> int:
        if not jobs:
            return 0
        fetched: dict[str, Path] = {}

        def pending() -> Iterator[Job]:
            for job in fetcher.fetched(journal.unanswered(jobs)):
                fetched[job.name] = job.path
                if journal.begin(job):
                    yield job
                else:
                    job.path.unlink(missing_ok=True)

        with closing(Fetcher(self.predictor.limits, self.max_fetch_mb)) as fetcher:
            sink = _Removing(Told(journal, self.policy), fetched)
            # Here, whatever the engine: other machines do not see what was fetched.
            return self.predictor.run(pending(), sink).statuses.total()

    def write(self, jobs: Sequence[Job], journal: PicturedJournal) -> dict[str, Any]:
        """Write the files of answers, the page and the summary; returns what stands in the last."""
        with journal.alone():
            for write in self.writers:
                write(self.output, journal.records(jobs))
            totals = summarise(journal.records(jobs), self.settings)
            sheets = {}
            if self.predictor.finds_shots:
                find, predictor = partial(located, self.root), self.predictor
                sheets = write_sheets(self.output, journal.records(jobs), find, predictor.workers, predictor.limits)
            write_prediction_report(
                self.output / "report.html",
                journal.records(jobs),
                self.root,
                totals,
                thumbnail=journal.thumbnail,
                sheets=sheets,
                notices=[bundle.notice for bundle in self.predictor.bundles if bundle.notice],
            )
            write_text(self.output / "summary.json", json.dumps(totals, indent=2, ensure_ascii=False) + "\n")
        return totals
