"""The wheel: what it holds, and that it works where no repository is."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib.metadata import requires, version
from pathlib import Path

import pytest


def test_version_is_the_one_of_the_project(repository: Path) -> None:
    assert f'version = "{version("avpipe")}"' in (repository / "pyproject.toml").read_text(encoding="utf-8")


def test_constraints_pin_all_that_is_asked_for(repository: Path) -> None:
    lines = (repository / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    # A name, a version and nothing else: no address, no path, no range.
    assert [pin for pin in pins if not re.fullmatch(r"[a-z0-9-]+==[a-z0-9.]+", pin)] == []
    pinned = [pin.partition("==")[0] for pin in pins]
    assert pinned == sorted(set(pinned))
    asked = {re.split(r"[^\w.-]", requirement)[0].lower() for requirement in requires("avpipe") or []}
    assert asked <= set(pinned)


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(folder),
        str(repository),
    ]
    subprocess.run([sys.executable, "-m", *command], check=True)
    (path,) = folder.glob("avpipe-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheel installed, beside the packages that run this test."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    install = ["install", "--quiet", "--no-deps", "--no-index", "--ignore-installed", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), *install], check=True)
    # The wheel's own packages come first on the path, so the editable install is not seen: only its .pth would add
    # the repository, and a .pth that is reached through another one is not read.
    (site / "running_packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def run(program: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run([program, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_wheel_holds_settings_bundles_and_types(wheel: Path, repository: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    settings = {f"avpipe/{path.relative_to(repository).as_posix()}" for path in (repository / "conf").rglob("*.yaml")}
    bundles = {
        path.relative_to(repository).as_posix() for path in (repository / "avpipe/bundles").rglob("*") if path.is_file()
    }
    assert settings
    assert any(name.startswith("avpipe/bundles/digits/") for name in bundles)
    assert settings | bundles | {"avpipe/py.typed"} <= names
    assert not [name for name in names if name.split("/")[0] in {"tests", "scripts", "data", "conf"}]


@pytest.mark.slow
def test_installed_it_is_the_wheel_that_runs(installed: Path, elsewhere: Path) -> None:
    done = run(installed / "python", "-c", "import avpipe; print(avpipe.__file__)", cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(installed.parent)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["list"]], ids=" ".join)
def test_installed_it_tells_about_itself(installed: Path, elsewhere: Path, arguments: list[str]) -> None:
    done = run(installed / "avpipe", *arguments, cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    assert {"--version": version("avpipe"), "--help": "predict", "list": "digits"}[arguments[0]] in done.stdout


@pytest.mark.slow
def test_installed_it_predicts(installed: Path, elsewhere: Path, samples: Path) -> None:
    done = run(
        installed / "avpipe", "predict", "bundle=digits", f"input={samples / 'zero.wav'}", "output=out", cwd=elsewhere
    )
    assert done.returncode == 0, done.stderr
    (record,) = map(json.loads, (elsewhere / "out" / "predictions.jsonl").read_text(encoding="utf-8").splitlines())
    assert (record["status"], record["tasks"]["digits"]["label"]) == ("ok", "0")
