"""Where the hand is in a frame: one center a frame, its source and how far to trust it."""
