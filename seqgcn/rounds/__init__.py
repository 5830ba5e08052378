"""One annotation round: select items, hand them to annotators, and import their labels."""
