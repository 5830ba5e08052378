"""Finding the hand in a whole depth frame: the center of the cube that is cropped."""
