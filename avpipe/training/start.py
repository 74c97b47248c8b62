"""What a network begins with, and which of its layers learn: decided, told and written down when a run begins."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from avpipe.bundle import find_bundle
from avpipe.config import instantiate
from avpipe.files import write_text
from avpipe.objectives import Objective
from avpipe.training.initial import Beginning, begin_with
from avpipe.training.layer_plan import LayerPlan
from avpipe.training.pretrained import NONE, begin_pretrained, check_pretrained
from avpipe.training.processes import is_first_process
from avpipe.training.transfer import Transfer

RECORD = "transfer.json"


def check_start(config: Mapping[str, Any]) -> None:
    """Refuse what a network cannot begin with, before anything long is begun.

    Raises:
        AvpipeError: there are no such weights, or ``transfer`` has no use for them.
    """
    check_pretrained(config)
    if config["init_from"]:
        find_bundle(config["init_from"])
    transfer: Transfer = instantiate(config["transfer"])
    transfer.chosen(0, None, _is_given(config))


def plan_layers(
    config: Mapping[str, Any], network: nn.Module, objective: Objective, num_examples: int
) -> tuple[LayerPlan, str]:
    """What of a network learns when, and a line that says so; an equal configuration and corpus give an equal plan."""
    asked: Transfer = instantiate(config["transfer"])
    labels = getattr(objective, "labels", None)
    transfer, why = asked.chosen(num_examples, None if labels is None else len(labels), _is_given(config))
    plan = transfer.plan(network, config["trainer"]["max_epochs"])
    name = transfer.name if transfer is asked else f"{asked.name}: {transfer.name}, as {why}"
    still = [planned for planned in plan.stages if planned.first_epoch is None]
    later = [f"{each.stage.name} from epoch {each.first_epoch + 1}" for each in plan.stages if each.first_epoch]
    parts = [f"stand still: {', '.join(each.stage.name for each in still)}" if still else "", ", ".join(later[::-1])]
    return plan, "; ".join([f"transfer={name}", *filter(None, parts)])


def begin(
    config: Mapping[str, Any], folder: Path, network: nn.Module, objective: Objective, layers: tuple[LayerPlan, str]
) -> list[str]:
    """Give a network its first weights, tell which, and write ``transfer.json``.

    Returns:
        Warnings, a line each.
    """
    plan, line = layers
    found = Beginning("")
    if config["init_from"]:
        found = begin_with(network, objective, config["init_from"], config["task"]["label"], config["preprocess"])
    else:
        begin_pretrained(network)
    if not is_first_process():
        return []
    if found.bundle:
        print(found)
    if _is_given(config) or line != "transfer=full":
        print(line, flush=True)
    told = {"transfer": line, "init_from": found.told if found.bundle else None, "stages": plan.told()}
    write_text(folder / RECORD, json.dumps(told, indent=2) + "\n")
    return found.warnings


def _is_given(config: Mapping[str, Any]) -> bool:
    """Whether a network begins with weights, all or some of them."""
    return bool(config["init_from"]) or _asks_for_weights(config["network"])


def _asks_for_weights(node: Any) -> bool:
    if not isinstance(node, Mapping):
        return False
    return node.get("weights") not in (None, NONE) or any(map(_asks_for_weights, node.values()))
