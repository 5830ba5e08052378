"""A running Label Studio: projects, pictures, tasks and exports over its web API, by Python's own library alone.

    >>> from seqgcn.integrations.label_studio import LabelStudio
    >>> server = LabelStudio("http://localhost:8080", token="0123456789abcdef")

What a round makes of it is in `seqgcn.rounds.push` and `seqgcn.rounds.pull`.
"""

from typing import TYPE_CHECKING

from seqgcn.utils.lazy import lazy

if TYPE_CHECKING:
    from seqgcn.integrations.label_studio.configurations import extended_configuration
    from seqgcn.integrations.label_studio.server import LabelStudio, Project
    from seqgcn.integrations.label_studio.tokens import check_url, find_token

__all__ = ["LabelStudio", "Project", "check_url", "extended_configuration", "find_token"]

_MODULES = {
    "LabelStudio": "server",
    "Project": "server",
    "check_url": "tokens",
    "extended_configuration": "configurations",
    "find_token": "tokens",
}

__getattr__, __dir__ = lazy(__name__, _MODULES)
