"""Rendered frames a second, noise included, against meeting every pixel's ray with every sphere.

Poses are made beforehand. The reference has the whole image in each operation, for a few spheres at a time so that its
intermediate results stay in the processor's cache; it is timed on fewer frames.
"""

import math
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from common import Spread, finish, in_turn, options, prepare, ratio, say, seconds
from torch import Tensor

from seqgcn.datasets.hands import Camera
from seqgcn.datasets.hands.rendering import Hand, film, hand_spheres, render_depth
from seqgcn.datasets.hands.rendering.layouts import LAYOUTS, Layout
from seqgcn.utils.seeding import generator

WINDOWS, ALL_PIXELS = "this package", "all rays and spheres"
ELEMENTS = 2**18
"""Of an intermediate result of the reference, which is quickest so."""
Render = Callable[[Tensor, Tensor, Camera], Tensor]


def render_all_pixels(centres: Tensor, radii: Tensor, camera: Camera) -> Tensor:
    """Depth of the nearest sphere in each pixel, `[h, w]` mm, 0 where there is none."""
    rows, columns = torch.meshgrid(torch.arange(camera.height), torch.arange(camera.width), indexing="ij")
    dx, dy = ((columns - camera.cx) / camera.fx).flatten(), ((rows - camera.cy) / camera.fy).flatten()
    length = dx.square() + dy.square() + 1
    depth = torch.full_like(dx, math.inf)
    some = max(1, ELEMENTS // len(dx))
    for (x, y, z), r in zip(
        (part.T.unsqueeze(2) for part in centres.split(some)), radii.unsqueeze(1).split(some), strict=True
    ):
        along = x * dx + y * dy + z
        # |c x d|^2, which does not cancel in single precision as along^2 - |c|^2 |d|^2 does.
        cross = (y - z * dy).square() + (z * dx - x).square() + (x * dy - y * dx).square()
        inside = length * r.square() - cross
        t = torch.where(inside >= 0, (along - inside.clamp(min=0).sqrt()) / length, math.inf)
        depth = torch.minimum(depth, t.amin(dim=0))
    return depth.masked_fill_(depth.isinf(), 0).view(camera.height, camera.width)


def shoot(render: Render, layout: Layout, hand: Hand, poses: Tensor, seed: int) -> None:
    """Frames as they are stored."""
    for i, pose in enumerate(poses):
        centres, radii = hand_spheres(pose, hand.scale, forearm=layout.forearm)
        layout.sensors[0].measure(render(centres, radii, layout.stage.camera), generator(seed, "noise", i))


def compare(name: str, arguments: Namespace, device: torch.device) -> dict[str, Any]:
    """Everything measured with one layout's camera, distance of the hand and noise."""
    layout = LAYOUTS[name]
    hand = Hand.of_subject(arguments.seed, 1)
    poses = film(hand, layout.stage, arguments.frames, generator(arguments.seed, "film"))
    few = poses[:: -(-len(poses) // arguments.reference_frames)]

    def rate(render: Render, some: Tensor) -> float:
        return len(some) / seconds(partial(shoot, render, layout, hand, some, arguments.seed), device)

    say(name)
    found = in_turn(
        {WINDOWS: partial(rate, render_depth, poses), ALL_PIXELS: partial(rate, render_all_pixels, few)},
        arguments.pairs,
    )
    camera, spheres = layout.stage.camera, [hand_spheres(pose, hand.scale, forearm=layout.forearm) for pose in few]
    pairs = [(render_depth(*place, camera), render_all_pixels(*place, camera)) for place in spheres]
    both = [(a > 0) & (b > 0) for a, b in pairs]
    return {
        "camera": name,
        "image": [camera.width, camera.height],
        "spheres": len(spheres[0][1]),
        "share_of_pixels_hit": float(torch.stack(both).double().mean()),
        "frames_per_second": {method: Spread.of(values) for method, values in found.items()},
        "times_the_reference": ratio(found[WINDOWS], found[ALL_PIXELS]),
        "largest_difference_mm": max(float((a - b)[hit].abs().max()) for (a, b), hit in zip(pairs, both, strict=True)),
        "share_of_pixels_hit_by_one_alone": float(torch.stack([(a > 0) != (b > 0) for a, b in pairs]).double().mean()),
    }


def main() -> None:
    """Measure, print and write."""
    parser = options("renderer", __doc__)
    parser.set_defaults(threads=1)
    parser.add_argument("--frames", type=int, default=120, help="frames of the rendered sequence")
    parser.add_argument("--reference-frames", type=int, default=4, help="how many of them the reference renders")
    arguments = parser.parse_args()
    device = prepare(arguments)
    results = [compare(name, arguments, device) for name in ("icvl", "nyu")]
    rows = [
        {
            "camera": f"{result['camera']}, {' x '.join(map(str, result['image']))}",
            "spheres": result["spheres"],
            **{f"{name}, frames/s": spread.show() for name, spread in result["frames_per_second"].items()},
            "times the reference": result["times_the_reference"].show(),
            "largest difference, mm": f"{result['largest_difference_mm']:.1g}",
        }
        for result in results
    ]
    finish("renderer", arguments, device, rows, results)


if __name__ == "__main__":
    main()
