"""Draw some frames of the default rendered data set with their true skeletons: results/rendered_frames.png.

python benchmarks/evidence/contact_sheet.py
"""

import torch
from results import RESULTS

from seqgcn.datasets.hands.rendered import RenderedHands
from seqgcn.report import contact_sheet

FRAMES = 18


def main() -> None:
    """Prepare the data set and draw."""
    hands = RenderedHands().hands("train")
    ids = torch.linspace(0, len(hands) - 1, FRAMES).long().tolist()
    contact_sheet(
        [hands.depth(i).depth.numpy() for i in ids],
        [hands.camera.to_image(hands.joints[i])[:, :2].numpy() for i in ids],
        hands.skeleton.bones,
        RESULTS / "rendered_frames.png",
        title="Rendered depth frames in ICVL's layout, 16 joints",
    )


if __name__ == "__main__":
    main()
