"""How training data is loaded: from where, by how many processes, on how many threads, and in which order."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from avpipe.augment import Augmentation
from avpipe.config import Spec, instantiate
from avpipe.device import worker_count
from avpipe.errors import ArgumentError
from avpipe.objectives import Objective
from avpipe.training.cache import Cache, CachedReader
from avpipe.training.data import AVDataModule, Loading, TrainingWindows, ValidationWindows
from avpipe.training.ledger import Clock
from avpipe.training.processes import is_first_process, num_processes
from avpipe.training.recordings import Reader, Recording
from avpipe.training.sampling import Buckets, Companions, Order


def make_data(
    config: Mapping[str, Any],
    device: torch.device,
    preprocessor: Spec,
    objective: Objective,
    train_part: Sequence[Recording],
    val_part: Sequence[Recording],
    clock: Clock,
) -> AVDataModule:
    """The batches of a training, once its cache is filled.

    Args:
        config: ``train.yaml`` as plain data.
        device: that trains.
        preprocessor: of the windows.
        objective: encodes their targets.
        train_part: what to learn from.
        val_part: what to validate on.
        clock: measures what the loading takes.

    Raises:
        ArgumentError: the cache cannot hold what the augmentation changes.
    """
    settings, seed, processes = config["data"], config["seed"], num_processes(config["trainer"])
    augmentation: Augmentation = instantiate(config["augment"])
    cache: Cache = instantiate(config["cache"])
    from_features = cache.kind == "features"
    if from_features and augmentation.needs_clip:
        reason = "the chosen augmentation changes sound or frames, which cached features no longer have"
        raise ArgumentError("cache=features", reason, "give cache=decoded, or augment=none")
    train_reader, val_reader = cache.readers(train_part, val_part, preprocessor, worker_count(settings["workers"]))
    on_device = device.type == "cuda" if settings["features_on_device"] == "auto" else settings["features_on_device"]
    train = TrainingWindows(
        train_part, train_reader, augmentation, objective, seed, from_features, on_device and not from_features, clock
    )
    val = ValidationWindows(val_part, val_reader, objective)
    ready = from_features and _holds_all(train_reader, train_part)
    loading = Loading(
        batch_size=settings["batch_size"],
        workers=num_workers(settings["workers"], ready, device),
        seed=seed,
        weights=_balanced(train_part) if settings["sampling"] == "balanced" else None,
        pin_memory=device.type == "cuda",
        passes=settings["passes"],
        order=_order({**settings, "batch_size": settings["batch_size"] * processes}, objective, train_part),
        one_shape=config["device"]["compile"],
        prefetch=num_ready(settings["prefetch"], cache.kind),
    )
    return AVDataModule(train, val, loading)


def num_workers(asked: int | str, ready: bool, device: torch.device) -> int:
    """Processes that load beside the training.

    Where features only have to be put into batches, on cores that are to train as well, ``auto`` takes none: handing
    a batch over costs more than making it.

    Args:
        asked: ``auto`` or a number.
        ready: whether all features are in the cache.
        device: that trains.
    """
    return 0 if asked == "auto" and ready and device.type == "cpu" else worker_count(asked)


def num_ready(asked: int | str, cache_kind: str) -> int:
    """Batches that each worker may hold ready; ``auto`` takes more where media is decoded, as some take long.

    Raises:
        ArgumentError: for what is neither ``auto`` nor a number from 1.
    """
    if asked == "auto":
        return 4 if cache_kind == "none" else 2
    if type(asked) is not int or asked < 1:
        raise ArgumentError(f"data.prefetch={asked}", "not a number of batches", "write auto, 1, 2, ...")
    return asked


def num_threads(asked: int | str) -> int:
    """Threads that torch computes with in the training process; ``auto`` is torch's own choice, one a core.

    The number does not follow from that of the workers: on other threads sums come in another order, and equal
    trainings would end with other bytes.

    Raises:
        ArgumentError: for what is neither ``auto`` nor a number from 1.
    """
    if asked == "auto":
        return torch.get_num_threads()
    if type(asked) is not int or asked < 1:
        raise ArgumentError(f"data.threads={asked}", "not a number of threads", "write auto, 1, 2, ...")
    return asked


def tell_loading(settings: Mapping[str, Any], loading: Loading) -> None:
    """Say on standard error what ``auto`` has chosen, where that was asked for."""
    if settings["workers"] != "auto" or not is_first_process():
        return
    threads = counted(num_threads(settings["threads"]), "thread")
    if loading.workers:
        beside = f"{counted(loading.workers, 'process', 'es')} beside the training, {loading.prefetch} batches each"
    else:
        beside = "between the steps, as all features are in the cache"
    print(f"loading: {beside}; torch: {threads} (data.workers, data.prefetch, data.threads)", file=sys.stderr)


def counted(number: int, what: str, plural: str = "s") -> str:
    """``1 worker``, ``2 workers``."""
    return f"{number} {what}{plural if number != 1 else ''}"


def _holds_all(reader: Reader, recordings: Sequence[Recording]) -> bool:
    return isinstance(reader, CachedReader) and all(map(reader.holds, recordings))


def _order(settings: Mapping[str, Any], objective: Objective, train_part: Sequence[Recording]) -> Order | None:
    """What is to stand together in a batch."""
    if settings["sampling"] == "companions":
        return Companions([str(each.example.target) for each in train_part])
    return (
        Buckets([each.duration_sec for each in train_part], settings["batch_size"]) if objective.needs_whole else None
    )


def _balanced(recordings: Sequence[Recording]) -> list[float]:
    """How often each recording comes, so that each label comes equally often."""
    labels = [str(recording.example.target) for recording in recordings]
    counts = Counter(labels)
    return [1.0 / counts[label] for label in labels]
