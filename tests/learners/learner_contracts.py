"""What holds of every learner that trains networks; needs nothing but the package and pytest.

A case makes learners and has items for them; `for contract in CONTRACTS: contract(case)` holds one to all of it.
"""

import copy
import pickle
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch_geometric.data import Data

from seqgcn.exceptions import ArgumentError, DataFileError, MissingFileError, TrainingError
from seqgcn.learners import Learner, MemberLearner, NetworkLearner, RestorableLearner
from seqgcn.selectors.extensions import LossPrediction


@dataclass(frozen=True)
class Case:
    """A kind of learner, and what it is held to its contracts on.

    Args:
        make: Makes one that trains for two epochs on the CPU; takes further constructor arguments, an ensemble's
            those of its members.
        inputs: At least 24 items.
        targets: Theirs.
        arrays: Whether the items are a tensor that may also be given as an array.
        given: Constructor arguments that no file can hold.
        unchecked: Constructor arguments that the learner does not check.
    """

    make: Callable[..., Any]
    inputs: Any
    targets: Tensor
    arrays: bool = True
    given: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()

    def fit(self, **changes: Any) -> Any:
        """A fitted learner."""
        return self.make(**changes).fit(self.inputs, self.targets)

    def some(self, ids: Any) -> tuple[Any, Tensor]:
        """Some of the items and targets."""
        ids = torch.as_tensor(ids, dtype=torch.int64)
        return self.inputs[ids], self.targets[ids]

    @property
    def single(self) -> bool:
        """Whether it trains one network, of which more can be told."""
        return isinstance(self.make(), NetworkLearner)


def bits(learner: Any) -> bytes:
    """Everything it has learned."""
    return b"".join(value.contiguous().numpy().tobytes() for value in learner.state().values())


def same(data: Data, other: Data) -> bool:
    """Whether items are described alike, to the last bit."""
    return set(data.keys()) == set(other.keys()) and all(torch.equal(data[name], other[name]) for name in data.keys())  # noqa: SIM118


def is_a_learner(case: Case) -> None:
    """It has every member that the loop and an ensemble ask for."""
    for protocol in (Learner, RestorableLearner, MemberLearner):
        assert isinstance(case.make(), protocol)
    assert case.make().metric.name
    assert "x" in case.make().outputs


def has_scikit_learns_manners(case: Case) -> None:
    """Arguments can be listed and set, a copy is unfitted, and `fit` gives the learner itself."""
    learner = case.make(seed=4)
    assert learner.fit(case.inputs, case.targets) is learner
    twin = clone(learner)
    assert type(twin) is type(learner)
    assert twin.get_params()["seed"] == learner.get_params()["seed"] == 4
    assert not case.single or twin.get_params() == learner.get_params()
    assert not hasattr(twin, "module_")
    assert not hasattr(twin, "members_")
    assert twin.set_params(seed=3) is twin
    assert (twin.seed, learner.seed) == (3, 4)
    assert repr(twin).startswith(f"{type(twin).__name__}(")
    with pytest.raises(ValueError, match="learning_rate"):
        twin.set_params(learning_rate=1)


def is_decided_by_its_seed(case: Case) -> None:
    """The same seed gives the same bits, another one others, and the global random state stays."""
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = case.fit()
    first.predict(case.inputs)
    first.describe(case.inputs, first.outputs)
    case.make(**_counts(first)).restore(first.state())
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    second = case.fit()
    assert bits(first) == bits(second)
    assert all(torch.equal(second.curves_[name], curve) for name, curve in first.curves_.items())
    assert same(first.describe(case.inputs, first.outputs), second.describe(case.inputs, first.outputs))
    assert bits(case.fit(seed=1)) != bits(first)


def must_be_fitted_first(case: Case) -> None:
    """Before `fit`, nothing is answered."""
    learner = case.make()
    for call in (
        lambda: learner.predict(case.inputs),
        lambda: learner.score(case.inputs, case.targets),
        lambda: learner.describe(case.inputs, ("x",)),
        learner.state,
        lambda: learner.save("never.safetensors"),
    ):
        with pytest.raises(ArgumentError, match=f"this {type(learner).__name__} is not fitted yet; call fit first"):
            call()
    assert learner.curves_ == {}


def describes_in_the_order_of_the_items(case: Case) -> None:
    """What is provided has a row an item, whatever is asked for beside it, and does not depend on the others."""
    learner, n = case.fit(), len(case.inputs)
    data = learner.describe(case.inputs, learner.outputs)
    assert set(data.keys()) == set(learner.outputs)
    some = torch.tensor([7, 2, 9])
    for name in learner.outputs:
        alone = learner.describe(case.inputs, [name])
        assert alone.keys() == [name]
        assert len(data[name]) == n
        assert not data[name].requires_grad
        assert data[name].dtype == (torch.uint8 if name == "image" else torch.float32)
        assert torch.equal(learner.describe(case.inputs, {name})[name], alone[name])
        if not name.endswith("_samples"):  # whose dropout is drawn item by item
            torch.testing.assert_close(alone[name], data[name])
            torch.testing.assert_close(learner.describe(case.inputs[some], [name])[name], data[name][some])
    assert data.x.dim() == 2
    if "prob" in learner.outputs:
        torch.testing.assert_close(data.prob.sum(dim=1), torch.ones(n))
        assert torch.equal(learner.predict(case.inputs), data.prob.argmax(dim=1))


def describes_by_passes_that_differ(case: Case) -> None:
    """Passes with dropout, or members, are `[n, t, k]`, finite and not all alike."""
    learner = case.fit()
    for name in {"prob_samples", "target_samples"} & set(learner.outputs):
        samples = learner.describe(case.inputs, [name])[name]
        assert samples.dim() == 3
        assert samples.isfinite().all()
        assert (samples.std(dim=1) > 0).any()
        if name == "prob_samples":
            torch.testing.assert_close(samples.sum(dim=2), torch.ones(samples.shape[:2]))


def refuses_what_it_cannot_provide(case: Case) -> None:
    """The message names what is asked for, and what there is."""
    learner = case.fit()
    with pytest.raises(ArgumentError, match=f"cannot output nonsense; it outputs {', '.join(learner.outputs)}"):
        learner.describe(case.inputs, ("x", "nonsense"))


def shows_images_without_a_pass(case: Case) -> None:
    """The attribute `image` alone costs no pass through a network, and is the same beside others."""
    learner = case.fit()
    asked: list[nn.Module] = []
    with register_module_forward_pre_hook(lambda module, _: asked.append(module)):
        alone = learner.describe(case.inputs, ("image",)).image
        assert not asked
        assert torch.equal(learner.describe(case.inputs, ("image", "x")).image, alone)
        assert asked
    if isinstance(case.inputs, Tensor):
        assert alone is case.inputs


def scores_by_its_metric(case: Case) -> None:
    """`score` is `measure` of `predict`."""
    learner = case.fit()
    predicted = learner.predict(case.inputs)
    assert len(predicted) == len(case.inputs)
    assert predicted.dtype == (torch.float32 if case.targets.is_floating_point() else torch.int64)
    assert learner.score(case.inputs, case.targets) == learner.measure(predicted, case.targets)
    perfect = learner.measure(case.targets, case.targets)
    assert perfect == (1 if learner.metric.name == "accuracy" else 0)


def takes_arrays(case: Case) -> None:
    """NumPy arrays do wherever tensors do, also read-only and reversed ones, with the same bits."""
    inputs = case.inputs.numpy() if case.arrays else case.inputs
    targets = case.targets.numpy()
    targets = targets.astype(np.float64 if case.targets.is_floating_point() else np.int32)
    learner, expected = case.make().fit(inputs, targets), case.fit()
    assert bits(learner) == bits(expected)
    assert torch.equal(learner.predict(inputs), expected.predict(case.inputs))
    assert learner.score(inputs, targets) == expected.score(case.inputs, case.targets)
    assert learner.measure(expected.predict(case.inputs), targets) == learner.score(inputs, targets)
    assert same(learner.describe(inputs, learner.outputs), expected.describe(case.inputs, learner.outputs))
    if case.single:
        assert torch.equal(learner.item_losses(inputs, targets), expected.item_losses(case.inputs, case.targets))
    if case.arrays:
        inputs.flags.writeable = False
        assert torch.equal(learner.predict(inputs), expected.predict(case.inputs))
        assert torch.equal(learner.predict(inputs[::-1]), expected.predict(case.inputs).flip(0))


def tells_its_progress(case: Case) -> None:
    """Epochs as stage `train`, batches as `embed` and `predict`, each up to its end."""
    told: list[tuple[str, int, int]] = []

    def tell(stage: str, done: int, total: int) -> None:
        told.append((stage, done, total))

    def took() -> tuple[str, int]:
        (stage,) = {stage for stage, _, _ in told}
        total = told[0][2]
        assert [(done, of) for _, done, of in told] == [(done, total) for done in range(1, total + 1)]
        told.clear()
        return stage, total

    learner = case.make().fit(case.inputs, case.targets, progress=tell)
    stage, total = took()
    assert stage == "train"
    assert total == 2 * len(getattr(learner, "members_", [learner]))
    learner.describe(case.inputs, ("x",), progress=tell)
    assert took()[0] == "embed"
    learner.predict(case.inputs, progress=tell)
    assert took()[0] == "predict"
    learner.score(case.inputs, case.targets, progress=tell)
    assert took()[0] == "predict"


def can_be_put_away_and_taken_back(case: Case) -> None:
    """A state is a copy; what takes it over answers alike and trains on alike."""
    learner = case.fit(warm_start=True)
    state, expected = learner.state(), learner.describe(case.inputs, learner.outputs)
    assert list(state) == list(case.fit(warm_start=True).state())
    learner.fit(case.inputs, case.targets)
    assert not torch.equal(learner.describe(case.inputs, ("x",)).x, expected.x)
    restored = case.make(warm_start=True, **_counts(learner))
    assert restored.restore(state) is restored
    assert same(restored.describe(case.inputs, learner.outputs), expected)
    assert restored.curves_ == {}
    assert not any(module.training for module in _networks(restored))
    restored.fit(case.inputs, case.targets)
    assert bits(restored) == bits(learner)


def refuses_the_state_of_another(case: Case) -> None:
    """Nothing of a state that does not fit is taken over."""
    learner = case.fit()
    before = bits(learner)
    state = {name: value for name, value in learner.state().items() if name != list(learner.state())[-1]}
    for wrong in (state, {}, {"weight": torch.zeros(2)}):
        with pytest.raises(ArgumentError, match=r"this state is|restore needs"):
            learner.restore(wrong)
    assert bits(learner) == before


def goes_round_by_a_file(case: Case) -> None:
    """What is loaded has the same arguments and answers with the same bits."""
    learner = case.fit()
    given = {name: learner.get_params(deep=False)[name] for name in case.given}
    with TemporaryDirectory() as folder:
        path = Path(folder, "model.safetensors")
        learner.save(path)
        loaded = type(learner).load(path, **given)
        learner.save(str(path))  # over the old one
        assert list(Path(folder).iterdir()) == [path]
        if given:
            with pytest.raises(ArgumentError, match=rf"{case.given[0]} .* give it again: .*\.load\(.*{case.given[0]}="):
                type(learner).load(path)
        assert type(learner).load(path, **given, seed=9).seed == 9
    assert type(loaded) is type(learner)
    assert bits(loaded) == bits(learner)
    assert same(loaded.describe(case.inputs, learner.outputs), learner.describe(case.inputs, learner.outputs))
    assert torch.equal(loaded.predict(case.inputs), learner.predict(case.inputs))
    assert loaded.score(case.inputs, case.targets) == learner.score(case.inputs, case.targets)
    assert repr(loaded.get_params(deep=False)) == repr(learner.get_params(deep=False))


def refuses_other_files(case: Case) -> None:
    """Files that hold no such learner are named, and what to do."""
    learner = case.fit()
    kind = type(learner)
    with TemporaryDirectory() as folder:
        path = Path(folder, "model.safetensors")
        with pytest.raises(MissingFileError, match=r"model.safetensors"):
            kind.load(path)
        learner.save(path)
        whole = path.read_bytes()
        other = type("Other", (kind,), {})
        with pytest.raises(ArgumentError, match=f"holds a learner of the class .*{kind.__name__}"):
            other.load(path)
        for content in (b"", b"nothing of the kind", whole[: len(whole) // 2], pickle.dumps({"a": 1})):
            path.write_bytes(content)
            with pytest.raises(DataFileError, match=r"model.safetensors cannot be read"):
                kind.load(path)


def can_be_copied(case: Case) -> None:
    """A deep copy and a pickle of a fitted learner answer alike."""
    learner = case.fit()
    expected = learner.describe(case.inputs, learner.outputs)
    for each in (copy.deepcopy(learner), pickle.loads(pickle.dumps(learner))):
        assert same(each.describe(case.inputs, learner.outputs), expected)


def forgets_without_warm_start(case: Case) -> None:
    """A second fit is as the first one would have been."""
    few = case.make().fit(*case.some(range(12)))
    assert bits(few.fit(case.inputs, case.targets)) == bits(case.fit())


def goes_on_with_warm_start(case: Case) -> None:
    """The first fit is the same, the second starts from its weights."""
    learner = case.fit(warm_start=True)
    first = bits(learner)
    assert first == bits(case.fit())
    assert bits(learner.fit(case.inputs, case.targets)) != first
    still = case.fit(warm_start=True, lr=1e-12, weight_decay=0.0)
    start, fresh = (_weights(each) for each in (still, case.fit(seed=9, lr=1e-12, weight_decay=0.0)))
    still.set_params(seed=9).fit(case.inputs, case.targets)
    torch.testing.assert_close(_weights(still), start)
    assert not torch.allclose(fresh, start, atol=1e-4)


def trains_on_a_single_item(case: Case) -> None:
    """One labeled item is enough."""
    learner = case.make().fit(*case.some([3]))
    assert all(curve.isfinite().all() for curve in learner.curves_.values())
    assert list(learner.curves_) == ["training loss"]
    assert len(learner.predict(case.inputs)) == len(case.inputs)


def needs_an_item(case: Case) -> None:
    """Nothing can be learned from nothing, nor from items without targets."""
    for items in (case.some([]), (case.inputs, case.targets[:3]), (case.inputs, None)):
        with pytest.raises(ArgumentError):
            case.make().fit(*items)


def measures_items_held_out(case: Case) -> None:
    """They are measured after each epoch and leave no trace in the training; what nobody confirmed is trained on."""
    learner = case.fit(validation=0.25)
    curve = next(name for name in learner.curves_ if name != "training loss")
    assert curve.startswith("validation ")
    assert [len(values) for values in learner.curves_.values()] == [2, 2]
    if case.single:
        held_out, kept = learner._split(len(case.inputs))
        assert len(held_out) == len(case.inputs) // 4
        score = learner.score(*case.some(held_out))
        last = float(learner.curves_[curve][-1])
        assert last == pytest.approx(100 * score if "accuracy" in curve else score, rel=1e-5)
        assert bits(case.make(validation=0.0).fit(*case.some(kept))) == bits(learner)
        for unconfirmed in (0, 1, 12, 20):
            held_out, kept = learner._split(30, unconfirmed)
            assert len(held_out) == (0 if 30 - unconfirmed < 10 else max(1, int(0.25 * (30 - unconfirmed))))
            assert (held_out < 30 - unconfirmed).all()
            assert torch.cat([held_out, kept]).sort().values.tolist() == list(range(30))
    sure = case.make(validation=0.9).fit(case.inputs, case.targets, unconfirmed=len(case.inputs) - 9)
    assert list(sure.curves_) == ["training loss"]  # nine are sure, too few to hold out
    few = case.make(validation=0.5).fit(*case.some(range(9)))
    assert list(few.curves_) == ["training loss"]
    again = case.fit(validation=0.25, warm_start=True).fit(case.inputs, case.targets)
    assert list(again.curves_) == ["training loss"]  # the weights have seen them
    for share in (-0.1, 1.0, float("nan")):
        with pytest.raises(ArgumentError, match="validation must be"):
            case.fit(validation=share)


def has_a_seed_of_its_batches(case: Case) -> None:
    """By default the seed itself; another one gives another order."""
    if not case.single:
        return
    one, same_seed, other = (bits(case.fit(seed=1, batch_seed=seed)) for seed in (1, None, 2))
    assert one == same_seed != other


def predicts_its_losses(case: Case) -> None:
    """Learning Loss: with no weight the network is as without, and the predictor is put away with it."""
    if not case.single:
        return
    plain = case.fit()
    assert plain.diagnose(case.inputs, case.targets) == {}
    with pytest.raises(ArgumentError, match=r"cannot output loss_pred.*loss_prediction=LossPrediction\(\)"):
        plain.describe(case.inputs, ("loss_pred",))
    watched = case.fit(loss_prediction=LossPrediction(weight=0.0))
    torch.testing.assert_close(_weights(watched), _weights(plain))
    learner = case.fit(loss_prediction=LossPrediction(detach_after=1.0, weight=5.0))
    assert not torch.equal(_weights(learner), _weights(plain))
    predicted = learner.describe(case.inputs, learner.outputs).loss_pred
    assert predicted.shape == (len(case.inputs),)
    assert torch.equal(predicted, learner.describe(case.inputs, ("loss_pred",)).loss_pred)
    losses = learner.item_losses(case.inputs, case.targets)
    assert losses.shape == predicted.shape
    assert (losses >= 0).all()
    (rank,) = learner.diagnose(case.inputs, case.targets).values()
    assert -1 <= rank <= 1
    restored = case.make(loss_prediction=learner.loss_prediction, **_counts(learner)).restore(learner.state())
    assert torch.equal(restored.describe(case.inputs, ("loss_pred",)).loss_pred, predicted)
    with pytest.raises(ArgumentError, match="another network"):
        case.make(loss_prediction=LossPrediction(), **_counts(plain)).restore(plain.state())
    late = case.fit().set_params(loss_prediction=LossPrediction())
    with pytest.raises(ArgumentError, match=r"loss_prediction was set after this .* was fitted; fit it again"):
        late.describe(case.inputs, ("loss_pred",))
    with pytest.raises(ArgumentError, match="no module 'nowhere'"):
        case.make(loss_prediction=LossPrediction(modules=("nowhere",))).check_parameters()


def trains_in_mixed_precision(case: Case) -> None:
    """bfloat16 trains other weights, and everything is still told as float32."""
    learner = case.fit(precision="bfloat16")
    assert bits(learner) != bits(case.fit(precision="float32"))
    data = learner.describe(case.inputs, learner.outputs)
    for name in set(learner.outputs) - {"image"}:
        assert data[name].dtype == torch.float32
        assert data[name].isfinite().all()


def tells_a_diverging_training(case: Case) -> None:
    """The message says what to do, and no dropout stays on."""
    learner = case.make(lr=1e30, epochs=4, validation=0.2)
    with pytest.raises(TrainingError, match="lower the learning rate"):
        learner.fit(case.inputs, case.targets)
    assert not any(module.training for module in _networks(learner))


def refuses_arguments_of_the_wrong_type(case: Case) -> None:
    """Whatever is given, the error is the package's own, and nothing is trained."""
    wrong = ("wrong", -1.5, None, [], {}, object(), b"x", float("nan"), np.ones(2), torch.ones(2))
    for name in set(case.make().get_params(deep=False)) - set(case.unchecked):
        for value in wrong:
            learner = case.make().set_params(**{name: value})
            with suppress(ArgumentError, DataFileError):
                learner.check_parameters()
    for name, value in (
        ("epochs", 2.5),
        ("epochs", -1),
        ("batch_size", 0),
        ("lr", 0.0),
        ("lr", float("nan")),
        ("weight_decay", -1.0),
        ("samples", 1),
        *([("batch_seed", -1)] if case.single else ()),  # an ensemble sets its members'
        ("warm_start", 1),
        ("seed", "x"),
        ("precision", "float16"),
        ("device", "abacus"),
        ("loss_prediction", True),
    ):
        learner = case.make(**{name: value})
        with pytest.raises(ArgumentError, match=name):
            learner.fit(case.inputs, case.targets)
        assert not hasattr(learner, "module_")


def _networks(learner: Any) -> list[nn.Module]:
    return [each.module_ for each in getattr(learner, "members_", [learner]) if hasattr(each, "module_")]


def _weights(learner: Any) -> Tensor:
    """Parameters of all its networks, without what is frozen."""
    given = (weight for network in _networks(learner) for weight in network.parameters() if weight.requires_grad)
    return torch.cat([weight.detach().flatten().clone() for weight in given])


def _counts(learner: Any) -> dict[str, int]:
    """What `restore` needs to be told of the classes or joints."""
    member = getattr(learner, "members_", [learner])[0]
    count = getattr(member, "_count", "")
    return {count: getattr(member, f"{count}_")} if count in member.get_params() else {}


CONTRACTS: tuple[Callable[[Case], None], ...] = (
    is_a_learner,
    has_scikit_learns_manners,
    is_decided_by_its_seed,
    must_be_fitted_first,
    describes_in_the_order_of_the_items,
    describes_by_passes_that_differ,
    refuses_what_it_cannot_provide,
    shows_images_without_a_pass,
    scores_by_its_metric,
    takes_arrays,
    tells_its_progress,
    can_be_put_away_and_taken_back,
    refuses_the_state_of_another,
    goes_round_by_a_file,
    refuses_other_files,
    can_be_copied,
    forgets_without_warm_start,
    goes_on_with_warm_start,
    trains_on_a_single_item,
    needs_an_item,
    measures_items_held_out,
    has_a_seed_of_its_batches,
    predicts_its_losses,
    trains_in_mixed_precision,
    tells_a_diverging_training,
    refuses_arguments_of_the_wrong_type,
)
