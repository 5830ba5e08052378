from collections import Counter

import torch

from seqgcn.datasets.hands.rendering.settings import (
    DRAWN,
    HELD,
    SCENES,
    Setting,
    draw_setting,
    scene_of,
    setting_of,
    turned,
)
from seqgcn.utils.seeding import generator


def drawn(scene: str, n: int = 400) -> list[Setting]:
    return [draw_setting(scene, generator(0, scene, number)) for number in range(n)]  # type: ignore[arg-type]


def test_each_four_sequences_have_all_four_scenes_in_an_order_of_the_seed() -> None:
    orders = {tuple(scene_of("mixed", seed, "train", number) for number in range(4)) for seed in range(12)}
    assert len(orders) > 3
    assert all(sorted(order) == sorted(DRAWN) for order in orders)
    assert scene_of("mixed", 0, "train", 9) == scene_of("mixed", 0, "train", 9)
    assert {scene_of("table", seed, "test", 1) for seed in range(5)} == {"table"}


def test_nothing_is_drawn_for_a_bare_hand() -> None:
    assert set(drawn("bare", 20)) == {Setting("bare")}
    assert Setting("bare").roll == 0


def test_half_of_the_arms_come_from_below_and_the_others_from_every_other_side() -> None:
    for scene in ("arm", "table", "objects"):
        sides = Counter(setting.arm_from for setting in drawn(scene))
        assert 0.4 < sides["below"] / 400 < 0.6
        assert min(sides[side] for side in ("above", "left", "right")) > 30


def test_the_arm_of_a_person_does_not_cross_the_body() -> None:
    for setting in drawn("body"):
        assert setting.arm_from != ("left" if setting.side > 0 else "right")


def test_the_right_hand_of_a_person_who_faces_the_camera_is_on_the_left_of_the_image() -> None:
    assert {setting.side for setting in drawn("body")} == {-1}
    assert {setting.side for setting in drawn("arm")} == {-1, 1}


def test_each_scene_has_what_it_is_named_after_and_only_that() -> None:
    assert all(setting[3:] == (None, False, 0, False) for setting in drawn("arm"))
    objects = drawn("objects")
    assert all(setting.beside or setting.held for setting in objects)
    assert 0.2 < sum(setting.beside and setting.held is not None for setting in objects) / 400 < 0.47
    assert {setting.held for setting in objects} == {None, *HELD}
    bodies = drawn("body")
    assert 0.3 < sum(setting.second for setting in bodies) / 400 < 0.5
    assert 0.15 < sum(setting.held is not None for setting in bodies) / 400 < 0.35
    assert {setting.lying for setting in drawn("table")} == {0, 1, 2, 3}
    assert not any(setting.lying or setting.beside for setting in bodies)


def test_mixed_sequences_have_the_setting_of_their_scene() -> None:
    for number in range(8):
        mixed = setting_of("mixed", 5, "train", number)
        assert mixed == setting_of(scene_of("mixed", 5, "train", number), 5, "train", number)
        assert mixed.scene in DRAWN
    assert "mixed" in SCENES


def test_a_quarter_turn_is_clockwise_in_the_image() -> None:
    down = torch.tensor([0.0, 1.0, 7.0])
    # y points down: what pointed down points to the left.
    assert torch.allclose(turned(down, 90.0), torch.tensor([-1.0, 0.0, 7.0]), atol=1e-6)
    assert torch.allclose(turned(down, 180.0), torch.tensor([0.0, -1.0, 7.0]), atol=1e-6)
