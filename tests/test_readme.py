"""Every code block of the README runs, but for the installation and the test command itself."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from seqgcn.datasets.hands.rendering import drawn_scenes

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README.read_text(), flags=re.MULTILINE | re.DOTALL)
INSTALL = re.compile(r"^pip install .+ -c constraints\.txt && ")


def commands(text: str) -> list[str]:
    lines = [INSTALL.sub("", line) for line in text.splitlines() if line and not line.startswith("#")]
    return [line for line in lines if line != "pytest"]


def test_readme_has_the_two_commands() -> None:
    text = README.read_text()
    assert "pip install -e . -c constraints.txt && seqgcn run\n" in text
    assert 'pip install -e ".[test]" -c constraints.txt && pytest\n' in text


def test_every_block_is_of_a_kind_that_is_run() -> None:
    assert {language for language, _ in BLOCKS} <= {"bash", "python"}


# Rendered data sets hold fewer frames than the releases.
@pytest.mark.filterwarnings("ignore:.*the complete release has:seqgcn.exceptions.SeqGCNWarning")
def test_blocks_run_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("SEQGCN_CACHE", str(tmp_path / "cache"))
    names: dict[str, object] = {}
    for language, text in BLOCKS:
        if language == "python":
            exec(compile(text, "README.md", "exec"), names)  # noqa: S102  # the README's own blocks
            continue
        for command in commands(text):
            # The README's own lines, as a user's shell would run them.
            done = subprocess.run(command, shell=True, capture_output=True, text=True)  # noqa: S602
            assert done.returncode == 0, f"{command}\n{done.stderr}"
    assert set(drawn_scenes(tmp_path / "lab").values()) == {"arm", "body", "table", "objects"}
    assert (tmp_path / "runs" / "both" / "comparison.md").exists()
    assert (tmp_path / "scores" / "success_curve.png").exists()
