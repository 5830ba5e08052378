"""An interrupt while the command line is still loading."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

INTERRUPTED = """
import os, signal, sys

class Interrupt:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == {module!r}:
            sys.meta_path.remove(Interrupt)
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt)
from seqgcn.__main__ import main
sys.exit(main())
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(
    "module",
    ["seqgcn.cli", "tqdm", "seqgcn.runs.run_set", "numpy", "numpy.exceptions", "torch", "torch.nn", "sklearn.base"],
)
def test_interrupted_while_a_module_is_loaded(tmp_path: Path, module: str) -> None:
    command = ["run", "--out", str(tmp_path / "run")]
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", INTERRUPTED.format(module=module), *command], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "seqgcn: interrupted\n")
    assert not (tmp_path / "run").exists()


def test_an_error_without_an_interrupt_stays_one(tmp_path: Path) -> None:
    code = "import sys; sys.modules['tqdm'] = None; from seqgcn.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr
