"""Messages of the package: lines on standard error for the command line, log records for everybody else."""

import logging
import subprocess
import sys
import warnings

import pytest

from seqgcn.cli.messages import shown_messages
from seqgcn.utils.messages import log


def test_a_command_shows_messages_and_warnings_as_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_messages():
        log.info("12 frames of %s", "a camera")
        log.debug("of no interest")
        warnings.simplefilter("default")  # the tests make errors of them
        warnings.warn("look at this", stacklevel=1)
        logging.getLogger("seqgcn.rounds").warning("from below")
    log.error("after the command")
    assert capsys.readouterr() == (
        "",
        "seqgcn: 12 frames of a camera\nseqgcn: look at this\nseqgcn: from below\n",
    )


def test_the_loggers_settings_outlast_a_command() -> None:
    handlers, level = list(log.handlers), log.level
    with pytest.raises(KeyboardInterrupt), shown_messages():
        raise KeyboardInterrupt
    assert (log.handlers, log.level) == (handlers, level)


def test_a_library_user_who_asks_for_no_messages_sees_none() -> None:
    code = "from seqgcn.utils.messages import log; log.error('not shown')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert (done.stdout, done.stderr) == ("", "")
