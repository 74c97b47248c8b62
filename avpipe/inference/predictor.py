"""Answers for files: one decode, all bundles, batches of one fixed shape."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from avpipe.answers import Decoded, ShotAnswers, TextAnswers, VoiceAnswers
from avpipe.errors import ArgumentError
from avpipe.inference.batches import Batches
from avpipe.inference.bundle_answer import BundleAnswer
from avpipe.inference.decoding import Failed, Finished, Request, Window
from avpipe.inference.model import Model
from avpipe.inference.prediction import Job, Prediction, Summary
from avpipe.inference.senses import Apart
from avpipe.inference.shots import with_labelled_shots
from avpipe.inference.turns import TurnFinder
from avpipe.inference.vad import check_vad
from avpipe.inference.voices import voices_among
from avpipe.inference.workers import NO_LIMITS, Limits, decoded
from avpipe.windowing import quiet_sec


class Sink(Protocol):
    """Takes each prediction as soon as it is made."""

    def add(self, prediction: Prediction) -> None: ...


class Engine(Protocol):
    """Answers jobs, here or elsewhere; each answer goes to the sink as soon as it is known, in any order."""

    def run(self, jobs: Iterable[Job], sink: Sink) -> Summary: ...


@dataclass(slots=True)
class _OpenFile:
    """A file between its first window and its prediction."""

    answers: list[BundleAnswer]
    waiting: int = 0
    """Windows that the network has not seen yet."""
    finished: Finished | None = None


class Predictor:
    """Labels files with one or several bundles, from one decode each.

    A file's answer does not depend on its neighbours, on the order, or on the number of workers: windows have a fixed
    length, every batch is padded to one shape, and nothing is normalised over a batch.

    Args:
        bundles: of different names.
        batch_size: windows a batch.
        workers: decoding processes; 0 decodes between the network's batches.
        turns: also tell who speaks when, with those bundles that compare voices.
        speech: also tell where somebody speaks, with those bundles that transcribe.
        vad: by which rule speech is found for both, and for the times of words: ``energy`` or ``silero``.
        limits: of each decoding process; what is decoded here has none.
        sketches: also make a small picture of each file, from the same decode.
    """

    def __init__(
        self,
        bundles: Sequence[Model],
        batch_size: int = 8,
        workers: int = 0,
        turns: bool = False,
        speech: bool = False,
        vad: str = "energy",
        limits: Limits = NO_LIMITS,
        sketches: bool = False,
    ) -> None:
        if batch_size < 1:
            raise ArgumentError(f"batch_size={batch_size}", "must be at least 1")
        names = [bundle.name for bundle in bundles]
        for name in names:
            if names.count(name) > 1:
                raise ArgumentError(f"bundle={name}", "two bundles of one name", "rename the folder of one")
        self.bundles = tuple(bundles)
        self.batch_size = batch_size
        self.workers = workers
        self.turns = turns
        self.speech = speech
        self.limits = limits
        check_vad(vad)
        self._requests = [
            Request(
                bundle.windowing,
                bundle.made,
                vad if _needs_speech(bundle, turns) else None,
                quiet_sec(bundle.windowing, bundle.objective.edge_silence_sec, bundle.step_sec),
                sketches and bundle.name in _sketched(bundles),
            )
            for bundle in bundles
        ]
        if turns:
            voices_among(bundles, "turns", thresholds=True)

    @property
    def finds_shots(self) -> bool:
        """Whether one of the bundles looks for the shots of films."""
        return any(isinstance(bundle.objective, ShotAnswers) for bundle in self.bundles)

    def __call__(self, path: str | Path) -> Prediction:
        """The answer for one file; what cannot be read is an answer of status ``error``."""
        collected: list[Prediction] = []
        self._run([Job(Path(path).name, Path(path))], collected.append, workers=0)
        return collected[0]

    def run(self, jobs: Iterable[Job], sink: Sink) -> Summary:
        """Answer every job; each answer goes to the sink as soon as it is known, in any order."""
        summary = Summary()

        def deliver(prediction: Prediction) -> None:
            sink.add(prediction)
            summary.count(prediction.status)

        self._run(jobs, deliver, self.workers)
        return summary

    def _run(self, jobs: Iterable[Job], deliver: Callable[[Prediction], None], workers: int) -> None:
        run = _Run(self.bundles, self.batch_size, self.turns, self.speech, deliver)
        with closing(run.batches) as batches:
            for job, message in decoded(jobs, self._requests, workers, self.limits, batches.settle):
                if isinstance(message, Window):
                    run.add_window(job, message)
                elif isinstance(message, Finished):
                    run.finish(job, message)
                else:
                    run.fail(job, message)
            batches.flush()


class _Run:
    """The files that are open during one run."""

    def __init__(
        self,
        bundles: Sequence[Model],
        batch_size: int,
        turns: bool,
        speech: bool,
        deliver: Callable[[Prediction], None],
    ) -> None:
        self.bundles = bundles
        self.turns = turns
        self.speech = speech
        self.deliver = deliver
        self.finds_shots = any(isinstance(bundle.objective, ShotAnswers) for bundle in bundles)
        self.open: dict[Job, _OpenFile] = {}
        self.batches = Batches(bundles, batch_size, self._take)

    def add_window(self, job: Job, window: Window) -> None:
        file = self._file(job)
        if isinstance(self.bundles[window.plan].objective, VoiceAnswers) and window.silent:
            return  # every silence is like every other, and would be somebody's voice
        file.waiting += 1
        self.batches.add(job, window)

    def _take(self, job: Job, window: Window, said: Decoded, apart: Apart) -> None:
        file = self.open[job]
        file.answers[window.plan].add(window, said, apart)
        file.waiting -= 1
        self._close_if_done(job)

    def finish(self, job: Job, message: Finished) -> None:
        self._file(job).finished = message
        self._close_if_done(job)

    def fail(self, job: Job, message: Failed) -> None:
        self.open.pop(job, None)
        self.batches.drop(job)
        self.deliver(Prediction(job.name, message.status, message.reason))

    def _file(self, job: Job) -> _OpenFile:
        if job not in self.open:
            self.open[job] = _OpenFile([self._begun(bundle) for bundle in self.bundles])
        return self.open[job]

    def _begun(self, bundle: Model) -> BundleAnswer:
        is_asked = self.finds_shots and not isinstance(bundle.objective, ShotAnswers)
        return BundleAnswer(bundle, self._finder(bundle), [] if is_asked else None)

    def _finder(self, bundle: Model) -> TurnFinder | None:
        if self.turns and isinstance(bundle.objective, VoiceAnswers):
            return TurnFinder(bundle.objective)
        return None

    def _close_if_done(self, job: Job) -> None:
        file = self.open[job]
        if file.finished is None or file.waiting:
            return
        del self.open[job]
        finished, stretches = file.finished, file.finished.speech
        answered = {plan: answer for plan, answer in enumerate(file.answers) if answer.combined is not None}
        tasks = {
            answer.bundle.name: answer.told(stretches.get(plan, ()), self.speech) for plan, answer in answered.items()
        }
        if self.finds_shots:
            others = {
                answer.bundle.name: (answer.bundle.objective, answer.kept) for answer in file.answers if answer.kept
            }
            tasks = with_labelled_shots(tasks, others)
        missing = [
            f"{bundle.name}: {finished.missing.get(plan, 'nothing in it can be judged')}"
            for plan, bundle in enumerate(self.bundles)
            if plan not in answered
        ]
        doubts = [
            f"{answer.bundle.name}: {doubt}"
            for answer in answered.values()
            for doubt in answer.doubts(finished.sound_rate)
        ]
        lost = finished.coverage.losses()
        status = "abstained" if not tasks else "partial" if lost else "ok"
        notes = [f"{self.bundles[plan].name}: {note}" for plan, note in finished.notes.items()]
        reason = "; ".join([*missing, *lost, *doubts, *notes])
        self.deliver(Prediction(job.name, status, reason, finished.coverage, tasks, finished.thumbnail))


def _sketched(bundles: Sequence[Model]) -> list[str]:
    """Names of the first that looks and of the first that listens: between them they show any file."""
    looking = [bundle.name for bundle in bundles if bundle.windowing.format.video]
    listening = [bundle.name for bundle in bundles if bundle.windowing.format.audio]
    return [*looking[:1], *listening[:1]]


def _needs_speech(bundle: Model, turns: bool) -> bool:
    """Whether turns are made of it, or the times of words."""
    if not bundle.windowing.format.audio:  # lips alone tell of no pauses
        return False
    return isinstance(bundle.objective, TextAnswers) or (turns and isinstance(bundle.objective, VoiceAnswers))
