"""What every test stands on: one thread a process, no display, and the real recordings where they are."""

import os
import tempfile
from pathlib import Path

import pytest

# Before torch, numpy and their like are imported: several test processes share the cores, and one thread each
# also gives every machine the same sums.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "Agg")
# What tests decode is not to stand in the cache of whoever runs them.
_CACHE = tempfile.TemporaryDirectory(prefix="avpipe-tests-", ignore_cleanup_errors=True)
os.environ["XDG_CACHE_HOME"] = _CACHE.name

CORPORA_VARIABLE = "AVPIPE_CORPORA"
ROOT = Path(__file__).resolve().parent.parent


def pytest_configure(config: pytest.Config) -> None:
    """Stop when the variable names no folder: the tests on real recordings must not fall away in silence."""
    folder = os.environ.get(CORPORA_VARIABLE)
    if not folder:
        return
    if not Path(folder).is_dir():
        raise pytest.UsageError(f"{CORPORA_VARIABLE}={folder}: no such folder; mend the path or unset the variable")
    # Tests change the working directory.
    os.environ[CORPORA_VARIABLE] = str(Path(folder).resolve())


def pytest_report_header() -> str:
    folder = os.environ.get(CORPORA_VARIABLE)
    return f"corpora: {folder}" if folder else f"corpora: {CORPORA_VARIABLE} is not set, tests on real recordings skip"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get(CORPORA_VARIABLE):
        return
    skip = pytest.mark.skip(reason=f"{CORPORA_VARIABLE} is not set")
    for item in items:
        if item.get_closest_marker("corpora"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of the committed samples."""
    return ROOT / "data" / "samples"


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of the real recordings, for tests marked ``corpora``."""
    return Path(os.environ[CORPORA_VARIABLE])


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory that is not the repository."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder
