"""What can be configured: names of components and their parameters, a run, a round."""

from typing import TYPE_CHECKING

from seqgcn.utils.lazy import lazy

if TYPE_CHECKING:
    from seqgcn.config.registry import CATALOGUE, load, parameters
    from seqgcn.config.run import CONFIG, RunConfig, SelectorSpec, read_config
    from seqgcn.config.select import SelectConfig

_HOMES = {
    "CATALOGUE": "registry",
    "CONFIG": "run",
    "RunConfig": "run",
    "SelectConfig": "select",
    "SelectorSpec": "run",
    "load": "registry",
    "parameters": "registry",
    "read_config": "run",
}

__all__ = ["CATALOGUE", "CONFIG", "RunConfig", "SelectConfig", "SelectorSpec", "load", "parameters", "read_config"]

__getattr__, __dir__ = lazy(__name__, _HOMES)
