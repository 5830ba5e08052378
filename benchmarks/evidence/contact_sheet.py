"""Draw rendered frames with their true skeletons: results/rendered_frames.png and results/rendered_scenes.png.

The first has hands of the default rendered data set, the second whole frames of every scene of depth folders.

python benchmarks/evidence/contact_sheet.py
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from results import RESULTS

from seqgcn.datasets.hands.folder import DepthFolder
from seqgcn.datasets.hands.rendered import RenderedHands
from seqgcn.datasets.hands.rendering import drawn_scenes, write_dataset
from seqgcn.report import contact_sheet

FRAMES = 18
SEQUENCES = 8
FRAMES_A_SEQUENCE = 60


def main() -> None:
    """Prepare the data sets and draw both."""
    draw_hands()
    draw_scenes(RESULTS / "rendered_scenes.png")


def draw_hands() -> None:
    """Hands of the default rendered data set, cut out."""
    hands = RenderedHands().hands("train")
    ids = torch.linspace(0, len(hands) - 1, FRAMES).long().tolist()
    contact_sheet(
        [hands.depth(i).depth.numpy() for i in ids],
        [hands.camera.to_image(hands.joints[i])[:, :2].numpy() for i in ids],
        hands.skeleton.bones,
        RESULTS / "rendered_frames.png",
        title="Rendered depth frames in ICVL's layout, 16 joints",
    )


def draw_scenes(picture: Path) -> None:
    """Whole frames of a depth folder of mixed scenes, one a sequence, near in dark and far in light colors."""
    with tempfile.TemporaryDirectory() as scratch:
        home = write_dataset(
            Path(scratch) / "mixed",
            "depth-folder",
            frames=SEQUENCES * FRAMES_A_SEQUENCE,
            sequences=SEQUENCES,
            sensor="sr305",
        )
        scenes = [drawn_scenes(home)["train", number + 1] for number in range(SEQUENCES)]
        hands = DepthFolder(home, split="all")
        figure = Figure(figsize=(12, 5), layout="constrained")
        # One of each in a row: each four sequences have all four scenes.
        half = SEQUENCES // 2
        order = [number for row in (0, half) for number in sorted(range(row, row + half), key=lambda n: scenes[n])]
        for axes, number in zip(figure.subplots(2, half).flat, order, strict=True):
            frame = (number + 1) * FRAMES_A_SEQUENCE - 1
            depth = hands.depth(frame).depth.numpy()
            axes.imshow(np.where(depth > 0, depth, np.nan), cmap="viridis", interpolation="none")
            joints = hands.camera.to_image(hands.joints[frame])[:, :2].numpy()
            for bone in hands.skeleton.bones:
                axes.plot(*joints[list(bone)].T, color="white", linewidth=0.8)
            axes.set(title=scenes[number], xticks=[], yticks=[])
        figure.suptitle("Rendered depth frames in a lab's layout, seen by the sensor sr305")
        figure.savefig(picture, dpi=100, metadata={"Software": None})


if __name__ == "__main__":
    main()
