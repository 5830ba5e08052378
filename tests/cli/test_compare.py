import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from run_folders import write_run, write_runs

from seqgcn.cli import main

BOTH = {"random": {0: (0.5, 0.6, 0.7)}, "margin": {0: (0.5, 0.7, 0.8)}}


def test_run_then_compare_and_report(
    fakes: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    small = ("--budget", "4", "--cycles", "3", "--quiet", "--seeds", "0", "1")
    assert main(["run", "--selector", "random", "core-set", *small, "--out", "a"]) == 0
    assert main(["run", "--selector", "margin", *small, "--out", "b"]) == 0
    capsys.readouterr()
    assert main(["compare", "a", "b/margin/seed-0", "b/margin/seed-1", "--out", "c"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    rows = [line.split()[1] for line in out.splitlines() if line.startswith("| ")]
    assert rows[2:] == ["random", "core-set", "margin"]
    assert out.endswith("comparison: c\n")
    assert sorted(os.listdir("c")) == ["comparison.csv", "comparison.html", "comparison.md", "curve.png"]
    assert main(["report", "a"]) == 0
    assert main(["report", "b/margin/seed-1", "--out", "page.html"]) == 0
    assert capsys.readouterr().out == f"report: {Path('a') / 'report.html'}\nreport: page.html\n"
    assert "margin; seed 1" in Path("page.html").read_text()
    # A page in it does not keep a run from going on.
    assert main(["run", "--out", "a", "--resume", "--quiet"]) == 0


def test_notes_go_to_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_runs(tmp_path / "a", BOTH)
    write_run(tmp_path / "b", (0.5,), selector="badge")
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    out, err = capsys.readouterr()
    assert "badge" not in out
    assert err == (
        "seqgcn: left out, as unfinished: badge, seed 0 (1 of 3 cycles). To finish: "
        f"seqgcn run --out {tmp_path / 'b'} --resume\n"
    )


def test_quiet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_runs(tmp_path / "a", BOTH)
    assert main(["compare", str(tmp_path / "a"), "--out", str(tmp_path / "c"), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert len(os.listdir(tmp_path / "c")) == 4
    assert main(["compare", str(tmp_path / "a"), "--out", str(tmp_path / "a"), "--quiet"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "name another folder with --out" in err
    # Notes tell what was left out of the files: they stay.
    write_run(tmp_path / "b", (0.5,), selector="badge")
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("seqgcn: left out, as unfinished: badge")


def test_a_single_run_can_be_compared_as_it_is(
    tmp_path: Path, fakes: object, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small = ["--budget", "5", "--cycles", "1", "--set", "learner.noise=2", "--quiet"]
    assert main(["run", "--selector", "margin", *small, "--out", "runs/lab"]) == 0
    capsys.readouterr()
    assert main(["compare", "runs/lab"]) == 0
    out, err = capsys.readouterr()
    assert [line.split()[1] for line in out.splitlines() if line.startswith("| ")][2:] == ["margin"]
    assert "only margin is there" in err
    # What the note says does what it says.
    run, _, compare = err.strip().partition("show: ")[2].partition(" && ")
    assert main(shlex.split(run)[1:]) == 0
    assert main(shlex.split(compare)[1:]) == 0
    out, err = capsys.readouterr()
    assert [line.split()[1] for line in out.splitlines() if line.startswith("| ")][-2:] == ["random", "margin"]
    assert "only" not in err


def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = str(write_runs(tmp_path / "a", BOTH))
    assert main(["compare", str(tmp_path)]) == 1
    assert "there is no run in" in capsys.readouterr().err
    assert main(["compare", a, "--baseline", "badge"]) == 2
    assert "--baseline: badge is not among them: finished runs are there of random (seeds 0); margin (seeds 0)" in (
        capsys.readouterr().err
    )
    assert main(["compare", a, "--out", a]) == 1
    assert "name another folder with --out" in capsys.readouterr().err
    assert main(["report", str(tmp_path)]) == 1
    assert main(["report", a, "--out", str(tmp_path / "nowhere" / "page.html")]) == 1
    assert "cannot write" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()


def test_a_report_replaces_earlier_pages(tmp_path: Path) -> None:
    run, page = write_runs(tmp_path / "run", BOTH), tmp_path / "page.html"
    assert main(["report", str(run), "--out", str(page)]) == 0
    first = page.read_bytes()
    assert main(["report", str(run / "margin" / "seed-0"), "--out", str(page)]) == 0
    assert page.read_bytes() != first
    assert main(["compare", str(run), "--out", str(tmp_path / "compared")]) == 0
    assert main(["report", str(run), "--out", str(tmp_path / "compared" / "comparison.html")]) == 0


QUOTED = b"<!doctype html>\n<p>I wrote this.</p>" + b" " * 2000 + b'<meta name="generator" content="seqgcn 0.1.0">'


@pytest.mark.parametrize("content", [b"", b"mine", b"\xff\0", QUOTED])
@pytest.mark.parametrize("out", [None, "notes.txt"])
def test_a_report_replaces_nothing_else(
    tmp_path: Path, content: bytes, out: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_runs(tmp_path / "run", BOTH)
    path = tmp_path / out if out else run / "report.html"
    path.write_bytes(content)
    assert main(["report", str(run), *(["--out", str(path)] if out else [])]) == 1
    message = f"seqgcn: {path} is there already and is no page of seqgcn; name another file with --out\n"
    assert capsys.readouterr() == ("", message)
    assert path.read_bytes() == content


def test_a_report_cannot_be_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_runs(tmp_path / "run", BOTH)
    assert main(["report", str(run), "--out", str(tmp_path)]) == 1
    file = tmp_path / "report.html"
    message = f"seqgcn: {tmp_path} is a folder; name a file for the page, such as {file}, with --out\n"
    assert capsys.readouterr() == ("", message)
    assert not file.exists()


@pytest.mark.parametrize("command", ["compare", "report"])
def test_help_needs_neither_torch_nor_jinja(command: str) -> None:
    code = (
        f"import sys; from seqgcn.cli import main\ntry: main(['{command}', '--help'])\n"
        "except SystemExit: print({'torch', 'matplotlib', 'jinja2'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert f" {command} [-h]" in done.stdout
    assert done.stdout.endswith("set()\n")
