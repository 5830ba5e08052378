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

from seqgcn.datasets.hands.depth_folder import DepthFolder
from seqgcn.datasets.hands.rendered import RenderedHands
from seqgcn.datasets.hands.rendering import write_dataset
from seqgcn.datasets.hands.rendering.settings import DRAWN, Setting, setting_of
from seqgcn.report import contact_sheet

FRAMES = 18
SEQUENCES = 12
FRAMES_A_SEQUENCE = 20
SEED = 180
"""Of the scenes: their twelve sequences have everything that is drawn."""


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
            seed=SEED,
            sensor="sr305",
        )
        settings = [setting_of("mixed", SEED, "train", number) for number in range(SEQUENCES)]
        hands = DepthFolder(home, split="all")
        rows = SEQUENCES // len(DRAWN)
        figure = Figure(figsize=(12, 2.5 * rows), layout="constrained")
        # One of each in a row: each four sequences have all four scenes.
        order = sorted(range(SEQUENCES), key=lambda number: (number // len(DRAWN), settings[number].scene))
        for axes, number in zip(figure.subplots(rows, len(DRAWN)).flat, order, strict=True):
            frame = (number + 1) * FRAMES_A_SEQUENCE - 1
            depth = hands.depth(frame).depth.numpy()
            axes.imshow(np.where(depth > 0, depth, np.nan), cmap="viridis", interpolation="none")
            joints = hands.camera.to_image(hands.joints[frame])[:, :2].numpy()
            for bone in hands.skeleton.bones:
                axes.plot(*joints[list(bone)].T, color="white", linewidth=0.8)
            axes.set(xticks=[], yticks=[])
            axes.set_title(title(settings[number]), fontsize="medium")
        figure.suptitle("Rendered depth frames in a lab's layout, seen by the sensor sr305")
        figure.savefig(picture, dpi=100, metadata={"Software": None})


def title(setting: Setting) -> str:
    """A scene and what is drawn in it, in words."""
    words = [setting.scene]
    if setting.arm_from != "below":
        words.append("from above" if setting.arm_from == "above" else f"from the {setting.arm_from}")
    if setting.second:
        words.append("both hands")
    if setting.held is not None:
        words.append(f"holds a {setting.held}")
    return ", ".join(words)


if __name__ == "__main__":
    main()
