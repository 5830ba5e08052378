"""Weights of learners in files of a run folder."""

import io
from pathlib import Path

import torch

from seqgcn.exceptions import RunFolderError, SeqGCNError
from seqgcn.learners.protocol import RestorableLearner
from seqgcn.utils.files import write_bytes


def save_weights(learner: RestorableLearner, path: Path) -> None:
    """Write a fitted learner's state.

    Raises:
        RunFolderError: The file cannot be written.
    """
    # By way of memory: where the disk is full, torch.save raises something that does not say so.
    content = io.BytesIO()
    torch.save(learner.state(), content)
    write_bytes(path, content.getvalue())


def restore_weights(learner: RestorableLearner, path: Path) -> RestorableLearner:
    """Put the state of a file into a learner of the same kind, and return it.

    Raises:
        ArgumentError: It is the state of another learner.
        RunFolderError: The file cannot be read.
    """
    try:
        # Onto the CPU, so that what was trained on a GPU can be used without one.
        return learner.restore(torch.load(path, map_location="cpu", weights_only=True))
    except SeqGCNError:
        raise
    # A damaged file can make torch's reader trip over anything.
    except Exception as error:
        raise RunFolderError(
            f"cannot read {path}, what a learner has learned ({type(error).__name__}); restore it, or start in another "
            "folder"
        ) from error
