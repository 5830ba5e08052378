"""The command line, as `seqgcn` and as `python -m seqgcn`."""

import os
import signal
import sys
from types import FrameType

MESSAGE = "seqgcn: interrupted\n"


def main() -> int:
    """Run the command line and return its exit code, 130 if it is interrupted while it loads."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # shells let jobs in the background ignore it
        signal.signal(signal.SIGINT, _interrupt)
    try:
        from seqgcn.cli import main as command_line

        return command_line()
    except KeyboardInterrupt:
        sys.stderr.write(MESSAGE)
        return 130


def _interrupt(number: int, frame: FrameType | None) -> None:
    if _is_loading(frame):
        # Raised in an import, KeyboardInterrupt may be swallowed by C code, or leave half a module behind.
        os.write(2, MESSAGE.encode())
        os._exit(130)
    signal.default_int_handler(number, frame)


def _is_loading(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


if __name__ == "__main__":
    sys.exit(main())
