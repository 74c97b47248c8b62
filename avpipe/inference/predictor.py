"""Answers for files: one decode, all bundles, batches of one fixed shape."""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Protocol, cast

import torch

from avpipe.bundle import Bundle
from avpipe.device import lacks_memory
from avpipe.errors import ArgumentError, RunStopped
from avpipe.features import TIME_AXIS, collate
from avpipe.inference.bundle_answer import BundleAnswer
from avpipe.inference.decoding import Failed, Finished, Request, Window
from avpipe.inference.prediction import Job, Prediction, Summary
from avpipe.inference.senses import Apart, has_several_senses
from avpipe.inference.shots import with_labelled_shots
from avpipe.inference.turns import TurnFinder
from avpipe.inference.vad import check_vad
from avpipe.inference.voices import voices_among
from avpipe.inference.workers import NO_LIMITS, Limits, decoded
from avpipe.networks import Network
from avpipe.objectives import Boundaries, Decoded, Transcription, Verification


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
        bundles: Sequence[Bundle],
        batch_size: int = 16,
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
                bundle.preprocessor,
                vad if _needs_speech(bundle, turns) else None,
                _quiet_sec(bundle),
                sketches and bundle.name in _sketched(bundles),
            )
            for bundle in bundles
        ]
        if turns:
            voices_among(bundles, "turns", thresholds=True)

    @property
    def finds_shots(self) -> bool:
        """Whether one of the bundles looks for the shots of films."""
        return any(isinstance(bundle.objective, Boundaries) for bundle in self.bundles)

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
        for job, message in decoded(jobs, self._requests, workers, self.limits):
            if isinstance(message, Window):
                run.add_window(job, message)
            elif isinstance(message, Finished):
                run.finish(job, message)
            else:
                run.fail(job, message)
        run.flush()


class _Run:
    """The files that are open during one run, and the windows that wait for a full batch."""

    def __init__(
        self,
        bundles: Sequence[Bundle],
        batch_size: int,
        turns: bool,
        speech: bool,
        deliver: Callable[[Prediction], None],
    ) -> None:
        self.bundles = bundles
        self.batch_size = batch_size
        self.turns = turns
        self.speech = speech
        self.deliver = deliver
        self.finds_shots = any(isinstance(bundle.objective, Boundaries) for bundle in bundles)
        self.open: dict[Job, _OpenFile] = {}
        self.queues: list[list[tuple[Job, Window]]] = [[] for _ in bundles]
        # Windows counted in frames are large enough by themselves, and as long as the film allows: none is padded.
        self.sizes = [1 if bundle.preprocessor.counts_frames else batch_size for bundle in bundles]
        """Windows that each bundle's network takes at a time: fewer, once there was no memory for more."""

    def add_window(self, job: Job, window: Window) -> None:
        file = self._file(job)
        if isinstance(self.bundles[window.plan].objective, Verification) and window.silent:
            return  # every silence is like every other, and would be somebody's voice
        file.waiting += 1
        queue = self.queues[window.plan]
        queue.append((job, window))
        if len(queue) >= self.sizes[window.plan]:
            self._answer_queue(window.plan)

    def finish(self, job: Job, message: Finished) -> None:
        self._file(job).finished = message
        self._close_if_done(job)

    def fail(self, job: Job, message: Failed) -> None:
        self.open.pop(job, None)
        self.queues = [[entry for entry in queue if entry[0] != job] for queue in self.queues]
        self.deliver(Prediction(job.name, message.status, message.reason))

    def flush(self) -> None:
        for plan in range(len(self.bundles)):
            self._answer_queue(plan)

    def _file(self, job: Job) -> _OpenFile:
        if job not in self.open:
            self.open[job] = _OpenFile([self._begun(bundle) for bundle in self.bundles])
        return self.open[job]

    def _begun(self, bundle: Bundle) -> BundleAnswer:
        is_asked = self.finds_shots and not isinstance(bundle.objective, Boundaries)
        return BundleAnswer(bundle, self._finder(bundle), [] if is_asked else None)

    def _finder(self, bundle: Bundle) -> TurnFinder | None:
        if self.turns and isinstance(bundle.objective, Verification):
            return TurnFinder(bundle.objective)
        return None

    def _answer_queue(self, plan: int) -> None:
        queue, self.queues[plan] = self.queues[plan], []
        if not queue:
            return
        windows = [window for _, window in queue]
        for (job, window), (said, apart) in zip(queue, self._answers(plan, windows), strict=True):
            self.open[job].answers[plan].add(window, said, apart)
            self.open[job].waiting -= 1
        for job in dict.fromkeys(job for job, _ in queue):
            self._close_if_done(job)

    def _answers(self, plan: int, windows: Sequence[Window]) -> list[tuple[Decoded, Apart]]:
        """Of each window the answer, and of a bundle of several senses the answers by these."""
        bundle = self.bundles[plan]
        while True:
            size = self.sizes[plan]
            parts = [windows[start : start + size] for start in range(0, len(windows), size)]
            try:
                return [said for part in parts for said in self._computed(bundle, part, size)]
            except (MemoryError, RuntimeError) as error:
                if not lacks_memory(error):
                    raise
                if size == 1:
                    reason = "there is not enough memory for a single window"
                    raise RunStopped(bundle.name, reason, "end other programs, or name another device") from error
            self.sizes[plan] = size // 2
            told = f"warning: {bundle.name}: no memory for {size} windows at a time; going on with {size // 2}"
            print(told, file=sys.stderr, flush=True)

    @staticmethod
    def _computed(bundle: Bundle, windows: Sequence[Window], size: int) -> list[tuple[Decoded, Apart]]:
        # The shape is always the same, so that the same arithmetic is done for a window wherever it stands.
        features = [window.features for window in windows]
        if bundle.preprocessor.counts_frames:
            steps = {sense: value.shape[TIME_AXIS[sense]] for sense, value in features[0].items()}
        else:
            features += [{}] * (size - len(windows))
            steps = _steps(bundle)
        batch, lengths = collate(features, steps)
        moved = [{sense: value.to(bundle.device) for sense, value in part.items()} for part in (batch, lengths)]
        count = len(windows)
        with torch.inference_mode():
            if not has_several_senses(bundle.network):
                return [(said, {}) for said in bundle.objective.decode(bundle.network(*moved))[:count]]
            outputs = cast(Network, bundle.network).answers_by_senses(*moved)
        decoded = {used: bundle.objective.decode(output)[:count] for used, output in outputs.items()}
        every = max(decoded, key=len)
        return [(decoded[every][row], {used: rows[row] for used, rows in decoded.items()}) for row in range(count)]

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


def _sketched(bundles: Sequence[Bundle]) -> list[str]:
    """Names of the first that looks and of the first that listens: between them they show any file."""
    looking = [bundle.name for bundle in bundles if bundle.preprocessor.video is not None]
    listening = [bundle.name for bundle in bundles if bundle.preprocessor.audio is not None]
    return [*looking[:1], *listening[:1]]


def _quiet_sec(bundle: Bundle) -> float:
    """Of silence at the edges of a recording, in whole steps, so that the steps of all its windows lie on one grid."""
    asked_sec = bundle.preprocessor.edge_sec(bundle.objective.edge_silence_sec)
    return ceil(asked_sec / bundle.step_sec - 1e-6) * bundle.step_sec if asked_sec else 0.0


def _steps(bundle: Bundle) -> dict[str, int]:
    """Length of each sense's time axis in any batch: that of a window, and of the silence at both its edges."""
    edges_sec = 2.0 * _quiet_sec(bundle)
    preprocessor = bundle.preprocessor
    return {
        sense: steps + round(edges_sec / preprocessor.frame_sec(sense))
        for sense, steps in preprocessor.window_steps.items()
    }


def _needs_speech(bundle: Bundle, turns: bool) -> bool:
    """Whether turns are made of it, or the times of words."""
    if not bundle.preprocessor.clip_format.audio:  # lips alone tell of no pauses
        return False
    return isinstance(bundle.objective, Transcription) or (turns and isinstance(bundle.objective, Verification))
