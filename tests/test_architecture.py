"""The floors of the house: imports run downwards only, and heavy libraries stay on the floor that needs them."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "avpipe"

# From the ground up. Parts on one floor stand side by side: neither imports the other.
FLOORS = (
    ("errors",),
    ("files", "progress", "threads"),
    ("media",),
    ("corpora", "windowing"),
    ("answers",),
    ("graphs",),
    ("features",),
    ("augment",),
    ("networks",),
    ("objectives",),
    ("config", "device"),
    ("bundle",),
    ("export", "report"),
    ("inference", "training"),
    ("cli",),
    ("avpipe", "__main__"),  # the doors: `import avpipe` and `python -m avpipe`
)
FLOOR_OF = {part: floor for floor, parts in enumerate(FLOORS) for part in parts}

# Which parts may import a library. What is not named here may be imported anywhere but in media, which is numpy only.
ONLY_IN = {
    "av": {"media"},
    "soundfile": {"media"},
    "soxr": {"media"},
    "hydra": {"config"},
    "pytorch_lightning": {"training"},
    "matplotlib": {"report"},
    "jinja2": {"report"},
}
NO_TORCH = {"media", "windowing", "answers", "graphs"}
NOT_IN_MEDIA = {"torch", "torchaudio", "torchvision", "torchmetrics", "librosa", "sklearn", "omegaconf"}

MAX_LINES = 350
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base"}

MODULES = sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    parts = ("avpipe", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str:
    """The part of the house a module belongs to: `avpipe.media.read` is of `media`, `avpipe` itself of `avpipe`."""
    return module.split(".")[1] if "." in module else module


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything a module imports, also inside functions and under TYPE_CHECKING."""
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            if source == "avpipe":  # `from avpipe import media` imports the part, not the door
                for alias in node.names:
                    yield node.lineno, f"avpipe.{alias.name}" if alias.name in FLOOR_OF else source
            else:
                yield node.lineno, source


def by_module(path: Path) -> str:
    return module_name(path)


@pytest.mark.parametrize("path", MODULES, ids=by_module)
def test_imports_run_downwards(path: Path) -> None:
    part = part_of(module_name(path))
    assert part in FLOOR_OF, f"{part} stands on no floor: add it to DESIGN's floors and to FLOORS"
    upwards = [
        f"line {line}: {imported}"
        for line, imported in imports_of(path)
        if imported.split(".")[0] == "avpipe"
        and part_of(imported) != part
        # The package itself holds the version and nothing else that its parts may lean on.
        and imported != "avpipe"
        and FLOOR_OF[part_of(imported)] >= FLOOR_OF[part]
    ]
    assert not upwards


@pytest.mark.parametrize("path", MODULES, ids=by_module)
def test_libraries_stay_on_their_floor(path: Path) -> None:
    part = part_of(module_name(path))
    strays = [
        f"line {line}: {imported}"
        for line, imported in imports_of(path)
        if part not in ONLY_IN.get(imported.split(".")[0], {part})
        or (part in NO_TORCH and imported.split(".")[0] in NOT_IN_MEDIA)
    ]
    assert not strays


@pytest.mark.parametrize("path", MODULES, ids=by_module)
def test_modules_are_small_and_named_for_what_they_hold(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < MAX_LINES
    assert path.stem not in VAGUE_NAMES


@pytest.mark.parametrize("path", MODULES, ids=by_module)
def test_torchaudio_reads_and_writes_no_files(path: Path) -> None:
    """Its load and save forward to a package whose wheel brings no FFmpeg."""
    forbidden = {"torchaudio.load", "torchaudio.save", "torchaudio.info"}
    used = {
        ast.unparse(node)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    assert not used & forbidden


# Run in a process of its own: here, other tests have long imported everything.
LOADED_AFTER = """
import runpy, sys
{statement}
loaded = {{name.partition(".")[0] for name in sys.modules}}
print(*sorted(loaded & {{"torch", "torchaudio", "torchvision", "pytorch_lightning", "librosa", "matplotlib"}}))
"""

RUN_HELP = """
sys.argv = ["avpipe", "--help"]
try:
    runpy.run_module("avpipe", run_name="__main__", alter_sys=True)
except SystemExit as end:
    assert not end.code, end.code
"""


def loaded_after(statement: str) -> set[str]:
    command = [sys.executable, "-c", LOADED_AFTER.format(statement=statement)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PACKAGE.parent)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "statement", ["import avpipe", "import avpipe.media", RUN_HELP], ids=["package", "media", "help"]
)
def test_doors_open_without_torch(statement: str) -> None:
    assert loaded_after(statement) == set()


def test_inference_loads_no_lightning() -> None:
    assert "pytorch_lightning" not in loaded_after("import avpipe.inference")
