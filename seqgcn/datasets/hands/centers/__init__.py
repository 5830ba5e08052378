"""Where the hand is in a frame: the centers that crops are cut around."""
