"""Files answered by a Ray cluster: paths go in, answers come back, and one process keeps the journal."""

import logging
import os
import pickle
import socket
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from avpipe.errors import ArgumentError, RunStopped
from avpipe.inference.prediction import Job, Prediction, Summary
from avpipe.inference.predictor import Predictor, Sink

_AT_A_TIME = 10_000
"""Files whose answers are asked of the cluster, and which other runs are kept from, at one time."""

_MOST_TOGETHER = 32
"""Files that a process is given at once: what is lost with it is answered anew."""

_KNOCK_SEC = 10.0


class RayEngine:
    """Answers jobs on all processors of a Ray cluster; what it answers is what the predictor would.

    Which cluster, Ray's own rules say: the one of ``RAY_ADDRESS``, else one of this machine alone, for as long as the
    run lasts. Each processor has an actor with the bundles, which decodes in a process of its own, so that limits hold.
    An actor or a machine that is lost costs nothing but time: what it had is answered by others. All machines must have
    this avpipe, and the files under the same paths.

    Args:
        predictor: of which each actor has a copy.

    Raises:
        ArgumentError: if Ray is not installed, or the predictor cannot be sent to others.
    """

    def __init__(self, predictor: Predictor) -> None:
        try:
            import ray.data  # noqa: F401
        except ImportError as error:
            raise ArgumentError("engine=ray", "ray is not installed", 'pip install "avpipe[scale]"') from error
        predictor.workers = 1
        try:
            self._sent = pickle.dumps(predictor)
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            raise ArgumentError("engine=ray", f"what answers cannot be sent ({error})", "use engine=local") from error

    def run(self, jobs: Iterable[Job], sink: Sink) -> Summary:
        """Answer every job; each answer goes to the sink as soon as it is known, in any order."""
        summary = Summary()
        waiting = iter(jobs)
        while together := list(islice(waiting, _AT_A_TIME)):
            for prediction in self._answers(together):
                sink.add(prediction)
                summary.count(prediction.status)
        return summary

    def _answers(self, jobs: list[Job]) -> Iterator[Prediction]:
        _connect()
        import ray

        actors = max(1, int(ray.cluster_resources().get("CPU", 1)))
        blocks = max(1, min(len(jobs), max(4 * actors, -(-len(jobs) // _MOST_TOGETHER))))
        dataset = ray.data.from_items([{"job": pickle.dumps(job)} for job in jobs], override_num_blocks=blocks)
        answered = dataset.map_batches(
            _Actor,
            fn_constructor_args=(self._sent, os.getcwd()),
            batch_size=None,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=min(actors, blocks)),
            num_cpus=1,
        )
        try:
            for row in answered.iter_rows():
                yield pickle.loads(row["answer"])
        except ray.exceptions.RayError as error:
            reason = str(error).strip().splitlines()[-1]
            remedy = "see that the cluster runs, then run the same command again: what is done is kept"
            raise RunStopped("engine=ray", reason, remedy) from error


class _Actor:
    """What a process of the cluster does with the files that it is given."""

    def __init__(self, sent: bytes, folder: str) -> None:
        import torch

        os.chdir(folder)  # paths are as they were given, and so are the reasons that name them
        torch.set_num_threads(1)
        self.predictor: Predictor = pickle.loads(sent)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[bytes]]:
        answers = _Collected()
        self.predictor.run((pickle.loads(job) for job in batch["job"]), answers)
        return {"answer": [pickle.dumps(each) for each in answers.predictions]}


class _Collected:
    def __init__(self) -> None:
        self.predictions: list[Prediction] = []

    def add(self, prediction: Prediction) -> None:
        self.predictions.append(prediction)


def _connect() -> None:
    """Join the cluster, or start one; whatever Ray would say of itself is left to its log files."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    import ray

    if ray.is_initialized():
        return
    address = os.environ.get("RAY_ADDRESS", "")
    try:
        _knock(address)
        # Without an address Ray looks for a cluster that this machine once began, and waits for a dead one.
        ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    except (OSError, RuntimeError, ValueError) as error:
        reason = f"no cluster answers{f' at {address}' if address else ''} ({str(error).strip().splitlines()[0]})"
        raise ArgumentError("engine=ray", reason, "start one (ray start --head), or mend RAY_ADDRESS") from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def _knock(address: str) -> None:
    """Find out soon whether anybody is there; Ray itself asks for a minute and more."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal():
        with socket.create_connection((host.rpartition("/")[2], int(port)), timeout=_KNOCK_SEC):
            pass
