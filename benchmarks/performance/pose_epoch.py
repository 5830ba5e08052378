"""One epoch of DeepPrior: what reading crops and augmenting them add to training on batches that are ready.

The reference trains the same network, with the same optimizer and batch size, on crops without augmentation that are
on the device already; the bare network's forward and backward pass on them is timed too. On a GPU the rendered crops
are repeated.
"""

import tempfile
import warnings
from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from common import FitTime, Spread, finish, in_turn, options, prepare, ratio, say, seconds, timed_fit
from torch import Tensor

from seqgcn.datasets.hands import ICVL, CropOptions, HandFrames
from seqgcn.datasets.hands.rendering import write_dataset
from seqgcn.exceptions import SeqGCNWarning
from seqgcn.learners import HandPose
from seqgcn.learners.batches import shuffled_batches
from seqgcn.learners.devices import mixed_precision
from seqgcn.learners.recipes import RECIPES
from seqgcn.training import train
from seqgcn.utils.seeding import generator

AUGMENTED, PLAIN = "epoch, augmented", "epoch, not augmented"
READY, BARE = "the same on ready batches", "forward and backward alone"
RENDERED = 1_000


def epoch_of_fit(
    frames: HandFrames, joints: Tensor, augment: bool, arguments: Namespace, device: torch.device
) -> float:
    """Seconds of an epoch as users have it."""

    def fit(progress: Any) -> None:
        learner = HandPose(
            net=arguments.net,
            epochs=arguments.epochs + 1,
            augment=augment,
            validation=0.0,
            device=str(device),
            seed=arguments.seed,
        )
        learner.fit(frames, joints, progress=progress)

    time: FitTime = timed_fit(fit, arguments.epochs, device)
    return time.epoch


def references(frames: HandFrames, joints: Tensor, arguments: Namespace, device: torch.device) -> dict[str, Any]:
    """Timers of an epoch on ready batches, and of the network alone."""
    learner = HandPose(
        net=arguments.net, epochs=1, augment=False, validation=0.0, device=str(device), seed=arguments.seed
    )
    module = learner.fit(frames[torch.arange(64)], joints[:64]).module_.train()
    recipe = RECIPES[learner.net]
    batches = []
    for ids in shuffled_batches(len(frames), recipe.batch_size, generator(arguments.seed, "ready")):
        images, centre, cube = frames.batch(ids, device)
        pose = module.to_frame(joints[ids].to(device), centre, cube)
        batches.append((images.contiguous(memory_format=torch.channels_last), pose))
    weights = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(weights, lr=recipe.lr)
    precision = mixed_precision(learner.precision, device)

    def fit(progress: Any) -> None:
        train(
            module,
            lambda _epoch: batches,
            lambda batch: module.loss(*batch)[0],
            optimizer=optimizer,
            epochs=arguments.epochs + 1,
            autocast=precision,
            progress=progress,
        )

    def ready() -> float:
        time: FitTime = timed_fit(fit, arguments.epochs, device)
        return time.epoch

    def passes() -> None:
        for batch in batches:
            module.zero_grad(set_to_none=True)
            with precision:
                loss, _ = module.loss(*batch)
            loss.backward()

    return {READY: ready, BARE: partial(seconds, passes, device)}


def compare(size: int, root: Path, arguments: Namespace, device: torch.device) -> dict[str, Any]:
    """Everything measured with crops of one size."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SeqGCNWarning)  # that these are fewer frames than the release's
        dataset = ICVL(root, options=CropOptions(size=size, cache=str(root.parent / "cache")))
    ids = torch.arange(arguments.crops) % len(dataset)
    frames, joints = dataset.frames[ids], dataset.joints[ids]
    say(f"{size} px")
    found = in_turn(
        {
            AUGMENTED: partial(epoch_of_fit, frames, joints, True, arguments, device),
            PLAIN: partial(epoch_of_fit, frames, joints, False, arguments, device),
            **references(frames, joints, arguments, device),
        },
        arguments.pairs,
    )
    return {
        "size": size,
        "crops": len(frames),
        "seconds": {name: Spread.of(values) for name, values in found.items()},
        "times_ready_batches": {name: ratio(values, found[READY]) for name, values in found.items()},
        "times_forward_and_backward": {name: ratio(values, found[BARE]) for name, values in found.items()},
    }


def main() -> None:
    """Measure, print and write."""
    parser = options("pose_epoch", __doc__)
    parser.set_defaults(threads=2)
    parser.add_argument("--crops", type=int, help="in an epoch; by default 1,000, and 16,004 on a GPU")
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 96], help="pixels along a crop's side")
    parser.add_argument("--net", default="deep-prior", help="one of HandPose's")
    parser.add_argument("--epochs", type=int, default=2, help="epochs timed in each round")
    arguments = parser.parse_args()
    device = prepare(arguments)
    if arguments.crops is None:
        arguments.crops = 1_000 if device.type == "cpu" else 16_004
    with tempfile.TemporaryDirectory() as folder:
        say("rendering")
        rendered = min(arguments.crops, RENDERED)
        root = write_dataset(
            Path(folder) / "frames",
            "icvl",
            frames=rendered,
            sequences=min(10, rendered),
            test_frames=2,
            seed=arguments.seed,
        )
        results = [compare(size, root, arguments, device) for size in arguments.sizes]
    rows = [
        {
            "crops": f"{result['crops']:,} of {result['size']} px",
            "": name,
            "seconds": spread.show(),
            "times ready batches": result["times_ready_batches"][name].show(),
            "times forward and backward": result["times_forward_and_backward"][name].show(),
        }
        for result in results
        for name, spread in result["seconds"].items()
    ]
    finish("pose_epoch", arguments, device, rows, results)


if __name__ == "__main__":
    main()
