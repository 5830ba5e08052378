"""What a hand pose network says of a batch of crops."""

from collections.abc import Collection

import torch
from torch import Tensor

from seqgcn.datasets.hands.hand_dataset import CropBatch, HandFrames
from seqgcn.learners.loss_prediction import LossPredictor
from seqgcn.learners.nets import DeepPrior, PoseNet


def answers(
    module: PoseNet,
    predictor: LossPredictor | None,
    frames: HandFrames,
    batch: CropBatch,
    wanted: Collection[str],
    samples: int,
) -> dict[str, Tensor]:
    """The wanted of embedding, joints, joints of passes with dropout, predicted loss and image, by name.

    Args:
        module: The network, in evaluation mode.
        predictor: What predicts its loss.
        frames: Whose crops they are, b of them.
        batch: The crops.
        wanted: `x` `[b, d]`, `joints` `[b, J, 3]` mm, `target_samples` `[b, samples, 3J]` mm from the crop's centre,
            `loss_pred` `[b]`, `image` `[b, 1, size, size]` uint8.
        samples: Passes with dropout.
    """
    images, centre, cube = batch
    images = images.contiguous(memory_format=torch.channels_last)
    part: dict[str, Tensor] = {}
    if "image" in wanted:
        part["image"] = crop_images(images)
    if set(wanted) <= {"image"}:
        return part
    if isinstance(module, DeepPrior):
        features = module.body(images)
        embedding, pose = module.regress(features, drop=False)
    else:
        embedding, pose = module(images)
    # Before further passes, which would leave other features behind.
    if predictor is not None and "loss_pred" in wanted:
        part["loss_pred"] = predictor.predict(detach=True)
    if "target_samples" in wanted and isinstance(module, DeepPrior):
        passes = torch.stack([module.regress(features, drop=True)[1] for _ in range(samples)], dim=1)
        joints = module.from_frame(passes.flatten(1, 2), centre, cube) - centre.unsqueeze(1)
        part["target_samples"] = frames.reflect(joints).unflatten(1, (samples, -1)).flatten(2)
    if "x" in wanted:
        part["x"] = embedding
    if "joints" in wanted:
        part["joints"] = frames.reflect(module.from_frame(pose, centre, cube))
    return part


def crop_images(images: Tensor) -> Tensor:
    """Crops in [-1, 1] as the images `[b, 1, size, size]` uint8 that selectors take, background 255."""
    return ((images + 1) * 127.5).round().to(torch.uint8)


def mean_distance(predicted: Tensor, targets: Tensor) -> float:
    """Mean distance of joints `[n, J, 3]` from the true ones, mm, while a network trains.

    Unlike `mean_joint_error` it does not refuse what a network predicts that is about to diverge.
    """
    return float((predicted - targets).norm(dim=2).mean())
