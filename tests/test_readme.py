"""The README is short, says what a newcomer needs first, and everything in it runs."""

from pathlib import Path

import pytest
from documents import README, run_everything, run_python

from seqgcn.datasets.hands.rendering import drawn_scenes

TEXT = README.read_text()


def test_readme_has_the_two_commands() -> None:
    assert "pip install -e . -c constraints.txt && seqgcn run\n" in TEXT
    assert 'pip install -e ".[test]" -c constraints.txt && pytest\n' in TEXT


def test_readme_is_short() -> None:
    assert len(TEXT.splitlines()) <= 150


@pytest.mark.parametrize(
    "what", ["git clone", "https://download.pytorch.org/whl/cpu", "The run takes about", "@inproceedings", "@software"]
)
def test_readme_says(what: str) -> None:
    assert what in TEXT


def test_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_python(README)


# The complete default run and a day of selecting frames are among the commands.
@pytest.mark.slow
def test_everything_runs_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("SEQGCN_CACHE", str(tmp_path / "cache"))
    run_everything(README, monkeypatch)
    assert set(drawn_scenes(tmp_path / "lab").values()) == {"arm", "body", "table", "objects"}
    assert (tmp_path / "runs" / "both" / "comparison.md").exists()
    assert (tmp_path / "round-01" / "labels.csv").exists()
    assert (tmp_path / "round-02" / "picks.csv").exists()
