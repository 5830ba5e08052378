"""One round of annotation: which items to label next, of items whose labels nobody has yet."""
