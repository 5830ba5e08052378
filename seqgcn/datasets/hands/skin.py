"""How far joints lie behind the skin, which is all that a depth camera sees."""

from collections.abc import Mapping

from seqgcn.datasets.hands.skeleton import words_of

BEHIND_SKIN: Mapping[str, float] = {
    "tip": 6.0,
    "dip": 7.0,
    "mid": 8.0,
    "pip": 8.0,
    "mcp": 10.0,
    "root": 10.0,
    "palm": 12.0,
    "wrist": 14.0,
}
"""mm from skin to bone, by a word of a joint's name: half the thickness of an adult's finger or hand there."""

ELSEWHERE = 9.0
"""The same for joints with other names."""


def behind_skin(joint: str) -> float | None:
    """How far a joint lies behind the skin, mm, as its name tells; None if it does not."""
    return next((BEHIND_SKIN[word] for word in reversed(words_of(joint)) if word in BEHIND_SKIN), None)
