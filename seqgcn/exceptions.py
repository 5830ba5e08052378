"""Every error and warning this package raises on purpose.

Each error is a `SeqGCNError` and, so that ordinary ``except`` clauses work, also the built-in type a reader
would expect. Messages name what was wrong (argument, row, file) and the way out.
"""


class SeqGCNError(Exception):
    """Base of every error of this package."""


class ArgumentError(SeqGCNError, ValueError):
    """An argument, or an attribute of the `Data` passed in, cannot be used as it is."""


class ConfigError(ArgumentError):
    """A run's configuration (command line or YAML file) does not make sense."""


class DataFileError(SeqGCNError, ValueError):
    """A data file is truncated, mislabelled or of another format."""


class MissingFileError(DataFileError, FileNotFoundError):
    """A data file that is needed is not there."""


class RunFolderError(SeqGCNError, OSError, ValueError):
    """A run folder cannot be used or written."""


class ServerError(SeqGCNError, ConnectionError):
    """A labeling server cannot be reached, refuses, or answers what it should not.

    Args:
        message: What is wrong, and the way out.
        status: Of the answer, as HTTP numbers it; None if there was no answer.
        passing: Whether it may be over in a moment.
    """

    def __init__(self, message: str, *, status: int | None = None, passing: bool = False) -> None:
        super().__init__(message)
        self.status, self.passing = status, passing


class TrainingError(SeqGCNError, RuntimeError):
    """Training broke down (the loss became NaN or infinite)."""


class MissingPackageError(SeqGCNError, ImportError):
    """A package that this part needs, and the rest does not, is not installed."""


class SeqGCNWarning(UserWarning):
    """Something was decided on the user's behalf that they may want to know."""
