"""Configurations: where they lie, how they are composed, and what is built from them."""

import re
from collections.abc import Callable, Iterator, KeysView, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import hydra.utils
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from avpipe.errors import ArgumentError, AvpipeError

Spec = Mapping[str, Any]
"""Plain data with a ``_target_``: what to call, and with which arguments."""

_PATH_KEYS = re.compile(
    r"\+{0,2}(input|output|bundle|gallery|report|run_dir|init_from|(.+\.)?(root|path|weights|lexicon|lm|speech|noise))"
)


def _channels_of(*, _parent_: DictConfig, _root_: DictConfig) -> int:
    """What ``${channels:}`` stands for in an encoder: 3 where it sees frames, 1 where it sees a spectrogram."""
    looks, listens = (_root_.preprocess.get(sense) is not None for sense in ("video", "audio"))
    return 3 if looks and (not listens or _root_.get("video_encoder") is _parent_) else 1


OmegaConf.register_new_resolver("channels", _channels_of, replace=True)


def conf_dir() -> Path:
    """The folder of our YAML files: inside the package in a wheel, beside it in a checkout.

    Raises:
        ArgumentError: if neither holds ``train.yaml``.
    """
    package = Path(__file__).parent
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "train.yaml").is_file():
            return folder
    raise ArgumentError(package / "conf", "the configuration files are missing", "install avpipe again")


def quote_path(argument: str) -> str:
    """An override whose value is a path, with the value quoted for Hydra's grammar; any other one as it is.

    Hydra would take spaces, commas, brackets and quotes for syntax, ``1e3`` for a number and ``null`` for None.
    A list stays one if the key is ``bundle`` and no folder has that name.
    """
    key, equals, value = argument.partition("=")
    if not equals or not value or not _PATH_KEYS.fullmatch(key):
        return argument
    if value == "null" and key not in ("input", "output"):  # these two are never left out
        return argument
    if key == "bundle" and value.startswith("[") and value.endswith("]") and not Path(value).exists():
        return argument
    return f"{key}={quoted(value)}"


def quoted(value: str) -> str:
    """Any text as a quoted string of Hydra's grammar, safe from interpolation too."""
    value = re.sub(r"(\\*)\$\{", lambda match: match[1] * 2 + "\\${", value)
    value = re.sub(r"(\\*)'", lambda match: match[1] * 2 + "\\'", value)
    value = re.sub(r"\\+$", lambda match: match[0] * 2, value)
    return f"'{value}'"


def typed(override: str) -> str:
    """An override in Hydra's grammar as a user types it, whose path is not quoted."""
    parsed = OverridesParser.create().parse_override(override)
    value = parsed.value()
    if not _PATH_KEYS.fullmatch(override.partition("=")[0]) or not isinstance(value, str):
        return override
    return f"{override.partition('=')[0]}={OmegaConf.create({'text': value})['text']}"


def compose(name: str, overrides: Sequence[str], config_dirs: Sequence[Path] = ()) -> DictConfig:
    """The configuration ``name`` with overrides in Hydra's grammar.

    Args:
        name: of a YAML file at the top of :func:`conf_dir`.
        overrides: such as ``task=emotion`` or ``optim.lr=1e-3``.
        config_dirs: a user's own folders, searched besides ours.

    Raises:
        ArgumentError: one line that names the argument and the choices.
    """
    overrides = [f"encoder@{text}" if text.startswith(_ENCODERS_OF_TWO) else text for text in overrides]
    with initialize_config_dir(str(conf_dir()), version_base="1.3"), _told_in_a_line(name, overrides):
        search = _searched(config_dirs)
        config = hydra_compose(name, [*search, *overrides])
        _check_types(config, hydra_compose(name, [*search, *_group_choices(overrides)]), overrides)
        return config


def _searched(config_dirs: Sequence[Path]) -> list[str]:
    folders = ",".join(quoted(str(folder.resolve())) for folder in config_dirs)
    return [f"hydra.searchpath=[{folders}]"] if config_dirs else []


@contextmanager
def _told_in_a_line(name: str, overrides: Sequence[str]) -> Iterator[None]:
    """Make one line of what Hydra says of overrides that it cannot compose."""
    try:
        yield
    except MissingConfigException as error:
        raise _no_such_option(error, overrides) from error
    except OverrideParseException as error:
        raise ArgumentError(error.override, "not of the form key=value", "quote special signs") from error
    except ConfigCompositionException as error:
        raise _no_such_key(error, name, overrides) from error
    except (HydraException, OmegaConfBaseException) as error:
        raise ArgumentError("arguments", _first_line(error)) from error
    except ValueError as error:  # Hydra's, of a group for which no name is given but null or a number
        raise _no_name(overrides, error) from error


def compose_each(
    name: str, overrides: Sequence[str], config_dirs: Sequence[Path], folder: Path, job: Callable[[list[str]], float]
) -> None:
    """Let Hydra's sweeper choose the overrides of each job, and its launcher call ``job`` with them.

    Args:
        name: as :func:`compose` has it.
        overrides: such as ``encoder=a,b``; ``hydra/sweeper=`` and ``hydra/launcher=`` choose these.
        config_dirs: as :func:`compose` has them.
        folder: where sweeper and launcher may keep what is theirs.
        job: gets the overrides of one job, in Hydra's grammar, and returns how good it is: the more the better. It must
            be picklable, since a launcher may call it in another process.

    Raises:
        ArgumentError: for what cannot be composed, before any job is begun.
    """
    own = [
        f"hydra.sweep.dir={quoted(str(folder))}", "hydra.sweep.subdir=.", "hydra.output_subdir=null",
        "hydra.job.chdir=false", "hydra/hydra_logging=none", "hydra/job_logging=none",
    ]  # fmt: skip
    try:
        # What hydra.main does, which would take the command line for its own.
        hydra = Hydra.create_main_hydra2(name, create_config_search_path(str(conf_dir())))
        with _told_in_a_line(name, overrides):
            hydra.multirun(name, partial(_run_one, job), [*_searched(config_dirs), *overrides, *own], False)
    finally:
        GlobalHydra.instance().clear()
        HydraConfig.instance().cfg = None


def _run_one(job: Callable[[list[str]], float], config: DictConfig) -> float:
    overrides = list(HydraConfig.get().overrides.task)
    # The job composes for itself, and Hydra knows one configuration at a time.
    running = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        return job(overrides)
    finally:
        GlobalHydra.instance().hydra = running


_ENCODERS_OF_TWO = ("audio_encoder=", "video_encoder=")
"""Keys under which tasks of two senses have an option of the group ``encoder``, each."""

_SWITCHED_OFF_BY_NULL = frozenset(("clean_above_db", "timeout_sec", "max_memory_mb", "max_loss"))
"""Numbers that ``null`` may stand for, too."""


def _group_choices(overrides: Sequence[str]) -> list[str]:
    """The overrides that choose a file of a group, and set no value."""
    return [text for text in overrides if (conf_dir() / text.partition("=")[0].partition("@")[0]).is_dir()]


def _check_types(config: DictConfig, default: DictConfig, overrides: Sequence[str]) -> None:
    """Refuse words where our YAML has a number or a switch; what takes either says ``auto`` there."""
    for key in (text.partition("=")[0] for text in overrides):
        was, now = OmegaConf.select(default, key), OmegaConf.select(config, key)
        if now is None and key in _SWITCHED_OFF_BY_NULL:
            continue
        if isinstance(was, bool):
            fits, wanted = isinstance(now, bool), "true or false"
        elif isinstance(was, int):
            fits, wanted = isinstance(now, int) and not isinstance(now, bool), "a whole number"
        elif isinstance(was, float):
            fits, wanted = isinstance(now, int | float) and not isinstance(now, bool), "a number"
        else:
            continue
        if not fits:
            raise ArgumentError(f"{key}={now}", f"not {wanted}", f"it is {was} where nothing is given")


def _no_such_option(error: MissingConfigException, overrides: Sequence[str]) -> ArgumentError:
    group, _, option = (error.missing_cfg_file or "").rpartition("/")
    choices = ", ".join(error.options or ())
    asked = [text for text in overrides if text.partition("@")[2].endswith(f"_encoder={option}") and group == "encoder"]
    if asked:
        return ArgumentError(asked[0].partition("@")[2], f"no such {group}", f"choose from: {choices}")
    if f"{group}={option}" not in overrides:
        return ArgumentError(error.missing_cfg_file, "no such configuration", f"choose from: {choices}")
    return ArgumentError(f"{group}={option}", f"no such {group}", f"choose from: {choices}")


def _no_name(overrides: Sequence[str], error: ValueError) -> ArgumentError:
    parser = OverridesParser.create()
    for text in _group_choices(overrides):
        if not isinstance(parser.parse_override(text).value(), str | list):
            group = text.partition("=")[0].partition("@")[0]
            choices = ", ".join(sorted(path.stem for path in (conf_dir() / group).glob("*.yaml")))
            shown = text.partition("@")[2] or text
            return ArgumentError(shown, f"no such {group}", f"choose from: {choices}")
    return ArgumentError("arguments", _first_line(error))


def _no_such_key(error: ConfigCompositionException, name: str, overrides: Sequence[str]) -> ArgumentError:
    refused = re.search(r"Could not override '([^'@]+)", str(error))
    if refused is None:
        return ArgumentError("arguments", _first_line(error))
    key = refused[1]
    cause = _first_line(error.__cause__) if error.__cause__ else ""
    groups = [text for text in _group_choices(overrides) if text.partition("=")[0] != key]
    node = OmegaConf.select(hydra_compose(name, groups), key.rpartition(".")[0]) if "." in key else None
    if node is None:
        node = hydra_compose(name, groups)
    if not isinstance(node, DictConfig):
        return ArgumentError(key, "no such key")
    if key.rpartition(".")[2] in node:
        return ArgumentError(key, f"cannot be set so: {cause}")
    choices = f"choose from: {', '.join(str(choice) for choice in node if choice != '_target_')}"
    options = _options(key, name, groups)
    if owners := [option for option, keys in options.items() if key.rpartition(".")[2] in keys]:
        choices = f"{' and '.join(owners)} {'has' if len(owners) == 1 else 'have'} it; else {choices}"
    else:
        more = {
            option: [own for own in keys if own not in node] for option, keys in options.items() if keys > set(node)
        }
        choices += "".join(f"; with {option} also: {', '.join(own)}" for option, own in more.items())
    return ArgumentError(key, "no such key", choices)


def _options(key: str, name: str, groups: Sequence[str]) -> dict[str, KeysView[Any]]:
    """The options of the key's group, such as ``decoding=beam`` of ``decoding.lexicon``, and what each knows there."""
    group, above = key.partition(".")[0], key.rpartition(".")[0]
    others = [text for text in groups if text.partition("=")[0] != group]
    found = {}
    for option in GlobalHydra.instance().config_loader().get_group_options(group):
        with suppress(HydraException):
            node = OmegaConf.select(hydra_compose(name, [*others, f"{group}={option}"]), above)
            if isinstance(node, DictConfig):
                found[f"{group}={option}"] = node.keys()
    return found


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


def plain(config: DictConfig) -> dict[str, Any]:
    """The configuration as dicts and lists, references followed.

    Raises:
        ArgumentError: for a value that is missing or refers to nothing.
    """
    try:
        container = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        reason = "is missing" if isinstance(error, MissingMandatoryValue) else _first_line(error)
        raise ArgumentError(error.full_key or "arguments", reason, "give it a value") from error
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def target_of(spec: Spec) -> Callable[..., Any]:
    """The class or function that ``spec`` names, uncalled."""
    try:
        target: Callable[..., Any] = hydra.utils.get_object(str(spec["_target_"]))
    except (HydraException, ImportError, ValueError) as error:
        raise ArgumentError(spec["_target_"], "there is nothing of this name") from error
    return target


def instantiate(spec: Spec, **more: Any) -> Any:
    """Build what ``spec`` describes, nested parts first, from plain data.

    Raises:
        ArgumentError: if an argument is unknown or unusable; an error of ours passes as it is.
    """
    try:
        return hydra.utils.instantiate({**spec, **more, "_convert_": "all"})
    except HydraException as error:
        cause = error.__cause__
        if isinstance(cause, AvpipeError):
            raise cause from None
        raise ArgumentError(spec.get("_target_", "configuration"), _first_line(cause or error)) from error
