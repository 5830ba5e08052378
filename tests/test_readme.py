"""Every code block of the README runs, but for the installation and the test command itself."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README.read_text(), flags=re.MULTILINE | re.DOTALL)
INSTALL = re.compile(r"^pip install .+ -c constraints\.txt && ")


def commands() -> list[str]:
    lines = [line for language, text in BLOCKS if language == "bash" for line in text.splitlines()]
    shortened = [INSTALL.sub("", line) for line in lines if line and not line.startswith("#")]
    return [line for line in shortened if line != "pytest"]


def test_readme_has_the_two_commands() -> None:
    text = README.read_text()
    assert "pip install -e . -c constraints.txt && seqgcn run\n" in text
    assert 'pip install -e ".[test]" -c constraints.txt && pytest\n' in text


def test_every_block_is_of_a_kind_that_is_run() -> None:
    assert {language for language, _ in BLOCKS} <= {"bash", "python"}


def test_commands_run(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}
    for command in commands():
        # The README's own lines, as a user's shell would run them.
        done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, env=environment)  # noqa: S602
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    assert (tmp_path / "runs" / "both" / "comparison.md").exists()


def test_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for language, text in BLOCKS:
        if language == "python":
            exec(compile(text, "README.md", "exec"), names)  # noqa: S102  # the README's own blocks
