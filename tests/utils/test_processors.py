import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from seqgcn.cli import main
from seqgcn.runs.journal import Journal
from seqgcn.utils import processors
from seqgcn.utils.processors import (
    COUNTS,
    SLEEP_SOON,
    WAITING,
    shared_processors,
    usable_processors,
    variables,
    workers,
)

SystemOf = Callable[..., Path]


@pytest.fixture(autouse=True)
def eight_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheduler may run the process on eight processors."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)), raising=False)


@pytest.fixture
def system(tmp_path: Path) -> SystemOf:
    """Write `proc` and `sys`: the process's control groups, and files of limits below `/sys/fs/cgroup`."""

    def write(groups: str, **limits: str) -> Path:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text(groups)
        for name, text in limits.items():
            path = tmp_path / "sys/fs/cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


# how many there are


def test_without_a_quota_they_are_those_of_the_affinity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert usable_processors(tmp_path) == 8
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert usable_processors(tmp_path) == 3
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_processors(tmp_path) == 1


@pytest.mark.parametrize(
    ("groups", "limits", "expected"),
    [
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "1000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "6400000 100000\n"}, 8),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 8),
        ("0::/a/b\n", {"a/cpu.max": "300000 100000\n", "a/b/cpu.max": "max 100000\n"}, 3),
        ("0::/a/b\n", {"a/cpu.max": "max 100000\n", "a/b/cpu.max": "500000 100000\n"}, 5),
        ("0::/../other\n", {"cpu.max": "400000 100000\n"}, 4),
        ("1:name=systemd:/x\n0::/\n", {"unified/cpu.max": "200000 100000\n"}, 2),
        ("4:cpu,cpuacct:/\n", {"cpu,cpuacct/cpu.cfs_quota_us": "250000", "cpu,cpuacct/cpu.cfs_period_us": "100000"}, 3),
        ("4:cpuacct,cpu:/\n", {"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "50000"}, 1),
        ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
        ("4:cpu:/docker/ab\n", {"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"}, 2),
        ("4:cpuset:/\n", {"cpuset/cpu.cfs_quota_us": "100000", "cpuset/cpu.cfs_period_us": "100000"}, 8),
    ],
)
def test_a_quota_of_a_control_group_allows_fewer(
    system: SystemOf, groups: str, limits: dict[str, str], expected: int
) -> None:
    assert usable_processors(system(groups, **limits)) == expected


@given(st.text(), st.text(), st.text(alphabet="0123456789-. max\n"))
def test_whatever_is_in_the_files_there_is_a_processor(
    tmp_path_factory: pytest.TempPathFactory, groups: str, other: str, limit: str
) -> None:
    root = tmp_path_factory.mktemp("system")
    (root / "proc/self").mkdir(parents=True)
    (root / "sys/fs/cgroup/cpu").mkdir(parents=True)
    for text in (groups, f"0::/\n1:cpu:/\n{other}"):
        (root / "proc/self/cgroup").write_text(text, encoding="utf-8", errors="surrogatepass")
        for name in ("cpu.max", "cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"):
            (root / "sys/fs/cgroup" / name).write_text(limit)
        assert 1 <= usable_processors(root) <= 8


def test_workers_are_as_many_as_processors_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "usable_processors", lambda: 5)
    assert (workers(), workers(most=3)) == (5, 3)
    with shared_processors(2):
        assert (workers(), workers(most=1)) == (2, 1)
    assert workers() == 5


# how many threads, and how they wait


def test_idle_threads_sleep_soon_and_their_number_is_the_libraries_own() -> None:
    assert variables({}) == SLEEP_SOON


def test_threads_asked_for_come_before_the_environment() -> None:
    assert variables({"OMP_NUM_THREADS": "7"}, 2) == SLEEP_SOON | dict.fromkeys(COUNTS, "2")


@pytest.mark.parametrize("name", WAITING)
def test_how_threads_wait_is_left_to_the_user_who_says_so(name: str) -> None:
    assert variables({name: "0"}) == {}


def test_a_quota_limits_threads_that_the_user_does_not_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "_quotas", lambda _root: [1.5, 20.0])
    assert variables({WAITING[0]: "active"}) == {"OMP_NUM_THREADS": "2"}
    for name in COUNTS:
        assert variables({WAITING[0]: "active", name: "6"}) == {}


def in_a_process(code: str, **environment: str) -> str:
    """What code prints in a process of its own, where none of the variables is set but these."""
    clean = {name: value for name, value in os.environ.items() if name not in (*COUNTS, *WAITING)}
    call = [sys.executable, "-c", f"import os, sys\n{code}"]
    return subprocess.run(call, env=clean | environment, capture_output=True, text=True, check=True).stdout  # noqa: S603


def test_the_variables_are_set_before_torch_is_loaded() -> None:
    code = "from seqgcn.utils.processors import shared_processors\nwith shared_processors(1):\n import torch\n "
    code += "print(torch.get_num_threads(), os.environ['GOMP_SPINCOUNT'])"
    assert in_a_process(code, OMP_NUM_THREADS="3") == f"1 {SLEEP_SOON['GOMP_SPINCOUNT']}\n"


def test_every_command_lets_idle_threads_sleep() -> None:
    code = "from seqgcn.cli import main\nassert main(['report', 'nowhere']) == 1\n"
    code += "print({name: os.environ.get(name) for name in ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT')})"
    assert in_a_process(code) == f"{SLEEP_SOON}\n"
    assert in_a_process(code, GOMP_SPINCOUNT="7") == "{'OMP_WAIT_POLICY': None, 'GOMP_SPINCOUNT': '7'}\n"


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_libraries_that_are_loaded_are_limited_for_the_while(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*COUNTS, *WAITING):
        monkeypatch.delenv(name, raising=False)
    before = torch.get_num_threads(), blas_threads()
    with contextlib.suppress(KeyError), shared_processors(3):
        assert (torch.get_num_threads(), blas_threads()) == (3, {3})
        raise KeyError
    assert (torch.get_num_threads(), blas_threads()) == before
    with shared_processors():
        assert (torch.get_num_threads(), blas_threads()) == before
    assert not {*COUNTS, *WAITING} & set(os.environ)


# on the command line


@pytest.mark.parametrize("command", ["run", "select", "crops", "render", "evaluate"])
@pytest.mark.parametrize(("count", "message"), [("0", "must be at least 1, got 0"), ("two", "invalid")])
def test_unusable_numbers_of_threads_are_refused(
    capsys: pytest.CaptureFixture[str], command: str, count: str, message: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--threads", count])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("fakes")
def test_a_run_is_made_and_recorded_with_the_threads_asked_for(tmp_path: Path) -> None:
    small = ("--budget", "5", "--cycles", "1", "--selector", "random", "--quiet")
    for count in (1, 3):
        assert main(["run", *small, "--threads", str(count), "--out", str(tmp_path / str(count))]) == 0
        journal = Journal(tmp_path / str(count) / "journal.jsonl")
        assert {record.environment["threads"] for record in journal.read()} == {count}
    assert (tmp_path / "1/config.yaml").read_text() == (tmp_path / "3/config.yaml").read_text()
