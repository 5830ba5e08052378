"""What is built from the sources installs and runs without a network, and without the sources."""

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

pytestmark = pytest.mark.slow


def run(*arguments: str, cwd: Path, **environment: str) -> str:
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment or None)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run("-m", "hatchling", "build", "--target", "sdist", "--directory", str(folder), cwd=ROOT)
    (sdist,) = folder.glob("*.tar.gz")
    offline = ("--no-deps", "--no-build-isolation", "--no-index")
    run("-m", "pip", "wheel", *offline, "--wheel-dir", str(folder), str(sdist), cwd=folder)
    return folder


def test_wheel_holds_the_package_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {"seqgcn/__init__.py", "seqgcn/py.typed"} <= set(names)
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"seqgcn"}
    (metadata,) = (name for name in names if name.endswith("METADATA"))
    text = zipfile.ZipFile(wheel).read(metadata).decode()
    assert "License-Expression: MIT" in text
    for label in PROJECT["urls"]:
        assert f"Project-URL: {label}, https://" in text


def test_sources_hold_tests_and_documentation(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"README.md", "LICENSE", "mkdocs.yml", "docs/index.md", "constraints.txt", "tests/conftest.py"}
    assert wanted <= names


def test_installed_wheel_runs(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    target = tmp_path / "installed"
    run("-m", "pip", "install", "--no-deps", "--no-index", "--target", str(target), str(wheel), cwd=tmp_path)
    code = "import seqgcn, sys; from seqgcn.cli import main; print(seqgcn.__file__); sys.exit(main())"

    environment = {"PYTHONPATH": str(target), "OMP_NUM_THREADS": "1", "HOME": str(tmp_path)}

    def command(*arguments: str) -> str:
        return run("-c", code, *arguments, cwd=tmp_path, **environment)

    short = ["--budget", "10", "--cycles", "1", "--set", "learner.epochs=1", "--set", "selector.epochs=2"]
    assert str(target) in command("run", *short, "--out", "run")
    command("report", "run")
    assert (tmp_path / "run" / "report.html").stat().st_size > 0
