"""What a run would have to do, and about how long it would take, before it is begun."""

import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from avpipe.errors import AvpipeError, printable
from avpipe.inference.journal import Answers
from avpipe.inference.memory import MemoryWatch
from avpipe.inference.policy import Policy, Told
from avpipe.inference.prediction import Job, Prediction
from avpipe.inference.predictor import Predictor
from avpipe.inference.workers import Send, worked
from avpipe.media import probe

NUM_SAMPLES = 32
SAMPLE_SEC = 30.0
"""Of a longer file only so much is answered for the sample."""
BUDGET_SEC = 30.0
"""Once the samples have taken so long, no other is begun."""

_LEAST_BYTES_PER_SEC = 10.0
"""A header that tells of longer is not believed."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What the header of a file tells."""

    size_bytes: int = 0
    seconds: float | None = None
    """None: it does not tell."""
    reason: str = ""
    """Why it cannot be read; empty where it can."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What there is to do."""

    num_files: int
    num_answered: int
    """Whose answers stand in the output folder."""
    bad: tuple[str, ...] = ()
    """Why each of those that cannot be read cannot be: their rows will be errors."""
    kinds: Counter[str] = field(default_factory=Counter)
    """Files to answer by their suffixes."""
    size_bytes: int = 0
    """Of the files to answer."""
    seconds: float = 0.0
    """Of media in them."""
    num_guessed: int = 0
    """Of those whose header does not tell how long they are, and which are reckoned by their size."""
    num_sampled: int = 0
    sampled_sec: float = 0.0
    """Of media that was answered for the sample."""
    took_sec: float = 0.0
    start_sec: float = 0.0
    """Until a first file was answered: what is loaded, and whatever is slow the first time."""
    most_bytes: int | None = None
    """Of memory, while the samples were answered."""

    @property
    def num_to_answer(self) -> int:
        return self.num_files - self.num_answered - len(self.bad)

    @property
    def needed_sec(self) -> float | None:
        """How long the run would take, its start included: by seconds of media as long as the samples.

        None where there was no sample.
        """
        return self.start_sec + self.took_sec * self.seconds / self.sampled_sec if self.sampled_sec else None


def make_plan(
    jobs: Sequence[Job], answers: Answers, predictor: Predictor, policy: Policy, loading_sec: float = 0.0
) -> Plan:
    """Look at every header, and answer a few files on time; nothing is written.

    Files are drawn for the sample as they come, so that their lengths are those of all; of a long one the beginning is
    answered.

    Args:
        jobs: of the run.
        answers: that stand.
        predictor: which would answer the others.
        policy: of what is told.
        loading_sec: how long it took until there was a predictor.
    """
    waiting = [job for job in jobs if not answers.stands(job)]
    looked = dict(_looked(waiting, predictor))
    bad = tuple(found.reason for found in looked.values() if found.reason)
    readable = {job: found for job, found in looked.items() if not found.reason}
    lengths_sec = _lengths_sec(readable)
    plan = Plan(
        num_files=len(jobs),
        num_answered=len(jobs) - len(waiting),
        bad=bad,
        kinds=Counter(job.path.suffix.lower().lstrip(".") or "(none)" for job in readable),
        size_bytes=sum(found.size_bytes for found in readable.values()),
        seconds=sum(lengths_sec.values()),
        num_guessed=sum(found.seconds is None for found in readable.values()),
        start_sec=loading_sec,
    )
    return _sampled(plan, lengths_sec, predictor, policy)


def _looked(jobs: Iterable[Job], predictor: Predictor) -> Iterator[tuple[Job, Looked]]:
    """What the headers tell; read by other processes and within limits, where the predictor has them."""
    if predictor.workers == 0:
        for job in jobs:
            yield job, look_at(job)
        return

    def lost(job: Job, reason: str) -> Looked:
        return Looked(reason=f"{printable(str(job.path))}: {reason}")

    yield from worked(jobs, _send_looked, predictor.workers, (Looked,), lost, predictor.limits)


def _send_looked(job: Job, send: Send) -> None:
    send(look_at(job))


def look_at(job: Job) -> Looked:
    """What the header of a file tells of it."""
    try:
        size_bytes = job.path.stat().st_size
        seconds = probe(job.path).end_sec
    except AvpipeError as error:
        return Looked(reason=str(error))
    except OSError as error:
        return Looked(reason=f"{printable(str(job.path))}: {error.strerror}")
    is_told = seconds is not None and 0.0 < seconds <= size_bytes / _LEAST_BYTES_PER_SEC
    return Looked(size_bytes, seconds if is_told else None)


def _lengths_sec(looked: dict[Job, Looked]) -> dict[Job, float]:
    """Seconds of each file; of one that does not tell, by its size as those of its suffix."""
    known: defaultdict[str, list[Looked]] = defaultdict(list)
    for job, found in looked.items():
        if found.seconds is not None:
            known[job.path.suffix.lower()].append(found)
            known[""].append(found)
    rates = {
        suffix: sum(each.seconds or 0.0 for each in found) / max(1, sum(each.size_bytes for each in found))
        for suffix, found in known.items()
    }

    def seconds_of(job: Job, found: Looked) -> float:
        if found.seconds is not None:
            return found.seconds
        return rates.get(job.path.suffix.lower(), rates.get("", 0.0)) * found.size_bytes

    return {job: seconds_of(job, found) for job, found in looked.items()}


class _Nobody:
    """Takes predictions that are not kept."""

    def add(self, prediction: Prediction) -> None:
        pass


def _sampled(plan: Plan, lengths_sec: dict[Job, float], predictor: Predictor, policy: Policy) -> Plan:
    """The plan with what a few files took."""
    drawn = random.Random(0).sample(list(lengths_sec), min(NUM_SAMPLES, len(lengths_sec)))
    if not drawn:
        return plan
    stretches = {_beginning(job, lengths_sec[job]): min(lengths_sec[job], SAMPLE_SEC) for job in drawn}
    sink = Told(_Nobody(), policy)
    began = time.perf_counter()
    predictor.run([next(iter(stretches))], sink)
    first_sec = time.perf_counter() - began
    begun: list[Job] = []

    def within_budget() -> Iterator[Job]:
        for job in stretches:
            if time.perf_counter() - began > BUDGET_SEC:
                return
            begun.append(job)
            yield job

    began = time.perf_counter()
    with MemoryWatch() as watch:
        predictor.run(within_budget(), sink)
    return replace(
        plan,
        num_sampled=len(begun),
        sampled_sec=sum(stretches[job] for job in begun),
        took_sec=time.perf_counter() - began,
        start_sec=plan.start_sec + first_sec,
        most_bytes=watch.most_bytes,
    )


def _beginning(job: Job, seconds: float) -> Job:
    return replace(job, end_sec=SAMPLE_SEC) if seconds > SAMPLE_SEC else job
