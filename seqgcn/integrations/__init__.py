"""Adapters to other packages, each imported only by who uses it."""
