"""Render frames from the real poses of the NYU test set, as a data set in NYU's layout for `nyu_real_poses.yaml`.

python benchmarks/evidence/real_poses.py POSES.npz FOLDER
python benchmarks/evidence/evidence.py nyu_real_poses --root FOLDER

POSES.npz holds `xyz` [8252, 36, 3] in mm with y up, as in the release's joint_data.mat. The pool is subject 1 (frames
0 to 2,439) and every other block of 500 frames of subject 2, the test part are the other blocks; 25 frames are dropped
at both ends of every block, since neighbors differ by 2.5 mm.
"""

import argparse

import numpy as np
import torch

from seqgcn.datasets.hands.camera import NYU_CAMERA
from seqgcn.datasets.hands.rendering import write_nyu
from seqgcn.utils.progress import Bars

SUBJECT_TWO, BLOCK, BORDER = 2440, 500, 25


def blocks(frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Frames of the pool and of the test part."""
    pool, test = [np.arange(SUBJECT_TWO - BORDER)], []
    for number, start in enumerate(range(SUBJECT_TWO, frames, BLOCK)):
        block = np.arange(start, min(start + BLOCK, frames))
        last = start + BLOCK >= frames
        (test if number % 2 else pool).append(block[BORDER : None if last else -BORDER])
    return np.concatenate(pool), np.concatenate(test)


def main() -> None:
    """Read, split, render."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("poses", metavar="POSES.npz")
    parser.add_argument("folder", metavar="FOLDER")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    xyz = np.load(arguments.poses, allow_pickle=False)["xyz"]
    joints = NYU_CAMERA.from_release(torch.from_numpy(xyz).float())
    pool, test = (torch.from_numpy(part) for part in blocks(len(joints)))
    with Bars() as bars:
        write_nyu(arguments.folder, joints[pool], joints[test], seed=0, progress=bars)
    print(f"{len(pool):,} frames in the pool, {len(test):,} to test: {arguments.folder}")


if __name__ == "__main__":
    main()
