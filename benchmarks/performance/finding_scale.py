"""What finding hands in half a million depth frames takes: seconds a frame, and memory beyond one frame's.

The search and the localizer look at frames of rendered mixed scenes, one core; of all frames, the seconds are as many
times those of one. What is kept of all frames is measured in full: candidates of the frames looked at, over and over,
in as many frames as asked for, the rule's path through them (sequences of 10,000 frames), and second hands.
"""

import tempfile
import time
from argparse import Namespace
from pathlib import Path

import numpy as np
import torch
from common import finish, in_child, options, peak_memory, prepare, say

from seqgcn.datasets.hands import CropOptions, DepthFolder
from seqgcn.datasets.hands.centers.candidate_table import CandidateTable
from seqgcn.datasets.hands.centers.combining import other_hands
from seqgcn.datasets.hands.centers.finding import AT_ONCE, by_rule
from seqgcn.datasets.hands.centers.heat_map import HeatMap
from seqgcn.datasets.hands.centers.localizer import Localizer, shrink
from seqgcn.datasets.hands.centers.rule import Candidate, candidates_of
from seqgcn.datasets.hands.crop import crop
from seqgcn.datasets.hands.rendering import write_dataset

LOOKED_AT, SEQUENCE = 64, 10_000
NETWORKS = 5
"""Of a localizer: of all labels and of four folds."""


def measure(frames: int) -> dict[str, float]:
    """CPU seconds a frame of each step, and bytes and seconds for all frames together."""
    torch.set_num_threads(1)
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        write_dataset(Path(folder) / "lab", "depth-folder", frames=LOOKED_AT, sequences=8, scene="mixed", seed=7)
        hands = DepthFolder(Path(folder) / "lab", "all", options=CropOptions(crop="rule", cache=folder))
        camera, cube = hands.camera, float(hands.cube[0])

        def timed(what: str, work: object) -> list[object]:
            start = time.process_time()
            results = [work(i) for i in range(LOOKED_AT)]  # type: ignore[operator]
            found[what] = (time.process_time() - start) / LOOKED_AT
            return results

        timed("decode", hands.depth)
        images = [hands.depth(i) for i in range(LOOKED_AT)]
        seen: list[list[Candidate]] = timed(  # type: ignore[assignment]
            "search", lambda i: candidates_of(images[i], camera, cube, hands.options.near, hands.options.far)
        )
        grids = np.stack([shrink(image, camera) for image in images])
        centers = hands.joints.mean(dim=1)
        timed("crop", lambda i: crop(images[i], centers[i], cube, camera, 128))
        networks = [HeatMap().eval() for _ in range(NETWORKS)]
        model = Localizer(networks[0], cube, others=tuple(networks[1:]))
        start = time.process_time()
        model.locate(grids, camera)
        found["locate"] = (time.process_time() - start) / LOOKED_AT
    start = time.process_time()
    with peak_memory(torch.device("cpu")) as memory:
        table = CandidateTable(seen[i % LOOKED_AT] for i in range(frames))
        centers = by_rule(table, torch.arange(frames) // SEQUENCE).points
        other_hands(centers, table)
    shrunk = AT_ONCE * grids[0].nbytes
    return {**found, "bytes": memory["bytes"] + shrunk, "combine": time.process_time() - start, "frames": frames}


def row(each: dict[str, float]) -> dict[str, str]:
    """A line of the table."""
    frames = int(each["frames"])
    ms = {step: f"{1000 * each[step]:.1f}" for step in ("decode", "search", "locate", "crop")}
    first = each["decode"] + each["search"]
    later = each["decode"] + each["locate"]
    return {
        "frames": f"{frames:,}",
        **{f"{step} (ms a frame)": value for step, value in ms.items()},
        "path and second hands (s)": f"{each['combine']:.0f}",
        "search of all, one core (h)": f"{(frames * first + each['combine']) / 3600:.1f}",
        "localizer on all, one core (h)": f"{(frames * later + each['combine']) / 3600:.1f}",
        "peak memory (MiB)": f"{each['bytes'] / 2**20:.0f}",
    }


def main() -> None:
    """Measure, print and write."""
    parser = options("finding_scale", __doc__, pairs=1)
    parser.add_argument("--frames", type=int, nargs="+", default=[50_000, 500_000], help="kept at once")
    arguments: Namespace = parser.parse_args()
    device = prepare(arguments)
    results = []
    for frames in arguments.frames:
        say(f"{frames:,} frames")
        results.append(in_child(measure, frames))
    finish("finding_scale", arguments, device, [row(each) for each in results], results)


if __name__ == "__main__":
    main()
