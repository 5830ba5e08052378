import importlib.util
import pickle
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from contracts import CONTRACTS, Contract, parameters_change_something
from sklearn.base import clone
from torch_geometric.data import Data

from seqgcn.errors import ArgumentError
from seqgcn.selectors import BALD, CoreGCN, CoreSet, Entropy, Margin, Random, Selector
from seqgcn.selectors.base import for_cycle

skactiveml = pytest.importorskip("skactiveml")
from skactiveml import pool as strategies  # noqa: E402
from skactiveml.base import SingleAnnotatorPoolQueryStrategy  # noqa: E402
from skactiveml.classifier import ParzenWindowClassifier  # noqa: E402
from skactiveml.utils import MappingError  # noqa: E402

from seqgcn.skactiveml import STRATEGIES, AsQueryStrategy, FromQueryStrategy  # noqa: E402

N = 40
BLOBS: Callable[[], Any] = lambda: np.random.default_rng(0)  # noqa: E731
