"""One page, one file: templates filled in, with everything that is shown inside."""

import base64
import hashlib
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import avpipe
from avpipe.files import written_whole

_TEMPLATES = files("avpipe.report") / "templates"
_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("avpipe.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalised,
    )
    environment.filters.update(number=number, percent=percent, seconds=seconds)
    environment.globals.update(version=avpipe.__version__, stylesheet=_resource("style.css"))
    environment.globals.update(script=_resource, script_sha256=_script_sha256)
    return environment


def _resource(name: str) -> Markup:
    """A file of ours beside the templates, to stand in a page as it is."""
    return Markup((_TEMPLATES / name).read_text(encoding="utf-8"))


def _script_sha256(name: str) -> str:
    """What the page's content policy knows its only script by: a script that a name brings in does not run."""
    return base64.b64encode(hashlib.sha256(_resource(name).encode("utf-8")).digest()).decode("ascii")


def _finalised(value: Any) -> Any:
    return shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def shown(value: str) -> str:
    """Control characters and bytes that are no UTF-8 as escapes: HTML forbids them, a name must be seen as it is."""
    return _UNSHOWABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), value)


def number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    return "–" if value is None or math.isnan(value) else f"{100 * value:.{digits}f} %"


def seconds(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def flattened(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as dotted keys and values, in their order."""
    rows: list[tuple[str, str]] = []
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            rows += flattened(value, f"{prefix}{key}.")
        elif isinstance(value, Sequence) and not isinstance(value, str):
            rows.append((f"{prefix}{key}", ", ".join(map(str, value)) or "(empty)"))
        else:
            rows.append((f"{prefix}{key}", "null" if value is None else str(value)))
    return rows


def write_page(path: Path, template: str, content: Mapping[str, Any]) -> Path:
    """Fill in a template and write the page, whole or not at all; iterators in ``content`` are taken row by row."""
    pieces: Iterable[str] = _environment().get_template(template).generate(content)
    with written_whole(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(pieces)
    return path


def link(target: Path, page: Path) -> str:
    """The address of a file, relative to the page, of whatever signs its name consists."""
    relative = os.path.relpath(os.path.abspath(target), os.path.abspath(page.parent))
    return quote(os.fsencode(relative))
