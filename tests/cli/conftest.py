"""What tests of several commands share."""

from collections.abc import Callable

import pytest

from seqgcn.cli import main


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, list[str], str]]:
    """Exit code, lines of the output, and what else was said."""

    def call(*arguments: str) -> tuple[int, list[str], str]:
        capsys.readouterr()
        code = main(list(arguments))
        shown = capsys.readouterr()
        return code, shown.out.splitlines(), shown.err

    return call
