"""Rendered hands in rooms made of spheres and planes: arm, body, table, things in the way, sometimes a second hand."""

import torch
from torch import Tensor

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.datasets.hands.rendering import Hand, Stage, film, hand_spheres, render_depth
from seqgcn.utils.seeding import generator

ROOM_CAMERA = Camera(120, 120, 79.5, 59.5, 160, 120)

PALM = [0, 5, 9, 13, 17]
"""Wrist and knuckles of 21 finger-major joints."""


def film_rooms(
    sequences: int, frames: int, seed: int, camera: Camera = ROOM_CAMERA
) -> tuple[list[DepthImage], Tensor, Tensor]:
    """Frames, palms `[n, 3]` mm and sequence numbers `[n]`; every sequence has its own subject, room and path."""
    images, palms, numbers = [], [], []
    for number in range(sequences):
        draws = generator(seed, "room", number)
        hand = Hand.of_subject(seed, number)
        far = 550 + 350 * float(torch.rand((), generator=draws))
        # Every tenth frame of a film: neighbors are near-duplicates.
        joints = film(hand, Stage(camera, 380, far), frames * 10, draws)[::10]
        room = _Room(camera, far, draws)
        second = film(Hand.of_subject(seed, number + 1000), Stage(camera, 380, far), frames * 10, draws)[::10]
        with_second = float(torch.rand((), generator=draws)) < 0.25
        for i, pose in enumerate(joints):
            parts = [hand_spheres(pose, hand.scale), room.arm(pose), room.things]
            if with_second and float((second[i] - pose).norm(dim=-1).min()) > 120:
                parts += [hand_spheres(second[i]), room.arm(second[i])]
            depth = render_depth(torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts]), camera)
            depth = room.behind(depth)
            noise = torch.randn(depth.shape, generator=draws)
            lost = torch.rand(depth.shape, generator=draws) < 0.02
            images.append(DepthImage(torch.where((depth > 0) & ~lost, (depth + noise).round(), torch.zeros(()))))
            palms.append(pose[PALM].mean(dim=0))
            numbers.append(number)
    return images, torch.stack(palms), torch.tensor(numbers)


def film_two_hands(frames: int, seed: int, camera: Camera = ROOM_CAMERA) -> tuple[list[DepthImage], Tensor, Tensor]:
    """Frames of two hands of one depth with their arms, left and right, and the palms of each, `[n, 3]` mm."""
    images, palms = [], []
    poses, scales = [], []
    for number, x in enumerate((-190.0, 190.0)):
        hand = Hand.of_subject(seed, number)
        joints = film(hand, Stage(camera, 600, 600), frames, generator(seed, "two hands", number))
        poses.append(joints - joints[:, PALM].mean(dim=1, keepdim=True) + torch.tensor([x, 0.0, 600.0]))
        scales.append(hand.scale)
    for both in zip(*poses, strict=True):
        parts = [hand_spheres(pose, scale) for pose, scale in zip(both, scales, strict=True)]
        share = torch.linspace(0.08, 1, 30).unsqueeze(1)
        for pose in both:
            elbow = pose[0] + torch.tensor([0.0, 300.0, 60.0])
            parts.append((pose[0] * (1 - share) + elbow * share, 28 + 17 * share.flatten()))
        depth = render_depth(torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts]), camera)
        images.append(DepthImage(depth))
        palms.append(torch.stack([pose[PALM].mean(dim=0) for pose in both]))
    stacked = torch.stack(palms)
    return images, stacked[:, 0], stacked[:, 1]


class _Room:
    def __init__(self, camera: Camera, far: float, draws: torch.Generator) -> None:
        def uniform(low: float, high: float) -> float:
            return low + (high - low) * float(torch.rand((), generator=draws))

        self.elbow = torch.tensor([uniform(-350, 350), uniform(50, 450), far + uniform(-100, 200)])
        body = torch.tensor([uniform(-200, 200), 150.0, far + uniform(250, 600)])
        spheres = [(body + torch.tensor([dx, dy, 0.0]), 130.0) for dx in (-150, 0, 150) for dy in range(-150, 600, 50)]
        spheres.append((body + torch.tensor([0.0, -330.0, 0.0]), 105.0))
        if uniform(0, 1) < 0.3:
            spheres.clear()
        for _ in range(int(uniform(0, 4))):
            z = uniform(0.8, 1.3) * far
            at = torch.tensor([uniform(-0.5, 0.5) * z, uniform(-0.4, 0.4) * z, z])
            step = torch.tensor([uniform(-1, 1), uniform(-1, 1), uniform(-0.5, 0.5)]) * 25
            radius, length = uniform(15, 70), int(uniform(1, 10))
            spheres += [(at + step * k, radius) for k in range(length)]
        spheres.append((torch.tensor([0.0, 0.0, 9000.0]), 5.0))
        self.things = torch.stack([c for c, _ in spheres]), torch.tensor([r for _, r in spheres])
        self.camera = camera
        self.table = uniform(180, 350) if uniform(0, 1) < 0.5 else None
        self.wall = far + uniform(500, 2000) if uniform(0, 1) < 0.6 else None

    def arm(self, pose: Tensor) -> tuple[Tensor, Tensor]:
        share = torch.linspace(0.08, 1, 30).unsqueeze(1)
        return pose[0] * (1 - share) + self.elbow * share, 28 + 17 * share.flatten()

    def behind(self, depth: Tensor) -> Tensor:
        depth = torch.where(depth > 4000, torch.zeros(()), depth)
        down = (torch.arange(self.camera.height) - self.camera.cy) / self.camera.fy
        planes = [self.table / down.clamp(min=1e-3)] if self.table is not None else []
        if self.wall is not None:
            planes.append(torch.full_like(down, self.wall))
        for plane in planes:
            surface = plane.unsqueeze(1).expand_as(depth)
            depth = torch.where((surface < 4000) & ((depth == 0) | (surface < depth)), surface, depth)
        return depth
