"""Depth-based hand pose data sets."""
