"""The catalogue of selectors, learners and data sets, and their parameters; imports each when it is first used."""

import importlib
import inspect
import os
import re
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from operator import attrgetter
from typing import Any

from seqgcn.config.schema import REQUIRED, Parameter, coerce, is_plain, suggestion
from seqgcn.exceptions import ArgumentError, ConfigError, SeqGCNError
from seqgcn.utils.docstrings import arguments_of


@dataclass(frozen=True)
class Entry:
    """One name on the command line.

    Args:
        target: The class it stands for, as `module:name`.
        summary: A line about it.
        task: What a learner or data set is for, empty where that depends on the data; a selector says so itself.
        preset: Arguments of the class that the name decides; its `defaults` says what others are then.
        source: Of a selector, who proposed it.
        cost: Of a selector, what a cycle takes besides a training of the learner and a pass over the pool.
        learner: Of a data set, the learner taken by default, where it is not that of its task.
    """

    target: str
    summary: str
    task: str = "classification"
    preset: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    cost: str = ""
    learner: str = ""


DROPOUT = "passes with dropout"
MEMBERS = "a training and a pass for each further member"


def _selector(name: str, summary: str, source: str, cost: str = "") -> Entry:
    return Entry(f"seqgcn.selectors:{name}", summary, source=source, cost=cost)


def _net(name: str, summary: str) -> Entry:
    return Entry("seqgcn.learners:HandPose", summary, "pose", {"net": name})


def _hands(target: str, summary: str) -> Entry:
    return Entry(f"seqgcn.datasets.hands.{target}", summary, "pose")


CATALOGUE: dict[str, dict[str, Entry]] = {
    "selector": {
        "core-gcn": _selector(
            "CoreGCN",
            "k-center greedy in the sequential GCN's feature space",
            "Caramalau et al., CVPR 2021, eq. 7",
            "1 GCN fit",
        ),
        "uncertain-gcn": _selector(
            "UncertainGCN",
            "sequential GCN confidence nearest to a margin",
            "Caramalau et al., CVPR 2021, eq. 6",
            "1 GCN fit",
        ),
        "weighted-core-gcn": _selector(
            "WeightedCoreGCN",
            "core-gcn on nearest neighbors, distances times uncertainty",
            "extends Caramalau et al., CVPR 2021",
            "1 GCN fit",
        ),
        "core-set": _selector("CoreSet", "k-center greedy on the learner's embeddings", "Sener, Savarese, ICLR 2018"),
        "margin": _selector("Margin", "smallest gap between the two top classes", "Scheffer et al., IDA 2001"),
        "least-confidence": _selector("LeastConfidence", "smallest top class probability", "Lewis, Gale, SIGIR 1994"),
        "entropy": _selector("Entropy", "largest entropy of the class probabilities", "Settles 2009"),
        "max-entropy": _selector(
            "MaxEntropy", "largest entropy of the mean of passes with dropout", "Gal et al., ICML 2017", DROPOUT
        ),
        "bald": _selector(
            "BALD", "largest mutual information of prediction and dropped-out network", "Gal et al., ICML 2017", DROPOUT
        ),
        "variation-ratio": _selector(
            "VariationRatio", "smallest top class of the mean of passes with dropout", "Gal et al., ICML 2017", DROPOUT
        ),
        "mean-std": _selector(
            "MeanSTD",
            "largest deviation of the classes over passes with dropout",
            "Kampffmeyer et al., CVPRW 2016",
            DROPOUT,
        ),
        "variance": _selector(
            "Variance",
            "largest variance of predicted targets over passes with dropout",
            "Gal, Ghahramani, ICML 2016",
            DROPOUT,
        ),
        "ensemble": _selector(
            "EnsembleSelector", "what the members of an ensemble disagree on", "Beluch et al., CVPR 2018", MEMBERS
        ),
        "learning-loss": _selector(
            "LearningLoss", "largest loss predicted by a module trained along", "Yoo, Kweon, CVPR 2019"
        ),
        "ceal": _selector("CEAL", "the most uncertain, and pseudo-labels for the surest", "Wang et al., TCSVT 2017"),
        "suggestive-annotation": _selector(
            "SuggestiveAnnotation",
            "of the most uncertain, those that represent the pool best",
            "Yang et al., MICCAI 2017",
            DROPOUT,
        ),
        "emoc": _selector(
            "EMOC", "largest expected change of the outputs after a step on the item", "Kaeding et al. 2016"
        ),
        "discriminative": _selector(
            "DiscriminativeAL",
            "what a classifier takes for unlabeled, in rounds",
            "Gissin, Shalev-Shwartz 2019",
            "10 small fits",
        ),
        "vaal": _selector(
            "VAAL",
            "what an adversary of an autoencoder takes for unlabeled",
            "Sinha et al., ICCV 2019",
            "1 VAE fit on all images",
        ),
        "bgadl": _selector(
            "BGADL",
            "bald, and generated variants of the picks to train on",
            "Tran et al., ICML 2019",
            f"{DROPOUT}, 1 GAN fit",
        ),
        "badge": _selector("BADGE", "k-means++ seeding on the gradients of the last layer", "Ash et al., ICLR 2020"),
        "typiclust": _selector(
            "TypiClust", "the most typical of clusters without a label", "Hacohen et al., ICML 2022"
        ),
        "probcover": _selector(
            "ProbCover", "balls that cover most of what is uncovered", "Yehuda et al., NeurIPS 2022"
        ),
        "lcmd": _selector(
            "LCMD", "the farthest of the cluster with the largest sum of squares", "Holzmueller et al., JMLR 2023"
        ),
        "max-herding": _selector(
            "MaxHerding", "greedy maximum of the pool's similarity to what is labeled", "Bae et al., ECCV 2024"
        ),
        "uncertainty-herding": _selector(
            "UncertaintyHerding",
            "covers the pool's uncertainty under a kernel that shrinks as labels come in",
            "Bae et al., ICLR 2025",
        ),
        "power": _selector(
            "Power", "draws with a probability proportional to a power of the uncertainty", "Kirsch et al., TMLR 2023"
        ),
        "graph-herding": _selector(
            "GraphHerding",
            "covers the pool's uncertainty on a graph of nearest neighbors",
            "extends Bae et al., ECCV 2024",
        ),
        "posterior-design": _selector(
            "PosteriorDesign",
            "takes most of the pool's variance away, on the paper's graph in closed form",
            "extends Ji, Han, AISTATS 2012",
        ),
        "random": _selector("Random", "uniformly random, without replacement", "the baseline"),
    },
    "learner": {
        "small-cnn": Entry("seqgcn.learners:SmallCNNClassifier", "three convolutions, Adam; fast on a CPU"),
        "resnet18": Entry("seqgcn.learners:ResNet18Classifier", "CIFAR ResNet-18 with the paper's recipe"),
        "deep-prior": _net("deep-prior", "hand pose: DeepPrior with its PCA layer; fast on a CPU"),
        "deep-prior-no-pca": _net("deep-prior-no-pca", "hand pose: the sequential GCN paper's variant, no PCA layer"),
        "deep-prior-plus": _net("deep-prior-plus", "hand pose: DeepPrior++, residual; wants a GPU"),
        "awr": _net("awr", "hand pose: dense, adaptive weighting regression; wants a GPU"),
        "linear": Entry(
            "seqgcn.learners:LinearLearner", "rows of features: logistic or ridge regression; takes milliseconds", ""
        ),
        "knn": Entry("seqgcn.learners:KNNLearner", "rows of features: the nearest labeled items decide", ""),
        "gp": Entry(
            "seqgcn.learners:GaussianProcessLearner",
            "rows of features: exact Gaussian process; for some hundred labels",
            "",
        ),
        "mediapipe": Entry(
            "seqgcn.learners:MediapipeHands",
            "hand pose: mediapipe's landmarks on shaded depth, without training (mm; extra [mediapipe])",
            "pose",
        ),
    },
    "dataset": {
        "digits": Entry("seqgcn.datasets:Digits", "1,797 handwritten digits that scikit-learn carries"),
        "cifar10": Entry("seqgcn.datasets:CIFAR10", "CIFAR-10, binary or python version"),
        "cifar100": Entry("seqgcn.datasets:CIFAR100", "CIFAR-100, binary or python version"),
        "mnist": Entry("seqgcn.datasets:MNIST", "MNIST, IDX files, gzipped or not"),
        "fashion-mnist": Entry("seqgcn.datasets:FashionMNIST", "Fashion-MNIST, IDX files, gzipped or not"),
        "svhn": Entry("seqgcn.datasets:SVHN", "SVHN cropped digits, .mat files"),
        "features": Entry(
            "seqgcn.datasets:Features", "your own embeddings in a file, and their targets", "", learner="linear"
        ),
        "image-folder": Entry("seqgcn.datasets:ImageFolder", "images in one folder per class"),
        "rendered-hands": _hands("rendered:RenderedHands", "depth frames of rendered hands; needs no files"),
        "icvl": _hands("icvl:ICVL.splits", "ICVL hand poses, 16 joints"),
        "nyu": _hands("nyu:NYU.splits", "NYU hand poses, 14 or 36 joints"),
        "msra": _hands("msra:MSRA.splits", "MSRA15 hand poses, 21 joints, one subject left out"),
        "hands17": _hands("bighand:BigHand.splits", "HANDS17, HANDS19 or BigHand2.2M hand poses, 21 joints"),
        "depth-folder": _hands(
            "depth_folder:DepthFolder.splits", "your own depth frames with camera.yaml and labels.csv"
        ),
    },
}
"""Selectors, learners and data sets by their names on the command line."""

SET_BY_THE_RUN = {
    "seed": "--seeds",
    "cycle": "the cycle it is in",
    "device": "--device",
    "num_classes": "the data set",
    "warm_start": "--warm-start",
    "batch_seed": "--seeds",
    "loss_prediction": "--selector learning-loss",
    "root": "--root",
}
"""Parameters that `--set` does not take, and where they come from."""


DEFAULT_LEARNER = {"classification": "small-cnn", "pose": "deep-prior"}
"""What a data set of each task is learned with if nothing else is asked for."""


def default_learner(dataset: str | None) -> str:
    """What a data set is learned with if nothing else is asked for; rows of features for None.

    Raises:
        ConfigError: It is given by an import path that leads to no class.
    """
    entry = CATALOGUE["dataset"].get(dataset or "features")
    if entry is not None and entry.learner:
        return entry.learner
    return DEFAULT_LEARNER[task("dataset", dataset or "") or "classification"]


YOURS = ("selector", "learner", "dataset")
"""Kinds of which a user's own take part by import path, `MODULE:CLASS`; of a data set also a function or an object."""

_IMPORT_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


def import_path(kind: str, text: str) -> str:
    """The `MODULE:CLASS` that a name begins with, alone or with settings behind a second colon; else nothing.

    A name of the catalogue is none, whatever its settings look like, nor are settings, which have a `=`.
    """
    found = _IMPORT_PATH.match(text)
    if kind not in YOURS or found is None or text.partition(":")[0] in CATALOGUE[kind]:
        return ""
    return found.group() if text[found.end() :][:1] in ("", ":") else ""


def task(kind: str, name: str) -> str | None:
    """What a learner or data set is for; None for one that does not say, or that is not known.

    Raises:
        ConfigError: It is given by an import path that leads to no class.
    """
    if import_path(kind, name) == name != "":
        said: str | None = getattr(load(kind, name), "task", None)
        return said
    return CATALOGUE[kind][name].task if name in CATALOGUE[kind] else None


def load(kind: str, name: str) -> Callable[..., Any]:
    """The class a name stands for, or a function that makes one with what the name decides.

    Args:
        kind: Of component.
        name: In the catalogue, or for `YOURS` the import path `MODULE:CLASS` of a user's own class.

    Raises:
        ConfigError: No such name (the nearest ones are offered), or the path leads to no class.
    """
    entries = CATALOGUE[kind]
    if name not in entries:
        if import_path(kind, name) == name != "":
            return _imported(kind, name)
        own = f"; one of your own is MODULE:CLASS{_colon(name)}" if kind in YOURS else ""
        meant = next(
            (key for key, entry in entries.items() if entry.target.partition(":")[2].partition(".")[0] == name), name
        )
        raise ConfigError(f"unknown {kind} {name!r}{suggestion(meant, entries)}{own}")
    module, _, attribute = entries[name].target.partition(":")
    component: Callable[..., Any] = attrgetter(attribute)(import_module(module))
    preset = entries[name].preset
    return partial(component, **preset) if preset else component


def make(kind: str, name: str, values: Mapping[str, Any]) -> Any:
    """What a name stands for, made of its parameters.

    Args:
        kind: Of component.
        name: As for `load`.
        values: Its parameters.

    Raises:
        ArgumentError: Its constructor fails.
        ConfigError: As `load`.
    """
    component = load(kind, name)
    now = {former: new for new, former in former_names(kind, name).items()}
    try:
        return component(**{now.get(key, key): value for key, value in values.items()})
    except SeqGCNError:
        raise
    except Exception as error:  # whatever a constructor does
        raise ArgumentError(f"this cannot be made: {type(error).__name__}: {error}") from error


def former_names(kind: str, name: str) -> Mapping[str, str]:
    """What parameters of a component were called, by their names now: files of runs and rounds keep those."""
    names: Mapping[str, str] = getattr(load(kind, name), "former_names", {})
    return names


def _colon(name: str) -> str:
    """`", as in my_module:MyLearner"` for what is written as an import statement would have it."""
    module, _, attribute = name.rpartition(".")
    return f", as in {module}:{attribute}" if module and attribute.isidentifier() else ""


def _itself(value: Any) -> Any:
    return value


def _imported(kind: str, name: str) -> Callable[..., Any]:
    """A user's own class, or what makes a data set, found as `python -m` finds modules."""
    module, _, attribute = name.partition(":")
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    importlib.invalidate_caches()  # a long-lived process may be older than the file
    try:
        held = import_module(module)
    except Exception as error:  # whatever a module does while it is imported
        raise ConfigError(
            f"cannot import {module} for the {kind} {name}: {type(error).__name__}: {error} (modules are looked for "
            "in the current directory, then where this Python has its packages)"
        ) from error
    component = getattr(held, attribute, None)
    if kind == "dataset" and hasattr(held, attribute):
        return component if callable(component) else partial(_itself, component)
    if not isinstance(component, type):
        classes = [key for key, value in vars(held).items() if getattr(value, "__module__", None) == module]
        what = f"has no {attribute!r}" if component is None else f"has {attribute!r}, but that is no class"
        raise ConfigError(f"the module {module} of the {kind} {name} {what}{suggestion(attribute, classes)}")
    return component


def parameters(kind: str, name: str) -> dict[str, Parameter]:
    """What can be set on a component, by name.

    Raises:
        ConfigError: No such component.
    """
    component = load(kind, name)
    if name not in CATALOGUE[kind]:
        return _parameters_of_yours(component)
    # Not of the class: one that inherits from a dataclass has its fields, whatever its own constructor takes.
    made: Any = component.func if isinstance(component, partial) else component
    hints = typing.get_type_hints(vars(made)["__init__"]) if isinstance(made, type) else {}
    preset = CATALOGUE[kind][name].preset
    defaults: dict[str, Any] = getattr(made, "defaults")(**preset) if preset else {}  # noqa: B009  # mypy
    told = arguments_of(made)
    return {
        key: Parameter(hints.get(key, value.annotation), defaults.get(key, value.default), told.get(key, ""))
        for key, value in inspect.signature(component).parameters.items()
        if key not in SET_BY_THE_RUN and key not in preset
    }


def _parameters_of_yours(component: Callable[..., Any]) -> dict[str, Parameter]:
    """Of a class that nobody wrote for YAML: without hints, or with any; what YAML cannot hold cannot be set."""
    try:
        hints = typing.get_type_hints(getattr(component, "__init__") if isinstance(component, type) else component)  # noqa: B009
    except Exception:  # a hint may name what is imported for type checkers alone
        hints = {}
    known: dict[str, Parameter] = {}
    told = arguments_of(component)
    for key, value in inspect.signature(component).parameters.items():
        named = value.kind in (value.KEYWORD_ONLY, value.POSITIONAL_OR_KEYWORD)
        if named and key not in SET_BY_THE_RUN and (value.default is REQUIRED or is_plain(value.default)):
            known[key] = Parameter(_hint(hints.get(key, Any), value.default), value.default, told.get(key, ""))
    return known


def _hint(hint: Any, default: Any) -> Any:
    """A type that the default is of, so that a configuration that holds it can be read back: the hint, or any."""
    if default is REQUIRED:
        return hint
    try:
        if hint is not Any and coerce("", default, hint) == default:
            return hint
    except ConfigError:
        pass
    return tuple[Any, ...] if isinstance(default, tuple) else Any
