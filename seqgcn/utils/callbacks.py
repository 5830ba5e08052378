"""What long work tells whoever asked for it."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with a stage's name, how many steps are done and how many there are."""
